import type dgram from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { DatagramPeer } from './datagram-peer.ts';
import { type Block, parseBlock, wholeAddress } from '../address/prefix.ts';

export interface DatagramConnectOptions {
  /** A numeric address. */
  readonly address: string;
  readonly port: number;
  /** The address to send from. Default: the system's choice. */
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Sets the options of the socket, which is bound. Throws what connectDatagram() should throw. */
  readonly tune?: ((socket: Socket) => void) | undefined;
}

/**
 * Opens a UDP socket that is connected to one peer: only that peer's datagrams come in, and an ICMP answer that
 * nothing listens there destroys the stream with ECONNREFUSED. Destroying the stream closes the socket.
 *
 * @throws the system's error: EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH, …
 */
export async function connectDatagram(options: DatagramConnectOptions): Promise<DatagramPeer> {
  const type = options.address.includes(':') ? 'udp6' : 'udp4';
  const any = type === 'udp6' ? '::' : '0.0.0.0';
  const socket = await bindDatagram({
    type,
    address: options.localAddress ?? any,
    port: options.localPort ?? 0,
  });
  try {
    options.tune?.(socket);
    await connectSocket(socket, options.port, options.address);
    const peer = joinPeer(socket);
    socket.on('message', (datagram) => peer.deliver(datagram));
    return peer;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** Connects a bound socket: from here on it has one peer. */
export async function connectSocket(socket: Socket, port: number, address: string): Promise<void> {
  const connected = once(socket, 'connect');
  socket.connect(port, address);
  await connected;
}

/** The stream of a connected socket's peer, which owns the socket. The caller delivers the datagrams. */
export function joinPeer(socket: Socket, onClose?: () => void): DatagramPeer {
  const remote = socket.remoteAddress();
  const local = socket.address();
  const peer = new DatagramPeer({
    remoteAddress: remote.address,
    remotePort: remote.port,
    localAddress: local.address,
    localPort: local.port,
    send: (datagram, done) => socket.send(datagram, done),
    close() {
      socket.close();
      onClose?.();
    },
  });
  socket.on('error', (error) => peer.destroy(error));
  return peer;
}

/** node:dgram's own types, so that no other folder imports it. */
export type { RemoteInfo, Socket as DatagramSocket } from 'node:dgram';

/**
 * Creates a UDP socket and binds it. A multicast group may have many members on one machine, and each gets all that
 * is sent to it; any other address has one socket, since a second one could only steal datagrams from it. Resolves
 * with the bound socket, which belongs to the caller; rejects with the error of binding (EADDRINUSE, EACCES, …),
 * and then nothing stays open.
 */
export async function bindDatagram(options: dgram.SocketOptions & dgram.BindOptions): Promise<dgram.Socket> {
  // Loaded when it is used: a start without datagrams is half a millisecond sooner.
  const { createSocket } = process.getBuiltinModule('node:dgram');
  const socket = createSocket({ reuseAddr: isGroup(options.address), ...options });
  try {
    socket.bind(options);
    await once(socket, 'listening');
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

let groups: readonly Block[] | undefined;

/**
 * Joins the multicast group that a socket is bound to: without it the system delivers nothing to the socket. On the
 * interface of the route to the group, or of an IPv6 address's zone. Does nothing for any other address. When it
 * fails, the socket is closed.
 *
 * @throws the system's error: ENODEV when no interface leads to the group
 */
export function joinOwnGroup(socket: dgram.Socket, address: string): void {
  const prefix = wholeAddress(address);
  if (!prefix || !isGroup(address)) return;
  try {
    socket.addMembership(prefix.text, prefix.zone === undefined ? undefined : `::%${prefix.zone}`);
  } catch (error) {
    socket.close();
    throw error;
  }
}

function isGroup(address = ''): boolean {
  const prefix = wholeAddress(address);
  groups ??= ['224.0.0.0/4', 'ff00::/8'].map(parseBlock);
  return prefix !== undefined && groups.some((group) => group.covers(prefix));
}

/** The number of a bound socket's descriptor; undefined without one. The socket still closes it. */
export function descriptorOfDatagrams(socket: dgram.Socket): number | undefined {
  // node:dgram keeps its handle under a symbol, and the old property prints a warning.
  const state = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol');
  if (state === undefined) return undefined;
  const { handle } = (socket as unknown as Record<symbol, { handle: { fd?: number } | null }>)[state] ?? {};
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}
