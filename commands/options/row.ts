import type { ValueKind } from './value-kinds.ts';

/** What a connection's end can be: it carries a stream or datagrams, between IP addresses or on this machine. */
/** `local`: on this machine, but no socket: a program, a file, a serial line. */
/** `packet`: a Unix socket that keeps messages apart, of datagrams or of packets. */
export type End = 'stream' | 'datagram' | 'ip' | 'unix' | 'local' | 'packet';

export const anyEnd: readonly End[] = ['stream', 'datagram', 'ip', 'unix', 'local', 'packet'];
/** Every connection with an end of its own, also one of packets. */
export const connectedEnds: readonly End[] = ['stream', 'ip', 'unix', 'local', 'packet'];
export const streamEnds: readonly End[] = ['stream', 'ip', 'unix', 'local'];
export const ipEnds: readonly End[] = ['stream', 'datagram', 'ip'];
export const tcpEnds: readonly End[] = ['stream', 'ip'];

/**
 * What a command can be asked to do in place of its plain work. How a mode is called where no option turns it on,
 * and why it does without an option that does not name it; '' where the two are plain alternatives.
 */
export const modes = {
  check: { called: '-z', reason: 'a check sends and reads nothing' },
  then: { called: 'a command after --', reason: 'there is no session' },
  condition: { called: '--wait-http', reason: 'there is no session' },
  several: { called: 'several addresses', reason: 'they are only waited for' },
  program: { called: 'a program', reason: 'the program takes the place of standard input and output' },
  receive: { called: '-d', reason: 'standard input is not read' },
  send: { called: '--send-only', reason: 'what the peer sends is dropped' },
  files: { called: '--send-file', reason: 'files take the place of standard input and output' },
  many: { called: '-k', reason: 'it is for one client' },
  broadcast: { called: '--broadcast', reason: '' },
  broker: { called: '--broker', reason: '' },
  chat: { called: '--chat', reason: '' },
  answers: { called: 'a UDP server', reason: 'UDP has no connections' },
  workers: { called: '--workers', reason: 'the clients are served by other processes' },
  /** SOCKS and HTTP. */
  names: { called: '--socks', reason: 'clients name their target' },
  'replay-clients': { called: '- as LISTEN', reason: "the recording takes the clients' place" },
  'replay-target': { called: '--replay', reason: "the recording takes the target's place" },
} as const satisfies Record<string, { readonly called: string; readonly reason: string }>;

export type Mode = keyof typeof modes;

/** Of connect: no session follows. */
export const checking: readonly Mode[] = ['check', 'condition', 'then', 'several'];
/** Of a session on a stream of bytes: who reads and writes, and with how many clients. */
export const streams: readonly Mode[] = ['program', 'receive', 'send', 'many', 'broadcast', 'broker', 'chat'];
/** The same, also with files in place of the bytes of standard input and output. */
export const sessions: readonly Mode[] = [...streams, 'files'];
/** For an option about the connection, whatever is done with it. */
export const anySession: readonly Mode[] = [...checking, ...sessions];

export type CommandName = 'connect' | 'listen' | 'echo' | 'proxy' | 'isip';

/**
 * What a command does while an option says something about it: it calls (client), or is called (server). A proxy's
 * options are about its clients (server), its targets (target), about either, so that one fitting end is enough (relay),
 * or about the process as a whole.
 */
export type Role = 'client' | 'server' | 'target' | 'relay' | 'process';

/**
 * One option, with all that is known about it. Help, completion, the check of the manual, the configuration file with
 * its schema, the types of the flags and every check of what goes together come from here. It fails safe: with a mode
 * or an end that the row does not name, the option is refused.
 *
 * To add one: its row in a table of ./table, its use, the manual page, a test.
 */
export interface OptionRow<Value = unknown> {
  /** As commander takes it: `-i, --idle <time>`. The row's name in its table is the one that commander gives the value. */
  readonly flags: string;
  /** For help and schema: a phrase without a full stop. */
  readonly help: string;
  /** Another phrase where the option means the same, but a command has more to say. */
  readonly helpIn?: Partial<Readonly<Record<CommandName, string>>>;
  /** How a value is read, from the command line and from the configuration file alike. */
  readonly value: ValueKind<Value>;
  /** What holds without the option, and how help calls it. */
  readonly default?: { readonly value: Value; readonly text: string };
  /**
   * The value of an option with an optional value, when it is given without one. It is given as `--flag=value`
   * only.
   */
  readonly alone?: string;
  /** The option that turns this one off again. */
  readonly off?: { readonly flags: string; readonly help: string };
  /** Options of this name gather their values in one list, in the order of the command line. */
  readonly gathers?: string;
  /** Whether a pair of a configuration file may have it, under its own name. On the command line it is every pair's. */
  readonly config?: true;
  /** The commands that have the option, and the roles in which they use it. */
  readonly in: Partial<Readonly<Record<CommandName, readonly Role[]>>>;
  /** The kinds of end that it works with, by role where that differs. Default: TCP alone. */
  readonly ends?: readonly End[] | Partial<Readonly<Record<Role, readonly End[]>>>;
  /** The modes that it works in beside a command's plain one. Default: none. */
  readonly modes?: readonly Mode[];
  /** The mode that the option turns on. */
  readonly turnsOn?: Mode;
  /** The kind of end that the option makes of the address. */
  readonly makes?: End;
  /** Options that it gives, too: a flag of TLS must never leave a connection in the clear. */
  readonly implies?: Readonly<Record<string, true>>;
  /** It does nothing unless one of these is there: options, modes, ends, or facts that a command tells. */
  readonly needs?: readonly Need[];
  /** Options that it cannot be given with, and why: the end of a sentence, or '' where they are plain alternatives. */
  readonly excludes?: Readonly<Record<string, string>>;
  /** Why it does not work in a mode or with an end, where there is more to say than of all options. */
  readonly because?: Partial<Readonly<Record<Mode | End, string>>>;
  /** Whether the proxy's express lane does it alone; else it keeps a pair's clients in JavaScript. */
  readonly lane?: true;
  /** The test that finds the option used: a file under test/. */
  readonly test: string;
}

