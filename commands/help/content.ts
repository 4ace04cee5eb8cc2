import { commandTable } from '../command-table.ts';
import type { CommandHelp } from '../options/called.ts';
import { rowsOf, type CommandName, type OptionRow } from '../options/row.ts';

/** What help says of tnet itself. */
export const ownHelp: CommandHelp = {
  usage: 'COMMAND [options] ADDRESS…',
  purpose: [
    'Listen, connect, echo, proxy: bytes between two ends, and none lost. It does the',
    'work of nc and telnet, on TCP, TLS, UDP and Unix sockets.',
  ],
  examples: [
    ['serve an echo, and talk to it from another terminal', 'tnet echo --port 8124'],
    ['', 'tnet connect localhost 8124'],
    ['see whether a port is open', 'tnet connect -zv example.com 443'],
  ],
  mostUsed: [],
};

/** What help says of `completion`, whose command line is commander's own. */
const completionHelp: CommandHelp = {
  usage: 'bash | zsh | fish',
  purpose: ['Prints a script that makes the shell complete the command lines of tnet.'],
  examples: [
    ['for this shell, bash or zsh', 'source <(tnet completion bash)'],
    ['for every bash of yours', 'tnet completion bash > ~/.local/share/bash-completion/completions/tnet'],
    ['for every fish of yours', 'tnet completion fish > ~/.config/fish/completions/tnet.fish'],
  ],
  mostUsed: [],
};

/** What help says of a command, and the rows of its options. */
export interface HelpContent {
  readonly help: CommandHelp;
  readonly rows: ReadonlyMap<string, OptionRow>;
}

/** @param name a command's, or '' for tnet itself */
export async function readHelpContent(name: string): Promise<HelpContent> {
  if (name === '') return { help: ownHelp, rows: new Map() };
  const definition = await commandTable.find((entry) => entry.name === name)?.load?.();
  if (!definition) return { help: completionHelp, rows: new Map() };
  return { help: definition.help, rows: rowsOf(name as CommandName, definition.layout) };
}

/** The examples as a shell takes them, what each does in a comment above it. */
export function formatExamples({ examples }: CommandHelp): string[] {
  return examples.flatMap(([does, commandLine]) => [
    ...(does === '' ? [] : [`  # ${does}`]),
    `  ${commandLine}`,
  ]);
}
