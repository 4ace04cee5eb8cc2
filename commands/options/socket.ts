import type { DatagramSocket } from '../../src/net/datagram.ts';
import type { Socket } from '../../src/net/index.ts';
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
  const { nodelay, keepalive, tos, rcvbuf, sndbuf, ttl, linger } = flags;
  if ([nodelay, keepalive, tos, rcvbuf, sndbuf, ttl, linger].every((value) => value === undefined)) {
    return undefined;
  }
  const { createTuner } = await import('../../src/net/socket-tuning.ts');
  return createTuner({
    noDelay: nodelay,
    keepAlive: keepalive,
    typeOfService: tos,
    receiveBufferBytes: rcvbuf,
    sendBufferBytes: sndbuf,
    hopLimit: ttl,
    lingerSeconds: linger,
  });
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
  if (tos === undefined && ttl === undefined) return undefined;
  const { createDatagramTuner } = await import('../../src/net/socket-tuning.ts');
  return createDatagramTuner({ typeOfService: tos, hopLimit: ttl });
}
