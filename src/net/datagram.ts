import type dgram from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { DatagramPeer } from './datagram-peer.ts';
import { chooseSource, isGroup, judgeAudience, prepareSender, type GroupValues } from './groups.ts';

export interface DatagramConnectOptions {
  /** A numeric address. */
  readonly address: string;
  readonly port: number;
  /** The address to send from. Default: the system's choice. */
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** How a group or a broadcast address is sent to. */
  readonly group?: GroupValues | undefined;
  /** Sets the options of the socket, which is bound. Throws what connectDatagram() should throw. */
  readonly tune?: ((socket: Socket) => void) | undefined;
}

/**
 * Opens a UDP socket that is connected to one peer: only that peer's datagrams come in, and an ICMP answer that
 * nothing listens there destroys the stream with ECONNREFUSED. Destroying the stream closes the socket.
 *
 * A multicast group, or a broadcast address that is allowed, is no peer that could answer: what is sent to it is answered
 * from other addresses, so the socket is not connected, and takes what anyone sends to it; 'answer' (address, port, bytes)
 * reports from whom.
 *
 * @throws the system's error: EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH, …; TnetError TNET_E_USAGE for a broadcast address that
 *   is not allowed, TNET_E_ADDRESS for an interface that there is not
 */
export async function connectDatagram(options: DatagramConnectOptions): Promise<DatagramPeer> {
  const { address, port, group } = options;
  const type = address.includes(':') ? 'udp6' : 'udp4';
  const any = type === 'udp6' ? '::' : '0.0.0.0';
  const audience = judgeAudience(address, group);
  const socket = await bindDatagram({
    type,
    address: options.localAddress ?? chooseSource(audience, group) ?? any,
    port: options.localPort ?? 0,
  });
  try {
    options.tune?.(socket);
    if (audience !== 'one') {
      prepareSender(socket, address, group);
      return addressAll(socket, address, port);
    }
    await connectSocket(socket, port, address);
    const peer = joinPeer(socket);
    socket.on('message', (datagram) => peer.deliver(datagram));
    return peer;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** All who get what is sent to an address, as one peer, which owns the socket. */
function addressAll(socket: Socket, address: string, port: number): DatagramPeer {
  const local = socket.address();
  const peer = new DatagramPeer({
    remoteAddress: address,
    remotePort: port,
    localAddress: local.address,
    localPort: local.port,
    send: (datagram, done) => socket.send(datagram, port, address, done),
    close: () => socket.close(),
  });
  socket.on('message', (datagram, remote) => {
    peer.emit('answer', remote.address, remote.port, datagram.length);
    peer.deliver(datagram);
  });
  socket.on('error', (error) => peer.destroy(error));
  return peer;
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

/** The number of a bound socket's descriptor; undefined without one. The socket still closes it. */
export function descriptorOfDatagrams(socket: dgram.Socket): number | undefined {
  // node:dgram keeps its handle under a symbol, and the old property prints a warning.
  const state = Object.getOwnPropertySymbols(socket).find((symbol) => symbol.description === 'state symbol');
  if (state === undefined) return undefined;
  const { handle } = (socket as unknown as Record<symbol, { handle: { fd?: number } | null }>)[state] ?? {};
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}
