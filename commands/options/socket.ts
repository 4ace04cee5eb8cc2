import type { DatagramSocket } from '../../src/net/datagram.ts';
import type { Socket } from '../../src/net/index.ts';
import { toTuning } from '../../src/net/socket-values.ts';
import type { TableFlags } from './row.ts';
import type { socket as socketTable } from './table/socket.ts';

/** The flags that set options of the sockets. */
export type SocketFlags = TableFlags<typeof socketTable, 'connect'>;

/**
 * What sets the flags' options on a connection, or undefined when there are none.
 *
 * @throws TnetError TNET_E_UNSUPPORTED without the addon
 */
export async function readTuner(flags: SocketFlags): Promise<((socket: Socket) => void) | undefined> {
  const tuning = toTuning(flags);
  return tuning && (await import('../../src/net/socket-tuning.ts')).createTuner(tuning);
}

/**
 * What sets the flags' options on the UDP socket of a client, or undefined when there are none.
 *
 * @throws as readTuner() does
 */
export async function readDatagramTuner({
  tos,
  ttl,
}: SocketFlags): Promise<((socket: DatagramSocket) => void) | undefined> {
  const tuning = toTuning({ tos, ttl });
  return tuning && (await import('../../src/net/socket-tuning.ts')).createDatagramTuner(tuning);
}
