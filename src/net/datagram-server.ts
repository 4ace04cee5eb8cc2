import type { RemoteInfo, Socket } from 'node:dgram';
import { EventEmitter } from 'node:events';
import { formatHostPort } from '../address/endpoint.ts';
import { connectSocket, joinPeer } from './datagram.ts';
import { DatagramPeer, type DatagramChannel } from './datagram-peer.ts';
import { createFault } from './guard.ts';

/** The most peers that are remembered when no limit is given; the one silent for longest makes way. */
export const rememberedPeers = 1024;

/** A bound socket from which datagrams come, each with its sender. */
export interface DatagramCarrier<Sender> {
  /** Begins to deliver. */
  start(listeners: {
    readonly onDatagram: (datagram: Buffer, sender: Sender) => void;
    readonly onError: (error: Error) => void;
    readonly onClosed: () => void;
  }): void;
  /** Tells senders apart. */
  keyOf(sender: Sender): string;
  /** The sender as it is reported. */
  nameOf(sender: Sender): string;
  /** The sender's IP address, for access lists; '' for none. */
  addressOf(sender: Sender): string;
  /** Why a sender cannot have a peer. */
  judge(sender: Sender): string | undefined;
  /** What a sender's peer needs, except for how it is closed. */
  channelOf(sender: Sender): Omit<DatagramChannel, 'close'>;
  /** Makes the sender the only one, as far as the system does that. Rejects when it is not there any more. */
  lock(sender: Sender): Promise<void>;
  /** The stream of the only sender, which owns the socket; its datagrams are delivered to it. */
  join(sender: Sender, onClose: () => void): DatagramPeer;
  close(): void;
}

export interface DatagramServerOptions<Sender = RemoteInfo> {
  /** The first peer is the only one: the socket is connected to it. Default false. */
  readonly onlyFirst?: boolean | undefined;
  /** Datagrams of more peers than this are refused. Default: rememberedPeers, and the longest silent makes way. */
  readonly maxPeers?: number | undefined;
  /** Judges a sender's address: if it returns a reason, the datagrams are refused. */
  readonly admit?: ((address: string) => string | undefined) | undefined;
  /** Called for every datagram that is refused. */
  readonly onRefused?: ((sender: Sender, reason: string) => void) | undefined;
  /** Called with every new peer, which already holds its first datagram. */
  readonly onPeer: (peer: DatagramPeer) => void;
}

/**
 * The peers of a bound datagram socket, each as a stream of its own. Datagrams say neither hello nor goodbye: a peer
 * begins with its first datagram and is over when its stream is destroyed; another datagram makes it a new one.
 *
 * Emits 'error' with what the socket reports.
 */
export class PeerServer<Sender> extends EventEmitter {
  /** Datagrams of more peers than this are refused; undefined: rememberedPeers, and none are refused. */
  maxPeers: number | undefined;
  readonly #carrier: DatagramCarrier<Sender>;
  readonly #options: DatagramServerOptions<Sender>;
  /** By sender, the longest silent first. */
  readonly #peers = new Map<string, DatagramPeer>();
  /** Takes no more peers; the socket is closed with the last of them. */
  #isClosing = false;
  #isLocked = false;
  #onClosed: (() => void) | undefined;

