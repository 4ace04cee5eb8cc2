import dgram from 'node:dgram';
import { once } from 'node:events';

/** node:dgram's own types, so that no other folder imports it. */
export type { BindOptions, RemoteInfo, Socket as DatagramSocket, SocketOptions } from 'node:dgram';

/** Creates a UDP socket; see dgram.createSocket() in the Node documentation. */
export function createDatagramSocket(options: dgram.SocketOptions): dgram.Socket {
  return dgram.createSocket(options);
}

/**
 * Creates a UDP socket and binds it. Resolves with the bound socket, which belongs to the caller; rejects with the
 * error of binding (EADDRINUSE, EACCES, …), and then nothing stays open.
 */
export async function bindDatagram(options: dgram.SocketOptions & dgram.BindOptions): Promise<dgram.Socket> {
  const socket = dgram.createSocket(options);
  try {
    socket.bind(options);
    await once(socket, 'listening');
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}
