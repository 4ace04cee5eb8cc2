import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import { bindDatagram } from './datagram.ts';
import { DatagramPeer } from './datagram-peer.ts';

export interface DatagramConnectOptions {
  /** A numeric address. */
  readonly address: string;
  readonly port: number;
  /** Where to send from. Default: the system's choice. */
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Sets the options of the socket, which is bound. Throws what connectDatagram() is to throw. */
  readonly tune?: ((socket: Socket) => void) | undefined;
}

/**
 * Opens a UDP socket that is connected to one peer: only that peer's datagrams come in, and an ICMP answer that
 * nobody listens destroys the stream with ECONNREFUSED. Destroying the stream closes the socket.
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

/** The stream of a connected socket's peer, which owns the socket. Datagrams are the caller's to deliver. */
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
