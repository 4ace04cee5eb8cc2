import { givenOptions, type Called } from '../options/called.ts';
import { longNameOf, rowsOf, type ConfigOf, type FlagsOf, type Layout } from '../options/row.ts';
import { address } from '../options/table/address.ts';
import { balance } from '../options/table/balance.ts';
import { bind } from '../options/table/bind.ts';
import { access, admission, clients } from '../options/table/clients.ts';
import { control } from '../options/table/control.ts';
import { datagrams, faults } from '../options/table/faults.ts';
import { groups } from '../options/table/groups.ts';
import { limits } from '../options/table/limits.ts';
import { clientHeader, protocols, proxies } from '../options/table/proxies.ts';
import { live, recording, tap, replay } from '../options/table/recording.ts';
import { reports } from '../options/table/reports.ts';
import { monitoring, processes, serving } from '../options/table/serving.ts';
import { exposure } from '../options/table/session.ts';
import { socket } from '../options/table/socket.ts';
import { targetLists } from '../options/table/target-lists.ts';
import { telnet } from '../options/table/telnet.ts';
import { tls, tlsProtocol } from '../options/table/tls.ts';
import { websocket } from '../options/table/websocket.ts';

/** The options of `tnet proxy`, in the order of its help. */
export const proxyLayout = [
  ['What is served:', serving, telnet],
  ['Several targets:', balance],
  ['TLS:', tls],
  ['TLS versions and protocols:', tlsProtocol],
  ['SOCKS, HTTP and PROXY headers:', protocols, clientHeader, proxies],
  ['WebSocket:', websocket],
  ['Access:', access, targetLists, exposure],
  ['Limits:', clients, admission, limits],
  ['What is seen:', tap, recording, live, monitoring],
  ['Faults on purpose:', faults],
  ['Steering:', control],
  ['Replay:', replay],
  ['Datagrams:', datagrams, groups],
  ['Addresses and start:', bind, processes, address],
  ['Socket options:', socket],
  ['Reports:', reports],
] as const satisfies Layout;

/** The rows of a pair, which a configuration file may have too, and those of the process. */
export const pairRows = new Map([...rowsOf('proxy', proxyLayout)].filter(([, { config }]) => config));
export const processRows = new Map([...rowsOf('proxy', proxyLayout)].filter(([, { config }]) => !config));

/** The options of a pair by name, read. */
export type PairOptions = ConfigOf<typeof proxyLayout>;

/** The flags of the process. Those of its pairs are there as they are written: see writtenValues(). */
export type ProxyOptions = Omit<FlagsOf<typeof proxyLayout, 'proxy'>, keyof PairOptions>;

/** What the command line says about every pair, as written. */
export function writtenValues(command: Called): Readonly<Record<string, unknown>> {
  const names = [...givenOptions(command)].filter((name) => pairRows.has(name));
  return Object.fromEntries(names.map((name) => [name, command.getOptionValue(name)]));
}

/** `--max-connections` for maxConnections; what a pair is between is named by its word. */
export function nameFlag(part: string): string {
  if (part === 'listen' || part === 'targets') return part === 'listen' ? 'LISTEN' : 'TARGET';
  const row = pairRows.get(part) ?? processRows.get(part);
  return row ? longNameOf(row) : part;
}
