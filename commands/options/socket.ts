import type { Endpoint } from '../../src/address/endpoint.ts';
import type { DatagramSocket } from '../../src/net/datagram.ts';
import type { Socket } from '../../src/net/index.ts';
import { toTuning } from '../../src/net/socket-values.ts';
import type { GroupValues } from '../../src/net/groups.ts';
import type { TableFlags } from './row.ts';
import type { groups } from './table/groups.ts';
import type { socket as socketTable } from './table/socket.ts';

/** The flags that set options of the sockets. */
export type SocketFlags = TableFlags<typeof socketTable, 'connect'> &
  Partial<TableFlags<typeof groups, 'connect'>> &
  Pick<TableFlags<typeof groups, 'listen'>, 'multicastSource'>;

/** What sets the flags' options on sockets, each undefined where there is nothing to set. */
export interface Tuners {
  readonly tune?: ((socket: Socket) => void) | undefined;
  readonly tuneDatagrams?: ((socket: DatagramSocket) => void) | undefined;
  /** How groups and broadcast addresses are used; undefined: as without the flags. */
  readonly group?: GroupValues | undefined;
}

/**
 * Reads the flags for sockets of streams, of datagrams, or of both: as the endpoints need them.
 *
 * @throws TnetError TNET_E_UNSUPPORTED without the addon
 */
export async function readTuners(flags: SocketFlags, endpoints: readonly Endpoint[]): Promise<Tuners> {
  const group = readGroup(flags);
  const tuning = toTuning(flags);
  if (!tuning) return { group };
  const { createDatagramTuner, createTuner } = await import('../../src/net/socket-tuning.ts');
  const isDatagram = ({ kind }: Endpoint) => kind === 'udp';
  return {
    group,
    tune: endpoints.every(isDatagram) ? undefined : createTuner(tuning),
    tuneDatagrams: endpoints.some(isDatagram) ? createDatagramTuner(tuning) : undefined,
  };
}

function readGroup(flags: SocketFlags): GroupValues | undefined {
  const { interface: link, multicastSource, multicastLoop, allowBroadcast } = flags;
  const isAsked = [link, multicastSource, allowBroadcast].some((value) => value !== undefined);
  if (!isAsked && multicastLoop !== false) return undefined;
  return { interface: link, multicastSource, multicastLoop, allowBroadcast };
}
