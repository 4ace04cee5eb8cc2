import {
  modes,
  type End,
  type Mode,
  type Need,
  type OptionRow,
  type Role,
  rowsOf,
  shortNameOf,
  type CommandName,
  type Layout,
} from './row.ts';
import { TnetError } from '../../src/errors.ts';

/** What a command line, or a pair of a configuration file, asks for. */
export interface Asked {
  /** The options that are given. */
  readonly given: ReadonlySet<string>;
  /** What is done beside what options turn on, each with what it is called. */
  readonly modes?: Partial<Readonly<Record<Mode, string>>>;
  /** What else an option may need, such as that there are several targets. */
  readonly facts?: readonly string[];
  /** Where the command is one thing or the other: only options of this role do anything. */
  readonly role?: Role;
  /** What each end is, by the role whose end it is; nothing is said of an end that is not known. Default: what options say. */
  readonly ends?: Partial<Readonly<Record<Role, readonly (readonly End[])[]>>>;
}

/** Why an option cannot be given. */
export type Refusal = { readonly option: string } & (
  | { readonly kind: 'role' }
  | { readonly kind: 'excluded'; readonly by: string; readonly reason: string }
  | {
      readonly kind: 'mode';
      readonly called: string;
      readonly by: string | undefined;
      readonly reason: string;
    }
  | { readonly kind: 'end'; readonly role: Role; readonly end: End; readonly reason: string | undefined }
  | { readonly kind: 'need'; readonly need: Need }
);

type Rows = ReadonlyMap<string, OptionRow>;
type Given = readonly (readonly [name: string, row: OptionRow, roles: readonly Role[]])[];

/** What the rows know each kind of end as. */
const ends: Readonly<Partial<Record<string, readonly End[]>>> = {
  tcp: ['stream', 'ip'],
  tls: ['stream', 'ip'],
  ws: ['stream', 'ip'],
  udp: ['datagram', 'ip'],
  unix: ['stream', 'unix'],
  'unix-seqpacket': ['packet', 'stream', 'unix'],
  'unix-dgram': ['packet', 'datagram', 'unix'],
  vsock: ['stream', 'local'],
  exec: ['stream', 'local'],
  pty: ['stream', 'local'],
  serial: ['stream', 'local'],
  file: ['stream', 'local'],
};

/** An end of which the rows say whether they work with it; nothing is known of a descriptor. */
export function endOf(kind: string): readonly End[] {
  return ends[kind] ?? [];
}

/** What an option may need of the ends of a role: that one is a WebSocket. */
export function factsOf(role: 'client' | 'server', kinds: readonly string[]): readonly string[] {
  return kinds.includes('ws') ? [`ws ${role}`] : [];
}

/**
 * Finds an option that would be ignored, or that cannot be done: with what is given, by its row. What is known of all
 * comes first, and last what an option lacks.
 *
 * @param command the rows' name of the command
 * @param rows those of the command; options that are not among them are not looked at
 */
export function findRefusal(command: keyof OptionRow['in'], rows: Rows, asked: Asked): Refusal | undefined {
  const given = [...rows]
    .filter(([name]) => asked.given.has(name))
    .map(([name, row]) => [name, row, row.in[command] ?? []] as const);
  return (
    findForeignRole(given, asked) ??
    findExcluded(given, asked) ??
    findAtEnd(given, asked) ??
    findInMode(given, asked) ??
    findLacking(given, asked, command)
  );
}

function findForeignRole(given: Given, { role }: Asked): Refusal | undefined {
  const [option] = given.find(([, , roles]) => role !== undefined && !roles.includes(role)) ?? [];
  return option === undefined ? undefined : { option, kind: 'role' };
}

function findExcluded(given: Given, asked: Asked): Refusal | undefined {
  for (const [by, { excludes = {} }] of given) {
    for (const [option, reason] of Object.entries(excludes)) {
      if (asked.given.has(option)) return { option, kind: 'excluded', by, reason };
    }
  }
  return undefined;
}

function findInMode(given: Given, asked: Asked): Refusal | undefined {
  const told = Object.entries(asked.modes ?? {}) as [Mode, string][];
  const on = [
    ...told.map(([mode, called]) => ({ mode, called, by: undefined })),
    ...given.flatMap(([by, { turnsOn: mode }]) => (mode ? [{ mode, called: modes[mode].called, by }] : [])),
  ];
  for (const { mode, called, by } of on) {
    const foreign = given.find(([, row]) => row.turnsOn !== mode && !row.modes?.includes(mode));
    if (!foreign) continue;
    const [option, row] = foreign;
    return { option, kind: 'mode', called, by, reason: row.because?.[mode] ?? modes[mode].reason };
  }
  return undefined;
}

