import type { AccessList } from '../../access/access-list.ts';
import { RateLimit } from '../../access/rate-limit.ts';
import type { DatagramSocket, RemoteInfo } from '../../net/datagram.ts';
import { createFault } from '../../net/guard.ts';
import { judgeSender } from '../../protocol/small-services/reflection.ts';
import { answerDatagram, type ServiceName } from '../../protocol/small-services/services.ts';
import type { Rate } from '../../quantities.ts';
import { formatHostPort } from '../../address/endpoint.ts';
import { bindEndpoint, type UdpEndpoint } from '../../serve/datagram-listener.ts';
import type { BoundListener, ServeHost, Service } from '../../serve/service.ts';

/** How much may wait to be sent; an answer beyond it is dropped. */
const sendQueueBytes = 4 * 1024 * 1024;

/** What the system is asked to keep for us; it may give less. */
const receiveBufferBytes = 1024 * 1024;

const oncePerMinute: Rate = { count: 1, perMs: 60_000 };
const tenPerSecond: Rate = { count: 10, perMs: 1_000 };

/**
 * A UDP socket that answers each datagram by itself and remembers no sender, so that a flood of forged ones costs
 * nothing. No answer goes where it would be answered in turn (see judgeSender), nor to an address over its rate.
 * Dropped datagrams are reported once a minute for each address, and for ten addresses a second in all.
 */
class AnswerListener implements BoundListener {
  readonly address: string;
  readonly #socket: DatagramSocket;
  readonly #answer: Answer;
  readonly #limit: RateLimit | undefined;
  readonly #host: ServeHost;
  #service: Service;
  readonly #tellings = new RateLimit(oncePerMinute);
  readonly #allTellings = new RateLimit(tenPerSecond);
  readonly #localPort: number;

  constructor(socket: DatagramSocket, service: Service, host: ServeHost, { answer, rate }: AnswerOptions) {
    this.#socket = socket;
    this.#answer = answer;
    this.#limit = rate && new RateLimit(rate);
    this.#service = service;
    this.#host = host;
    this.#localPort = socket.address().port;
    this.address = `udp://${formatHostPort(socket.address().address, this.#localPort)}`;
    // Such a service is reported with its datagrams from the beginning.
    host.ledger.datagrams({ taken: 0, dropped: 0 });
    socket.on('message', (datagram, remote) => {
      try {
        this.#receive(datagram, remote);
      } catch (error) {
        host.fail(this.address, createFault(error));
      }
    });
    socket.on('error', (error) => host.fail(this.address, error));
  }

  replaceService(service: Service): void {
    this.#service = service;
  }

  async reloadAccess(): Promise<AccessList | undefined> {
    const { access } = this.#service;
    await access?.reload();
    return access;
  }

  /** Takes and sends nothing more. */
  close(): void {
    this.#socket.close();
  }

  #receive(datagram: Buffer, { address, port }: RemoteInfo): void {
    const reason = this.#judge(address, port);
    if (reason !== undefined) return this.#drop(address, port, reason);
    const reply = this.#answer(datagram);
    if (reply) {
      if (this.#socket.getSendQueueSize() + reply.length > sendQueueBytes) {
        return this.#drop(address, port, 'answers are not sent as fast as they are asked for');
      }
      // A sender that cannot be reached is not a failure of the service.
      this.#socket.send(reply, port, address, () => undefined);
    }
    const sentBytes = reply?.length;
    const receivedBytes = datagram.length;
    this.#host.ledger.datagrams({ taken: 1, dropped: 0 }, { receivedBytes, sentBytes: sentBytes ?? 0 });
    if (this.#host.hears?.('datagram') === false) return;
    const remote = formatHostPort(address, port);
    this.#host.emit({
      event: 'datagram',
      remote,
      receivedBytes,
      ...(sentBytes !== undefined && { sentBytes }),
    });
  }

  #judge(address: string, port: number): string | undefined {
    const reason =
      judgeSender({ address, port, localPort: this.#localPort }) ?? this.#service.access?.judge(address);
    if (reason !== undefined) return reason;
    if (this.#limit?.take(address, performance.now()) ?? true) return undefined;
    return 'more datagrams than --rate allows';
  }

  #drop(address: string, port: number, reason: string): void {
    const { ledger, emit } = this.#host;
    ledger.datagrams({ taken: 0, dropped: 1 });
    ledger.refuse(reason);
    const now = performance.now();
    if (!this.#tellings.take(address, now) || !this.#allTellings.take('', now)) return;
    emit({ event: 'refused', remote: formatHostPort(address, port), reason });
  }
}

/** The answer to a datagram; undefined: none. */
export type Answer = (datagram: Buffer) => Buffer | undefined;

interface AnswerOptions {
  readonly answer: Answer;
  /** Datagrams that one address may send; more are dropped. Undefined: no limit. */
  readonly rate: Rate | undefined;
}

/** What a small service answers. */
export function createAnswer(service: ServiceName, quotes: readonly Buffer[]): Answer {
  return (datagram) => answerDatagram(service, datagram, { at: new Date(), random: Math.random(), quotes });
}

/**
 * A function that binds a UDP endpoint whose datagrams are answered one by one, by a small service.
 *
 * @param rate datagrams that one address may send; more are dropped. Undefined: no limit
 */
export function createAnswerBind(
  service: ServiceName,
  quotes: readonly Buffer[],
  rate: Rate | undefined,
): NonNullable<Service['bind']> {
  const answer = createAnswer(service, quotes);
  return async (asked, host) => {
    const { tuneDatagrams, group } = asked;
    const tuneAnswers = (socket: DatagramSocket) => {
      // As far as the system lets it grow: a burst must not be lost while an answer is on its way.
      socket.setRecvBufferSize(receiveBufferBytes);
      tuneDatagrams?.(socket);
    };
    const socket = await bindEndpoint(asked.listen as UdpEndpoint, {
      ...host,
      tuneDatagrams: tuneAnswers,
      group,
    });
    return new AnswerListener(socket, asked, host, { answer, rate });
  };
}
