import type { RemoteInfo, Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { connectSocket, joinPeer } from './datagram.ts';
import { DatagramPeer } from './datagram-peer.ts';
import { createFault } from './guard.ts';

/** The most peers that are remembered when no limit is given; the one silent for longest makes way. */
export const rememberedPeers = 1024;

export interface DatagramServerOptions {
  /** The first peer is the only one: the socket is connected to it. Default false. */
  readonly onlyFirst?: boolean | undefined;
  /** Datagrams of more peers than this are refused. Default: rememberedPeers, and the longest silent makes way. */
  readonly maxPeers?: number | undefined;
  /** Judges a sender's address: if it returns a reason, the datagrams are refused. */
  readonly admit?: ((address: string) => string | undefined) | undefined;
  /** Called for every datagram that is refused. */
  readonly onRefused?: ((remote: RemoteInfo, reason: string) => void) | undefined;
  /** Called with every new peer, which already holds its first datagram. */
  readonly onPeer: (peer: DatagramPeer) => void;
}

/**
 * The peers of a bound UDP socket, each as a stream of its own. UDP says neither hello nor goodbye: a peer begins with
 * its first datagram and is over when its stream is destroyed; another datagram makes it a new one.
 *
 * Emits 'error' with what the socket reports.
 */
export class DatagramServer extends EventEmitter {
  /** Datagrams of more peers than this are refused; undefined: rememberedPeers, and none are refused. */
  maxPeers: number | undefined;
  readonly #socket: Socket;
  readonly #options: DatagramServerOptions;
  /** By sender, the longest silent first. */
  readonly #peers = new Map<string, DatagramPeer>();
  /** Takes no more peers; the socket is closed with the last of them. */
  #isClosing = false;
  #isLocked = false;
  #onClosed: (() => void) | undefined;

  constructor(socket: Socket, options: DatagramServerOptions) {
    super();
    this.#socket = socket;
    this.#options = options;
    this.maxPeers = options.maxPeers;
    socket.on('message', (datagram, remote) => {
      try {
        this.#receive(datagram, remote);
      } catch (error) {
        this.emit('error', createFault(error));
      }
    });
    socket.on('error', (error) => {
      if (!this.#isLocked) this.emit('error', error);
    });
    socket.once('close', () => this.#onClosed?.());
  }

  address(): ReturnType<Socket['address']> {
    return this.#socket.address();
  }

  /** Takes no more peers. The socket is closed when the last existing one is destroyed. */
  close(callback?: () => void): void {
    this.#isClosing = true;
    this.#onClosed = callback;
    if (this.#peers.size === 0) this.#socket.close();
  }

  #receive(datagram: Buffer, remote: RemoteInfo): void {
    const key = `${remote.address} ${remote.port}`;
    const known = this.#peers.get(key);
    if (known) {
      this.#peers.delete(key);
      this.#peers.set(key, known);
      known.deliver(datagram);
      return;
    }
    const reason = this.#judge(remote);
    if (reason !== undefined) this.#options.onRefused?.(remote, reason);
    else if (this.#options.onlyFirst) this.#lock(key, remote, datagram);
    else this.#open(key, remote).deliver(datagram);
  }

  #judge({ address, port }: RemoteInfo): string | undefined {
    // A forged datagram can have this source port; node:dgram throws at an answer to it.
    if (port === 0) return 'nobody can be answered at port 0';
    if (this.#isLocked) return 'another peer was first';
    if (this.#isClosing) return 'no more peers are taken';
    // The number first: a peer for which there is no room must not use up its rate.
    if (this.#peers.size >= (this.maxPeers ?? Infinity)) return 'too many peers';
    return this.#options.admit?.(address);
  }

  #open(key: string, remote: RemoteInfo): DatagramPeer {
    if (this.maxPeers === undefined && this.#peers.size >= rememberedPeers) {
      const [silent] = this.#peers.values();
      silent?.push(null);
      silent?.destroy();
    }
    const local = this.#socket.address();
    const peer = new DatagramPeer({
      remoteAddress: remote.address,
      remotePort: remote.port,
      localAddress: local.address,
      localPort: local.port,
      send: (datagram, done) => this.#socket.send(datagram, remote.port, remote.address, done),
      close: () => this.#forget(key),
    });
    this.#peers.set(key, peer);
    this.#options.onPeer(peer);
    return peer;
  }

  /** Gives the socket to its first peer. What the peer sends while the socket is being connected waits. */
  #lock(key: string, remote: RemoteInfo, first: Buffer): void {
    this.#isLocked = true;
    const waiting = [first];
    const hold = { deliver: (datagram: Buffer) => waiting.push(datagram) } as unknown as DatagramPeer;
    this.#peers.set(key, hold);
    connectSocket(this.#socket, remote.port, remote.address)
      .then(
        () => {
          const peer = joinPeer(this.#socket, () => this.#peers.delete(key));
          this.#peers.set(key, peer);
          this.#options.onPeer(peer);
          for (const datagram of waiting) peer.deliver(datagram);
        },
        (error: unknown) => {
          this.#isLocked = false;
          this.#peers.delete(key);
          this.emit('error', error);
        },
      )
      .catch((error: unknown) => this.emit('error', createFault(error)));
  }

  #forget(key: string): void {
    this.#peers.delete(key);
    if (this.#isClosing && this.#peers.size === 0) this.#socket.close();
  }
}
