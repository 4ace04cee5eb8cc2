import type { Endpoint } from '../../src/address/endpoint.ts';
import type { DatagramSocket } from '../../src/net/datagram.ts';
import type { Socket } from '../../src/net/index.ts';
import { toTuning } from '../../src/net/socket-values.ts';
import type { TableFlags } from './row.ts';
import type { socket as socketTable } from './table/socket.ts';

/** The flags that set options of the sockets. */
export type SocketFlags = TableFlags<typeof socketTable, 'connect'>;

/** What sets the flags' options on sockets, each undefined where there is nothing to set. */
export interface Tuners {
  readonly tune?: ((socket: Socket) => void) | undefined;
  readonly tuneDatagrams?: ((socket: DatagramSocket) => void) | undefined;
}

/**
 * Reads the flags for sockets of streams, of datagrams, or of both: as the endpoints need them.
 *
 * @throws TnetError TNET_E_UNSUPPORTED without the addon
 */
export async function readTuners(flags: SocketFlags, endpoints: readonly Endpoint[]): Promise<Tuners> {
  const tuning = toTuning(flags);
  if (!tuning) return {};
  const { createDatagramTuner, createTuner } = await import('../../src/net/socket-tuning.ts');
  const isDatagram = ({ kind }: Endpoint) => kind === 'udp';
  return {
    tune: endpoints.every(isDatagram) ? undefined : createTuner(tuning),
    tuneDatagrams: endpoints.some(isDatagram) ? createDatagramTuner(tuning) : undefined,
  };
}
