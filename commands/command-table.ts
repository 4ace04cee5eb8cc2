import type { CommandDefinition } from './options/called.ts';

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Loads the command's own file: only when it is called, or when all are wanted. `completion` is commander's own. */
  readonly load?: () => Promise<CommandDefinition>;
}

/** tnet's commands. Each is one file, and the file is run only when the command is called. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: 'connect',
    summary: 'connect to a server and pipe stdin and stdout through',
    load: async () => (await import('./connect/connect.ts')).connectCommand,
  },
  {
    name: 'listen',
    summary: 'wait for a client and pipe stdin and stdout through',
    load: async () => (await import('./listen/listen.ts')).listenCommand,
  },
  {
    name: 'echo',
    summary: 'serve an echo or another small service, or measure one',
    load: async () => (await import('./echo/echo.ts')).echoCommand,
  },
  {
    name: 'proxy',
    summary: 'relay connections to a target',
    load: async () => (await import('./proxy/proxy.ts')).proxyCommand,
  },
  {
    name: 'isip',
    summary: 'tell whether words are IP addresses: 4, 6 or 0',
    load: async () => (await import('./isip/isip.ts')).isipCommand,
  },
  { name: 'completion', summary: 'print a completion script for bash, zsh or fish' },
];

/** The command that the arguments call, if any: `connect` for `connect …` and for `help connect`. */
export function findCommand(args: readonly string[]): string | undefined {
  const [first, second] = args;
  const name = first === 'help' ? second : first;
  return commandTable.find((entry) => entry.name === name)?.name;
}
