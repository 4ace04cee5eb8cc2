import { formatEndpoint } from '../address/endpoint.ts';
import { TnetError } from '../errors.ts';
import type { NativeAddon } from '../native/addon.ts';
import { socketKinds, type ReceivedMessage } from '../native/messages.ts';
import { DatagramPeer, maxUnixMessageBytes, type DatagramChannel } from './datagram-peer.ts';
import type { DatagramCarrier } from './datagram-server.ts';
import { guarded } from './guard.ts';
import { calling, nameBytes, openMessageSocket, requireMessages } from './message-calls.ts';
import { WatchedDescriptor } from './watched-descriptor.ts';

type Done = (error: Error | null) => void;

/** How many messages are received before others have their turn. */
const atOnce = 64;

/** The waits for a receiver whose queue is full, which the system does not announce. */
const firstWaitMs = 1;
const longestWaitMs = 50;

interface UnixDatagramListeners {
  readonly onMessage: (message: ReceivedMessage) => void;
  readonly onError: (error: Error) => void;
}

/** A socket of Unix datagrams, which are lost neither here nor by the system: what nobody reads holds its senders up. */
export class UnixDatagramSocket {
  readonly #descriptor: WatchedDescriptor;
  readonly #listeners: UnixDatagramListeners;
  /** The readers that have too much already. */
  #holders = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(addon: NativeAddon, fd: number, listeners: UnixDatagramListeners) {
    this.#listeners = listeners;
    this.#descriptor = new WatchedDescriptor(addon, fd, {
      onReadable: () => this.#receive(),
      onWritable: () => {
        for (const retry of this.#waiting.splice(0)) retry();
      },
    });
    this.#descriptor.awaitReadable(true);
  }

  /** @param name to whom; undefined: to whom the socket is connected */
  send(bytes: Buffer, name: Buffer | undefined, done: Done, waitMs = firstWaitMs): void {
    if (this.#descriptor.isClosed) return done(null);
    try {
      if (this.#descriptor.send(bytes, name)) return done(null);
    } catch (error) {
      return done(error as Error);
    }
    const retry = () => this.send(bytes, name, done, Math.min(waitMs * 2, longestWaitMs));
    if (name) {
      setTimeout(guarded(retry), waitMs);
      return;
    }
    this.#waiting.push(retry);
    this.#descriptor.awaitWritable();
  }

  hold(isFull: boolean): void {
    this.#holders += isFull ? 1 : -1;
    if (!this.#descriptor.isClosed) this.#descriptor.awaitReadable(this.#holders === 0);
  }

  close(): void {
    this.#descriptor.close();
  }

  #receive(): void {
    for (let left = atOnce; left > 0 && this.#holders === 0 && !this.#descriptor.isClosed; left--) {
      let message;
      try {
        message = this.#descriptor.receive();
      } catch (error) {
        this.#listeners.onError(error as Error);
        return;
      }
      if (!message) return;
      this.#listeners.onMessage(message);
    }
  }
}

/**
 * Connects to a socket of Unix datagrams. The system gives our side an abstract name, so that it can be answered.
 * Destroying the stream closes the socket.
 *
 * @throws the system's error: ECONNREFUSED when nobody has bound the path any more, ENOENT, EPROTOTYPE for a socket of
 *   another kind; TnetError TNET_E_UNSUPPORTED without the addon
 */
export function connectUnixDatagram(path: string): DatagramPeer {
  const addon = requireMessages(formatEndpoint({ kind: 'unix-dgram', path }));
  const fd = openMessageSocket(addon, socketKinds.datagram, (opened) => {
    addon.tellsSenders(opened);
    addon.bindUnix(opened, nameBytes(''));
    addon.connectUnix(opened, nameBytes(path));
    return opened;
  });
  return joinSocket(
    (listeners) => new UnixDatagramSocket(addon, fd, listeners),
    (socket) => ({ send: (bytes, done) => socket.send(bytes, undefined, done) }),
  );
}

function joinSocket(
  open: (listeners: UnixDatagramListeners) => UnixDatagramSocket,
  describe: (socket: UnixDatagramSocket) => Pick<DatagramChannel, 'send'>,
): DatagramPeer {
  const socket = open({
    onMessage: ([bytes]) => peer.deliver(bytes),
    onError: (error) => peer.destroy(error),
  });
  const peer: DatagramPeer = new DatagramPeer({
    ...describe(socket),
    mostBytes: maxUnixMessageBytes,
    hold: (isFull) => socket.hold(isFull),
    close: () => socket.close(),
  });
  return peer;
}

/**
 * A bound socket of Unix datagrams as the carrier of its peers. Senders without a name, which cannot be answered, are
 * told apart by their process.
 *
 * @param fd becomes the carrier's own
 * @param onClose called when it is closed
 */
export function createUnixCarrier(
  addon: NativeAddon,
  fd: number,
  listener: string,
  onClose: () => void,
): DatagramCarrier<ReceivedMessage> {
  let socket: UnixDatagramSocket;
  let onClosed = (): void => undefined;
  const close = () => {
    onClose();
    socket.close();
    onClosed();
  };
  const keyOf = ([, name, pid]: ReceivedMessage) => name?.toString('latin1') ?? `pid ${pid}`;
  const channelOf = ([, name, pid, uid, gid]: ReceivedMessage): Omit<DatagramChannel, 'close'> => ({
    peerName: name && formatSender(name),
    credentials: { pid, uid, gid },
    mostBytes: maxUnixMessageBytes,
    send(bytes, done) {
      if (name) socket.send(bytes, name, done);
      else done(createNamelessError());
    },
    hold: (isFull) => socket.hold(isFull),
  });
  return {
    start(listeners) {
      onClosed = listeners.onClosed;
      socket = new UnixDatagramSocket(addon, fd, {
        onMessage: (message) => listeners.onDatagram(message[0], message),
        onError: listeners.onError,
      });
    },
    keyOf,
    nameOf: ([, name, pid]) => (name ? formatSender(name) : `${listener} (pid ${pid})`),
    addressOf: () => '',
    judge: () => undefined,
    channelOf,
    // The system then refuses the messages of others; those of a client without a name are not told from theirs.
    lock: ([, name]) =>
      new Promise((resolve) => {
        if (name) calling(() => addon.connectUnix(fd, name));
        resolve();
      }),
    join: (sender, forget) =>
      new DatagramPeer({
        ...channelOf(sender),
        close() {
          close();
          forget();
        },
      }),
    close,
  };
}

/** A sender's name as the user would write it. */
export function formatSender(name: Buffer): string {
  return formatEndpoint({ kind: 'unix-dgram', path: name.toString() });
}

function createNamelessError(): TnetError {
  return new TnetError('TNET_E_UNSENT', 'the client has no name, so nothing can be sent to it');
}
