import dgram from 'node:dgram';
import { once } from 'node:events';
import { parseBlock, wholeAddress } from '../address/prefix.ts';

/** node:dgram's own types, so that no other folder imports it. */
export type { RemoteInfo, Socket as DatagramSocket } from 'node:dgram';

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

const groups = ['224.0.0.0/4', 'ff00::/8'].map(parseBlock);

/**
 * Joins the multicast group that a socket is bound to: without it the system gives the socket nothing. On the interface
 * of the route to the group, or of an IPv6 address's zone. Does nothing for any other address. When it fails, the socket
 * is closed.
 *
 * @throws the system's error: ENODEV where no interface leads to the group
 */
export function joinOwnGroup(socket: dgram.Socket, address: string): void {
  const prefix = wholeAddress(address);
  if (!prefix || !groups.some((group) => group.covers(prefix))) return;
  try {
    socket.addMembership(prefix.text, prefix.zone === undefined ? undefined : `::%${prefix.zone}`);
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** The number of a bound socket's descriptor; undefined without one. It stays the socket's to close. */
export function descriptorOfDatagrams(socket: dgram.Socket): number | undefined {
  // node:dgram has its handle behind a symbol, and a warning before the property of old.
  const state = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol');
  if (state === undefined) return undefined;
  const { handle } = (socket as unknown as Record<symbol, { handle: { fd?: number } | null }>)[state] ?? {};
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}