  constructor(carrier: DatagramCarrier<Sender>, options: DatagramServerOptions<Sender>) {
    super();
    this.#carrier = carrier;
    this.#options = options;
    this.maxPeers = options.maxPeers;
    carrier.start({
      onDatagram: (datagram, sender) => {
        try {
          this.#receive(datagram, sender);
        } catch (error) {
          this.emit('error', createFault(error));
        }
      },
      onError: (error) => {
        if (!this.#isLocked) this.emit('error', error);
      },
      onClosed: () => this.#onClosed?.(),
    });
  }

  /** Takes no more peers. The socket is closed when the last existing one is destroyed. */
  close(callback?: () => void): void {
    this.#isClosing = true;
    this.#onClosed = callback;
    if (this.#peers.size === 0) this.#carrier.close();
  }

  #receive(datagram: Buffer, sender: Sender): void {
    const key = this.#carrier.keyOf(sender);
    const known = this.#peers.get(key);
    if (known) {
      this.#peers.delete(key);
      this.#peers.set(key, known);
      known.deliver(datagram);
      return;
    }
    const reason = this.#judge(sender);
    if (reason !== undefined) this.#options.onRefused?.(sender, reason);
    else if (this.#options.onlyFirst) this.#lock(key, sender, datagram);
    else this.#open(key, sender).deliver(datagram);
  }

  #judge(sender: Sender): string | undefined {
    const reason = this.#carrier.judge(sender);
    if (reason !== undefined) return reason;
    if (this.#isLocked) return 'another peer was first';
    if (this.#isClosing) return 'no more peers are taken';
    // The number first: a peer for which there is no room must not use up its rate.
    if (this.#peers.size >= (this.maxPeers ?? Infinity)) return 'too many peers';
    return this.#options.admit?.(this.#carrier.addressOf(sender));
  }

  #open(key: string, sender: Sender): DatagramPeer {
    if (this.maxPeers === undefined && this.#peers.size >= rememberedPeers) {
      const [silent] = this.#peers.values();
      silent?.push(null);
      silent?.destroy();
    }
    const peer = new DatagramPeer({
      ...this.#carrier.channelOf(sender),
      close: () => this.#forget(key),
    });
    this.#peers.set(key, peer);
    this.#options.onPeer(peer);
    return peer;
  }

  /** Gives the socket to its first peer. What the peer sends while the socket is being connected waits. */
  #lock(key: string, sender: Sender, first: Buffer): void {
    this.#isLocked = true;
    const waiting = [first];
    const hold = { deliver: (datagram: Buffer) => waiting.push(datagram) } as unknown as DatagramPeer;
    this.#peers.set(key, hold);
    const forget = () => void this.#peers.delete(key);
    const takeOver = () => this.#carrier.join(sender, forget);
    // One that has left already, or cannot be reached, is heard all the same: what is sent to it fails.
    const listenOn = () =>
      new DatagramPeer({
        ...this.#carrier.channelOf(sender),
        close: () => {
          forget();
          this.#carrier.close();
        },
      });
    this.#carrier
      .lock(sender)
      .then(takeOver, listenOn)
      .then((peer) => {
        this.#peers.set(key, peer);
        this.#options.onPeer(peer);
        for (const datagram of waiting) peer.deliver(datagram);
      })
      .catch((error: unknown) => this.emit('error', createFault(error)));
  }

  #forget(key: string): void {
    this.#peers.delete(key);
    if (this.#isClosing && this.#peers.size === 0) this.#carrier.close();
  }
}

/** The peers of a bound UDP socket. */
export class DatagramServer extends PeerServer<RemoteInfo> {
  readonly #socket: Socket;

  constructor(socket: Socket, options: DatagramServerOptions) {
    super(createUdpCarrier(socket), options);
    this.#socket = socket;
  }

  address(): ReturnType<Socket['address']> {
    return this.#socket.address();
  }
}

function createUdpCarrier(socket: Socket): DatagramCarrier<RemoteInfo> {
  return {
    start({ onDatagram, onError, onClosed }) {
      socket.on('message', onDatagram);
      socket.on('error', onError);
      socket.once('close', onClosed);
    },
    keyOf: ({ address, port }) => `${address} ${port}`,
    nameOf: ({ address, port }) => formatHostPort(address, port),
    addressOf: ({ address }) => address,
    // A forged datagram can have this source port; node:dgram throws at an answer to it.
    judge: ({ port }) => (port === 0 ? 'nobody can be answered at port 0' : undefined),
    channelOf({ address, port }) {
      const local = socket.address();
      return {
        remoteAddress: address,
        remotePort: port,
        localAddress: local.address,
        localPort: local.port,
        send: (datagram, done) => socket.send(datagram, port, address, done),
      };
    },
    lock: ({ address, port }) => connectSocket(socket, port, address),
    join: (_sender, onClose) => joinPeer(socket, onClose),
    close: () => void socket.close(),
  };
}
