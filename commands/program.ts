import { Command } from 'commander';
import { hideUserInfo } from '../src/address/endpoint.ts';
import { usageHint } from './options/foreign-flags.ts';
import { refuseRepeats } from './options/build.ts';
import { writeResult } from './write-result.ts';
import { helpFooter, helpLayout } from './help-layout.ts';

type Define = (command: Command) => void;

interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  /** Loads the command's own file: only when it is called, or when all are wanted. */
  readonly load: () => Promise<Define>;
}

/** tnet's commands. Each is one file, and the file is run only when the command is called. */
export const commandTable: readonly CommandEntry[] = [
  {
    name: 'connect',
    summary: 'connect to a server and pipe stdin and stdout through',
    load: async () => (await import('./connect/connect.ts')).defineConnect,
  },
  {
    name: 'listen',
    summary: 'wait for a client and pipe stdin and stdout through',
    load: async () => (await import('./listen/listen.ts')).defineListen,
  },
  {
    name: 'echo',
    summary: 'serve an echo or another small service, or measure one',
    load: async () => (await import('./echo/echo.ts')).defineEcho,
  },
  {
    name: 'proxy',
    summary: 'relay connections to a target',
    load: async () => (await import('./proxy/proxy.ts')).defineProxy,
  },
  {
    name: 'isip',
    summary: 'tell whether words are IP addresses: 4, 6 or 0',
    load: async () => (await import('./isip/isip.ts')).defineIsip,
  },
  {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    load: async () => {
      const { defineCompletion } = await import('./completion/completion.ts');
      return (command) => {
        defineCompletion(command, () => buildProgram(''));
      };
    },
  },
];

/**
 * The commander tree. With `only`, that command is whole and the others stand there with their names and summaries,
 * which is all that a run of one command needs.
 */
export async function buildProgram(version: string, only?: string): Promise<Command> {
  const program = new Command('tnet');
  program
    .description('Listen, connect, echo, proxy: bytes between two ends, and none lost.')
    .version(version, '-V, --version', 'print the version')
    // Else tnet's own -v would take the commands' -v.
    .enablePositionalOptions()
    .option('-v, --verbose', 'with --version: also the Node version and the flow engine')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .configureHelp(helpLayout)
    .configureOutput({ outputError: () => undefined, writeOut: writeResult })
    .showSuggestionAfterError(true)
    .exitOverride();
  for (const { name, summary, load } of commandTable) {
    const command = program.command(name).description(summary);
    if (only === undefined || only === name) (await load())(command);
    refuseRepeats(command);
    // After the command's own options: it stands in the group of the last of them.
    command.helpOption('-h, --help', 'show this help').addHelpText('after', helpFooter(command));
  }
  return program;
}

/** The command that the arguments call, if any: `connect` for `connect …` and for `help connect`. */
export function findCommand(args: readonly string[]): string | undefined {
  const [first, second] = args;
  const name = first === 'help' ? second : first;
  return commandTable.find((entry) => entry.name === name)?.name;
}

/** One line for a usage error that commander found. */
export function describeUsageError(command: string | undefined, code: string, message: string): string {
  const line = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const text = code === 'commander.unknownOption' ? line : hideQuoted(line);
  return usageHint(command, code, text) ?? text;
}

/** Whatever was typed may be an address with a password, given to the wrong flag. */
function hideQuoted(text: string): string {
  const argument = / argument '(.*)' is invalid/s.exec(text)?.[1] ?? /'(.*)'/s.exec(text)?.[1] ?? '';
  return text.replace(argument, () => hideUserInfo(argument));
}
