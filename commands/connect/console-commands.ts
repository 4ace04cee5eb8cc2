import { telnetCommands, type TelnetCommand } from '../../src/protocol/telnet/codes.ts';
import type { CommandOutcome } from '../../src/transform/escape-keys.ts';

/** What the command mode can do to a session. */
export interface ConsoleActions {
  readonly close: () => void;
  /** Lines that tell the state of the session. */
  readonly status: () => readonly string[];
  readonly suspend: () => void;
  /** @returns what is wrong, or undefined. */
  readonly setEscape: (text: string) => string | undefined;
  /** @returns what is wrong, or undefined. */
  readonly setMode: (mode: 'line' | 'character') => string | undefined;
  /** @returns what is wrong, or undefined. */
  readonly send: (what: TelnetCommand | 'escape') => string | undefined;
  readonly print: (line: string) => void;
}

/** A command's work. A text is what is wrong with the call. */
type Run = (words: readonly string[], actions: ConsoleActions) => CommandOutcome | { readonly wrong: string };

interface ConsoleCommand {
  readonly name: string;
  readonly usage: string;
  readonly help: string;
  readonly run: Run;
}

const sendable = [
  ...(Object.keys(telnetCommands) as TelnetCommand[]).filter((name) => name !== 'se'),
  'escape',
] as const;

const commands: readonly ConsoleCommand[] = [
  { name: 'close', usage: 'close', help: 'end the connection', run: end },
  { name: 'quit', usage: 'quit', help: 'end the connection', run: end },
  {
    name: 'status',
    usage: 'status',
    help: 'show the connection, the mode and the options',
    run(_words, { status, print }) {
      status().forEach(print);
      return 'session';
    },
  },
  {
    name: 'send',
    usage: `send ${sendable.join('|')}`,
    help: 'send a telnet command, or the escape key itself',
    run(words, actions) {
      if (words.length === 0) return { wrong: 'send what?' };
      for (const word of words) {
        const what = sendable.find((name) => name === word.toLowerCase());
        if (what === undefined) return { wrong: `cannot send ${word}` };
        const wrong = actions.send(what);
        if (wrong !== undefined) return { wrong };
      }
      return 'session';
    },
  },
  {
    name: 'set',
    usage: 'set escape ^X|none',
    help: 'change the escape key',
    run([what, key], { setEscape }) {
      if (what !== 'escape' || key === undefined) return { wrong: 'set what? only the escape can be set' };
      const wrong = setEscape(key);
      return wrong === undefined ? 'session' : { wrong };
    },
  },
  {
    name: 'mode',
    usage: 'mode line|character',
    help: 'have lines edited here, or send each key as it is typed',
    run([mode], { setMode }) {
      if (mode !== 'line' && mode !== 'character') return { wrong: 'a mode is line or character' };
      const wrong = setMode(mode);
      return wrong === undefined ? 'session' : { wrong };
    },
  },
  {
    name: 'suspend',
    usage: 'suspend, z',
    help: 'stop tnet, as Ctrl-Z does; fg goes on',
    run(_words, { suspend }) {
      suspend();
      return 'session';
    },
  },
  {
    name: 'help',
    usage: 'help, ?',
    help: 'show this list; an empty line goes back to the session',
    run: help,
  },
];

function end(_words: readonly string[], { close }: ConsoleActions): CommandOutcome {
  close();
  return 'session';
}

function help(_words: readonly string[], { print }: ConsoleActions): CommandOutcome {
  for (const { usage, help: text } of commands) print(`${usage}: ${text}`);
  return 'ask';
}

/** Runs a line of the command mode. A command may be shortened as long as it stays the only one of its beginning. */
export function runConsoleCommand(line: string, actions: ConsoleActions): CommandOutcome {
  if (line === '') return 'session';
  const [typed = '', ...words] = line.split(/\s+/);
  const name = typed === '?' ? 'help' : typed === 'z' ? 'suspend' : typed.toLowerCase();
  const found = commands.filter((command) => command.name.startsWith(name));
  const exact = found.find((command) => command.name === name) ?? (found.length === 1 ? found[0] : undefined);
  if (exact === undefined) {
    actions.print(
      found.length > 1
        ? `${typed} could be ${found.map((one) => one.name).join(' or ')}`
        : `no command ${typed}; ? lists them`,
    );
    return 'ask';
  }
  const outcome = exact.run(words, actions);
  if (typeof outcome === 'string') return outcome;
  actions.print(outcome.wrong);
  return 'ask';
}
