import { EventEmitter } from 'node:events';
import { RateLimit } from '../../access/rate-limit.ts';
import type { DatagramSocket, RemoteInfo } from '../../net/datagram.ts';
import { createFault } from '../../net/guard.ts';
import { judgeSender } from '../../protocol/small-services/reflection.ts';
import type { Rate } from '../../quantities.ts';
import { formatHostPort } from '../../address/endpoint.ts';
import { bindEndpoint, type BindDatagramOptions, type UdpEndpoint } from '../../serve/serve-datagrams.ts';

export interface AnswerOptions {
  /** The answer to a datagram; undefined: none. */
  readonly answer: (datagram: Buffer) => Buffer | undefined;
  /** Datagrams that one address may send; more are dropped. Default: no limit. */
  readonly rate?: Rate | undefined;
  /** Judges a sender's address: a reason drops its datagrams. */
  readonly admit?: ((address: string) => string | undefined) | undefined;
  /** Told of every datagram that was taken; `sentBytes` is undefined when there was no answer. */
  readonly onDatagram?: (remote: string, receivedBytes: number, sentBytes: number | undefined) => void;
  /** Told of dropped datagrams: of each address once a minute, and of ten a second in all. */
  readonly onRefused?: ((remote: string, reason: string) => void) | undefined;
  /** Told of every datagram that was dropped. */
  readonly onDropped?: () => void;
}

/** What waits to be sent; an answer beyond it is dropped. */
const sendQueueBytes = 4 * 1024 * 1024;

/** What the system is asked to keep for us; it may give less. */
const receiveBufferBytes = 1024 * 1024;

const oncePerMinute: Rate = { count: 1, perMs: 60_000 };
const tenPerSecond: Rate = { count: 10, perMs: 1_000 };

/**
 * A UDP socket that answers each datagram by itself and remembers no sender, so that a flood of forged ones costs
 * nothing. No answer goes where it would be answered in turn (see judgeSender), nor to an address over its rate.
 *
 * Emits 'error' with what the socket reports.
 */
class DatagramResponder extends EventEmitter {
  readonly #socket: DatagramSocket;
  readonly #options: AnswerOptions;
  readonly #limit: RateLimit | undefined;
  readonly #tellings = new RateLimit(oncePerMinute);
  readonly #allTellings = new RateLimit(tenPerSecond);
  readonly #localPort: number;

  constructor(socket: DatagramSocket, options: AnswerOptions) {
    super();
    this.#socket = socket;
    this.#options = options;
    this.#limit = options.rate && new RateLimit(options.rate);
    this.#localPort = socket.address().port;
    socket.on('message', (datagram, remote) => {
      try {
        this.#receive(datagram, remote);
      } catch (error) {
        this.emit('error', createFault(error));
      }
    });
    socket.on('error', (error) => this.emit('error', error));
  }

  address(): ReturnType<DatagramSocket['address']> {
    return this.#socket.address();
  }

  /** Takes and sends nothing more. */
  close(callback?: () => void): void {
    this.#socket.close(callback);
  }

  #receive(datagram: Buffer, { address, port }: RemoteInfo): void {
    const { answer, onDatagram } = this.#options;
    const reason = this.#judge(address, port);
    if (reason !== undefined) return this.#drop(address, port, reason);
    const reply = answer(datagram);
    if (reply) {
      if (this.#socket.getSendQueueSize() + reply.length > sendQueueBytes) {
        return this.#drop(address, port, 'answers are not sent as fast as they are asked for');
      }
      // That one sender cannot be reached is no failure of the service.
      this.#socket.send(reply, port, address, () => undefined);
    }
    onDatagram?.(formatHostPort(address, port), datagram.length, reply?.length);
  }

  #judge(address: string, port: number): string | undefined {
    const reason =
      judgeSender({ address, port, localPort: this.#localPort }) ?? this.#options.admit?.(address);
    if (reason !== undefined) return reason;
    if (this.#limit?.take(address, performance.now()) ?? true) return undefined;
    return 'more datagrams than --rate allows';
  }

  #drop(address: string, port: number, reason: string): void {
    this.#options.onDropped?.();
    const now = performance.now();
    if (!this.#tellings.take(address, now) || !this.#allTellings.take('', now)) return;
    this.#options.onRefused?.(formatHostPort(address, port), reason);
  }
}

/**
 * Binds a UDP endpoint whose datagrams are answered one by one.
 *
 * @throws the system's error (`EADDRINUSE`, `EACCES`, …), or TnetError TNET_E_ADDRESS
 */
export async function serveAnswers(
  endpoint: UdpEndpoint,
  bindOptions: BindDatagramOptions,
  options: AnswerOptions,
): Promise<DatagramResponder> {
  const tuneDatagrams = (socket: DatagramSocket) => {
    // As far as the system lets it grow: a burst must not be lost while an answer is on its way.
    socket.setRecvBufferSize(receiveBufferBytes);
    bindOptions.tuneDatagrams?.(socket);
  };
  return new DatagramResponder(await bindEndpoint(endpoint, { ...bindOptions, tuneDatagrams }), options);
}