export interface Need {
  readonly anyOf: readonly string[];
  /** How that is called, after `goes` or `makes sense only`: `with -k`. Default: with the flags. */
  readonly called?: string;
  /** The command that needs it. Default: all that have the option. */
  readonly in?: CommandName;
}

/** Options by name. */
export type OptionTable = Readonly<Record<string, OptionRow>>;

type ValueOf<Row> = Row extends { readonly value: ValueKind<infer Value> } ? Value : never;
type IsIn<Row, Name extends CommandName> = Row extends { readonly in: Readonly<Record<Name, unknown>> }
  ? true
  : false;
/** A flag such as --no-colour has its value also when it is not given. */
type IsThere<Row> = Row extends { readonly default: unknown } | { readonly flags: `--no-${string}` }
  ? true
  : false;

/** The flags of a table as commander hands them over: the rows that the command has. */
export type TableFlags<Table, Name extends CommandName> = {
  readonly [
    Key in keyof Table as IsIn<Table[Key], Name> extends true
      ? IsThere<Table[Key]> extends true
        ? Key
        : never
      : never
  ]: ValueOf<Table[Key]>;
} & {
  readonly [
    Key in keyof Table as IsIn<Table[Key], Name> extends true
      ? IsThere<Table[Key]> extends true
        ? never
        : Key
      : never
  ]?: ValueOf<Table[Key]>;
};

/** The groups of a command, in the order of its help: a heading, and the tables whose rows stand under it. */
export type Layout = readonly (readonly [heading: string, ...tables: OptionTable[]])[];

type TablesOf<Groups extends Layout> = Exclude<Groups[number][number], string>;
type Distribute<Table, Name extends CommandName> = Table extends unknown ? TableFlags<Table, Name> : never;
type DistributeConfig<Table> = Table extends unknown ? TableConfig<Table> : never;
type Intersect<Union> = (Union extends unknown ? (one: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never;

type TableConfig<Table> = {
  readonly [Key in keyof Table as Table[Key] extends { readonly config: true } ? Key : never]?: ValueOf<
    Table[Key]
  >;
};

/** All flags of a command. */
export type FlagsOf<Groups extends Layout, Name extends CommandName> = Intersect<
  Distribute<TablesOf<Groups>, Name>
>;

/** The values that a pair of a configuration file may have, each of which may be absent. */
export type ConfigOf<Groups extends Layout> = Intersect<DistributeConfig<TablesOf<Groups>>>;

/** The rows that a command has, by name, in the order of its help. */
export function rowsOf(name: CommandName, layout: Layout): ReadonlyMap<string, OptionRow> {
  const tables = layout.flatMap(([, ...group]) => group as readonly OptionTable[]);
  return new Map(
    tables.flatMap((table) => Object.entries(table)).filter(([, row]) => row.in[name] !== undefined),
  );
}

/** What reads a word of an option. A pair's are read with the pair: a configuration file may have them too. */
export function readerOf(command: CommandName, { value, config }: OptionRow): (word: string) => unknown {
  return command === 'proxy' && config ? (word) => word : (value.entry ?? value.read);
}

/** A flag as it is best known: `-q`, `--expect`. */
export function shortNameOf({ flags }: Pick<OptionRow, 'flags'>): string {
  return flags.startsWith('-') ? wordAt(flags, 0) : flags;
}

/** `--quit`, or `-N` when there is no long name. */
export function longNameOf({ flags }: Pick<OptionRow, 'flags'>): string {
  return flags.startsWith('-') ? wordAt(flags, Math.max(0, flags.indexOf('--'))) : flags;
}

/** Without a pattern: each start asks for the names of all options. */
function wordAt(flags: string, start: number): string {
  let end = start;
  while (end < flags.length && !' ,=['.includes(flags.charAt(end))) end++;
  return flags.slice(start, end);
}