function findAtEnd(given: Given, asked: Asked): Refusal | undefined {
  const made = given.flatMap(([, { makes }]) => makes ?? []);
  for (const [option, row, roles] of given) {
    const refusals = roles.flatMap((role) => {
      // An option about either end is at home with one of them.
      const sides = role === 'relay' ? (['server', 'target'] as const) : [role];
      const found = sides.map((side) => {
        const ends = asked.ends ? (asked.ends[side] ?? []) : [made];
        return ends.flat().find((end) => !endsOf(row, role).includes(end));
      });
      const end = found.every((one) => one !== undefined) ? found[0] : undefined;
      return end === undefined
        ? []
        : [{ option, kind: 'end', role, end, reason: row.because?.[end] } as const];
    });
    if (refusals[0]) return refusals[0];
  }
  return undefined;
}

function endsOf({ ends = ['stream', 'ip'] }: OptionRow, role: Role): readonly End[] {
  return isList(ends) ? ends : (ends[role] ?? []);
}

function isList(ends: NonNullable<OptionRow['ends']>): ends is readonly End[] {
  return Array.isArray(ends);
}

function findLacking(given: Given, asked: Asked, command: keyof OptionRow['in']): Refusal | undefined {
  const there = new Set<string>([
    ...asked.given,
    ...(asked.facts ?? []),
    ...Object.keys(asked.modes ?? {}),
    ...given.flatMap(([, { turnsOn, makes }]) => [turnsOn ?? [], makes ?? []].flat()),
    ...Object.values(asked.ends ?? {}).flat(2),
  ]);
  for (const [option, { needs = [] }] of given) {
    for (const need of needs) {
      const isMeant = need.in === undefined || need.in === command;
      // What depends on the ends is not known before they are.
      const isKnown =
        asked.ends !== undefined ||
        !need.anyOf.some((one) => one === 'datagram' || one === 'unix' || one.startsWith('ws '));
      if (isMeant && isKnown && !need.anyOf.some((one) => there.has(one)))
        return { option, kind: 'need', need };
    }
  }
  return undefined;
}

/**
 * Refuses options that would be ignored or cannot be done, in one line.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function checkOptions(command: CommandName, layout: Layout, asked: Asked): void {
  // What is refused is an option.
  if (asked.given.size === 0) return;
  const rows = rowsOf(command, layout);
  const refusal = findRefusal(command, rows, asked);
  if (refusal) throw new TnetError('TNET_E_USAGE', describe(refusal, rows, asked));
}

function describe(refusal: Refusal, rows: ReadonlyMap<string, OptionRow>, asked: Asked): string {
  const { role } = asked;
  const nameOf = (option: string) => shortNameOf(rows.get(option) ?? { flags: option });
  const flagsOf = (option: string) => rows.get(option)?.flags ?? option;
  const flag = nameOf(refusal.option);
  switch (refusal.kind) {
    case 'role':
      return role === 'client'
        ? `${flag} does not go with --ping: it is a server's, and --ping is a client`
        : `${flag} goes with --ping`;
    case 'excluded':
    case 'mode': {
      const { by, reason } = refusal;
      const other = by === undefined ? (refusal.kind === 'mode' ? refusal.called : '') : nameOf(by);
      if (reason === '' && by !== undefined)
        return `option '${flagsOf(by)}' cannot be used with option '${flagsOf(refusal.option)}'`;
      return `${flag} does not go with ${other}: ${reason}`;
    }
    case 'end':
      if (refusal.reason !== undefined) return `${flag} does not go with this address: ${refusal.reason}`;
      if (refusal.end === 'datagram') return `${flag} needs a connection, and ${datagramsOf(asked)} none`;
      if (refusal.end === 'packet') return `${flag} needs a stream, and this socket keeps messages apart`;
      return refusal.end === 'unix'
        ? `a Unix socket has no ${flag}`
        : `${flag} does not apply to this address`;
    case 'need': {
      const need = describeNeed(refusal, nameOf);
      return `${flag} goes ${need}`;
    }
  }
}

/** How a sentence goes on about what sends datagrams. */
function datagramsOf({ ends = {} }: Asked): string {
  const all = Object.values(ends).flat();
  return all.some((end) => end.includes('datagram') && end.includes('ip')) || all.length === 0
    ? 'UDP has'
    : 'Unix datagrams have';
}

/** `with -k`, or what the row says. */
export function describeNeed(
  { need }: Extract<Refusal, { readonly kind: 'need' }>,
  nameOf: (option: string) => string,
): string {
  return need.called ?? `with ${need.anyOf.map(nameOf).join(' or ')}`;
}
