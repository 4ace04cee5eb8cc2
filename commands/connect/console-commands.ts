import {
  findOption,
  telnetCommands,
  telnetOptions,
  telnetVerbs,
  type TelnetCommand,
  type TelnetVerb,
} from '../../src/protocol/telnet/codes.ts';
import type { CommandOutcome } from '../../src/transform/escape-keys.ts';
import { ownValue } from '../../src/own-value.ts';

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
  /** The telnet side of the session, if it has one. */
  readonly telnet: TelnetActions | undefined;
  /** Runs a line of the shell, or a shell, at the terminal, and settles when it is over. */
  readonly shell: (line: string) => Promise<void>;
  readonly print: (line: string) => void;
}

export interface TelnetActions {
  readonly negotiate: (verb: TelnetVerb, option: number) => void;
  readonly toggle: (option: number, sides: readonly ('local' | 'remote')[]) => void;
  readonly environment: ReadonlyMap<string, string>;
  readonly define: (name: string, value: string | undefined) => void;
}

type Outcome = CommandOutcome | Promise<CommandOutcome>;

/** A command's work. `rest` is what follows its name. A string returned says what is wrong with the call. */
type Run = (
  words: readonly string[],
  actions: ConsoleActions,
  rest: string,
) => Outcome | { readonly wrong: string };

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
    usage: `send ${sendable.join('|')}, or do|dont|will|wont OPTION`,
    help: 'send a telnet command, a word about an option, or the escape key itself',
    run(words, actions) {
      if (words.length === 0) return { wrong: 'send what?' };
      const verb = words[0]?.toLowerCase() ?? '';
      if (Object.hasOwn(telnetVerbs, verb)) return negotiate(verb as TelnetVerb, words[1] ?? '', actions);
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
    name: 'toggle',
    usage: 'toggle binary|echo|suppress-go-ahead',
    help: 'turn an option of telnet on, or off',
    run([name = ''], { telnet }) {
      if (!telnet) return noTelnet;
      const option = ownValue({ binary: 'both', echo: 'peer', 'suppress-go-ahead': 'peer' }, name);
      if (option === undefined) return { wrong: 'toggle binary, echo or suppress-go-ahead' };
      telnet.toggle(findOption(name) ?? 0, option === 'both' ? ['local', 'remote'] : ['remote']);
      return 'session';
    },
  },
  {
    name: 'display',
    usage: 'display',
    help: 'show what is set: the state, and the variables for the peer',
    run(_words, { status, telnet, print }) {
      status().forEach(print);
      for (const [name, value] of telnet?.environment ?? []) print(`${name}=${value}`);
      return 'ask';
    },
  },
  {
    name: 'environ',
    usage: 'environ [list], define NAME VALUE, undefine NAME',
    help: 'the variables that the peer is told when it asks',
    run([what = 'list', name, ...value], { telnet, print }) {
      if (!telnet) return noTelnet;
      if (what === 'define' && name !== undefined && value.length > 0) telnet.define(name, value.join(' '));
      else if (what === 'undefine' && name !== undefined) telnet.define(name, undefined);
      else if (what !== 'list') return { wrong: 'environ list, define NAME VALUE or undefine NAME' };
      else for (const [known, text] of telnet.environment) print(`${known}=${text}`);
      return 'ask';
    },
  },
  {
    name: 'logout',
    usage: 'logout',
    help: 'ask the peer to log out and close the connection (RFC 727)',
    run(_words, { telnet }) {
      if (!telnet) return noTelnet;
      telnet.negotiate('do', telnetOptions.logout);
      return 'session';
    },
  },
  {
    name: 'open',
    usage: 'open HOST [PORT]',
    help: 'say how to connect elsewhere: a session has one connection',
    run(words, { status, print }) {
      print(status()[0] ?? '');
      print(`quit, and then: tnet connect -t ${words.length > 0 ? words.join(' ') : 'HOST PORT'}`);
      return 'ask';
    },
  },
  {
    name: '!',
    usage: '! [COMMAND]',
    help: 'run a command of the shell, or a shell',
    run: (_words, { shell }, rest) => shell(rest).then(() => 'ask'),
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

const noTelnet = { wrong: 'this is no telnet session' };

function negotiate(verb: TelnetVerb, name: string, { telnet }: ConsoleActions): ReturnType<Run> {
  const option = /^\d{1,3}$/.test(name) ? Number(name) : findOption(name.toLowerCase());
  if (!telnet) return noTelnet;
  if (option === undefined || option > 254) return { wrong: `${verb} which option? a number from 0 to 254` };
  telnet.negotiate(verb, option);
  return 'session';
}

function end(_words: readonly string[], { close }: ConsoleActions): CommandOutcome {
  close();
  return 'session';
}

function help(_words: readonly string[], { print }: ConsoleActions): CommandOutcome {
  for (const { usage, help: text } of commands) print(`${usage}: ${text}`);
  return 'ask';
}

/** Runs a line of the command mode. A command may be shortened as long as the beginning is unique. */
export function runConsoleCommand(line: string, actions: ConsoleActions): Outcome {
  if (line === '') return 'session';
  const spaced = line.replace(/^!/, '! ').trim();
  const [typed = '', ...words] = spaced.split(/\s+/);
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
  const outcome = exact.run(words, actions, spaced.slice(typed.length).trimStart());
  if (typeof outcome === 'string' || !('wrong' in outcome)) return outcome;
  actions.print(outcome.wrong);
  return 'ask';
}
