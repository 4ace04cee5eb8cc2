import type { Endpoint } from '../../src/address/endpoint.ts';
import { givenOptions, type Called } from '../options/called.ts';
import { endOf, checkOptions, factsOf } from '../options/check.ts';
import type { FlagsOf, Layout } from '../options/row.ts';
import { address } from '../options/table/address.ts';
import { bind } from '../options/table/bind.ts';
import { access, clients } from '../options/table/clients.ts';
import { groups } from '../options/table/groups.ts';
import { limits, tries } from '../options/table/limits.ts';
import { pace } from '../options/table/probing.ts';
import { clientHeader, proxies } from '../options/table/proxies.ts';
import { live } from '../options/table/recording.ts';
import { reports } from '../options/table/reports.ts';
import { draining, monitoring, processes } from '../options/table/serving.ts';
import { measuring, service } from '../options/table/service.ts';
import { socket } from '../options/table/socket.ts';
import { tls } from '../options/table/tls.ts';
import { websocket } from '../options/table/websocket.ts';

/** The options of `tnet echo`, in the order of its help. */
export const echoLayout = [
  ['Service:', service, live],
  ['Measuring an echo:', measuring, pace],
  ['Address:', address, bind],
  ['Clients:', clients, access],
  ['Time limits and tries:', limits, draining, tries],
  ['TLS, proxies and PROXY headers:', clientHeader, proxies, tls],
  ['WebSocket:', websocket],
  ['Multicast and broadcast:', groups],
  ['Socket options:', socket],
  ['Reports:', reports, monitoring, processes],
] as const satisfies Layout;

export type EchoOptions = FlagsOf<typeof echoLayout, 'echo'>;

/**
 * Makes sure that the options go together, and with the endpoints: where a server listens, or what --ping calls.
 *
 * @param endpoints undefined: not known yet
 * @throws TnetError TNET_E_USAGE
 */
export function checkEchoOptions(
  command: Called,
  options: EchoOptions,
  endpoints: readonly Endpoint[] | undefined,
): void {
  const role = options.ping ? 'client' : 'server';
  const isAnswering =
    role === 'server' && endpoints?.some(({ kind }) => kind === 'udp' || kind === 'unix-dgram');
  checkOptions('echo', echoLayout, {
    given: givenOptions(command),
    role,
    modes: isAnswering ? { answers: 'a UDP server' } : {},
    facts: [
      ...(options.service === 'qotd' ? ['service qotd'] : []),
      ...factsOf(role, endpoints?.map(({ kind }) => kind) ?? []),
    ],
    ends: endpoints && { [role]: endpoints.map(({ kind }) => endOf(kind)) },
  });
}
