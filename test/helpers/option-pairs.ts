import { connectLayout } from '../../commands/connect/options.ts';
import { echoLayout } from '../../commands/echo/options.ts';
import { isipLayout } from '../../commands/isip/options.ts';
import { listenLayout } from '../../commands/listen/options.ts';
import { proxyLayout } from '../../commands/proxy/options.ts';
import { endOf, type Asked } from '../../commands/options/check.ts';
import {
  longNameOf,
  rowsOf,
  type CommandName,
  type Layout,
  type OptionRow,
  type Role,
} from '../../commands/options/row.ts';

/** The options of every command. */
export const layouts: Readonly<Record<CommandName, Layout>> = {
  connect: connectLayout,
  listen: listenLayout,
  echo: echoLayout,
  proxy: proxyLayout,
  isip: isipLayout,
};
export const commands = Object.keys(layouts) as CommandName[];
/** What an address may be of. */
export const kinds = ['tcp', 'udp', 'unix'] as const;
export type Kind = (typeof kinds)[number];

/** How a row's option is typed, with the shortest good value. */
export function typed(row: OptionRow): string[] {
  const name = longNameOf(row);
  if (row.value.sample === undefined) return [name];
  return row.alone === undefined ? [name, row.value.sample] : [`${name}=${row.value.sample}`];
}

/** What is asked for by options with an address of a kind, unless they make another one of it; of a proxy, both ends are of it. */
export function ask(command: CommandName, given: ReadonlySet<string>, written: Kind): Asked {
  const rows = rowsOf(command, layouts[command]);
  const made = [...given].flatMap((name) => rows.get(name)?.makes ?? []);
  const kind = made.includes('datagram') ? 'udp' : made.includes('unix') ? 'unix' : written;
  const role: Role | undefined = command === 'echo' ? (given.has('ping') ? 'client' : 'server') : undefined;
  const sides: Role[] = command === 'proxy' ? ['server', 'target'] : ['client', 'server'];
  const implied = [...given].flatMap((name) => Object.keys(rows.get(name)?.implies ?? {}));
  const all = new Set([...given, ...implied.filter((name) => rows.has(name))]);
  return {
    given: all,
    role,
    modes: role === 'server' && kind === 'udp' ? { answers: 'a UDP server' } : {},
    facts: kind === 'udp' ? ['two UDP ends'] : [],
    ends: Object.fromEntries(sides.map((side) => [side, [endOf(kind)]])),
  };
}
