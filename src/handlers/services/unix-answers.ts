import { RateLimit } from '../../access/rate-limit.ts';
import { createFault } from '../../net/guard.ts';
import type { ReceivedMessage } from '../../native/messages.ts';
import { formatSender, UnixDatagramSocket } from '../../net/unix-datagrams.ts';
import type { Rate } from '../../quantities.ts';
import type { BoundListener, ServeHost, Service } from '../../serve/service.ts';
import {
  bindUnixDatagrams,
  type BoundUnixDatagrams,
  type UnixDatagramEndpoint,
} from '../../serve/unix-datagram-peers.ts';
import type { Answer } from './answers.ts';

const oncePerSecond: Rate = { count: 1, perMs: 1_000 };

/**
 * A socket of Unix datagrams that answers each by itself and remembers no sender. One without a name gets no answer.
 * A sender that does not take its answer holds up the others, as the system then holds up the senders: nothing is lost.
 */
class UnixAnswerListener implements BoundListener {
  readonly address: string;
  readonly #bound: BoundUnixDatagrams;
  readonly #socket: UnixDatagramSocket;
  readonly #host: ServeHost;
  readonly #answer: Answer;
  readonly #limit: RateLimit | undefined;
  readonly #tellings = new RateLimit(oncePerSecond);

  constructor(bound: BoundUnixDatagrams, host: ServeHost, answer: Answer, rate: Rate | undefined) {
    this.#bound = bound;
    this.#host = host;
    this.#answer = answer;
    this.#limit = rate && new RateLimit(rate);
    this.address = bound.address;
    host.ledger.datagrams({ taken: 0, dropped: 0 });
    this.#socket = new UnixDatagramSocket(bound.addon, bound.fd, {
      onMessage: (message) => {
        try {
          this.#receive(message);
        } catch (error) {
          host.fail(this.address, createFault(error));
        }
      },
      onError: (error) => host.fail(this.address, error),
    });
  }

  replaceService(service: Service): void {
    service.close();
  }

  changeFile(service?: Service): void {
    const { mode, owner } = service?.binding ?? {};
    this.#bound.changeFile({ mode, owner });
  }

  reloadAccess(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** Takes and sends nothing more. */
  close(): void {
    this.#bound.release();
    this.#socket.close();
  }

  #receive([bytes, name, pid, uid, gid]: ReceivedMessage): void {
    const remote = name ? formatSender(name) : this.address;
    if (this.#limit?.take('', performance.now()) === false) return this.#drop(remote);
    const reply = name && this.#answer(bytes);
    if (name && reply) {
      this.#socket.hold(true);
      // A sender that has left is not a failure of the service.
      this.#socket.send(reply, name, () => this.#socket.hold(false));
    }
    const sentBytes = reply?.length;
    const receivedBytes = bytes.length;
    this.#host.ledger.datagrams({ taken: 1, dropped: 0 }, { receivedBytes, sentBytes: sentBytes ?? 0 });
    if (this.#host.hears?.('datagram') === false) return;
    const answered = sentBytes === undefined ? {} : { sentBytes };
    this.#host.emit({ event: 'datagram', remote, receivedBytes, ...answered, pid, uid, gid });
  }

  #drop(remote: string): void {
    const { ledger, emit } = this.#host;
    const reason = 'more datagrams than --rate allows';
    ledger.datagrams({ taken: 0, dropped: 1 });
    ledger.refuse(reason);
    if (this.#tellings.take('', performance.now())) emit({ event: 'refused', remote, reason });
  }
}

/**
 * A function that binds a socket of Unix datagrams that are answered one by one.
 *
 * @param rate datagrams that may come; more are dropped. Undefined: no limit
 */
export function createUnixAnswerBind(answer: Answer, rate: Rate | undefined): NonNullable<Service['bind']> {
  return async ({ listen, binding }, host) =>
    new UnixAnswerListener(
      await bindUnixDatagrams(listen as UnixDatagramEndpoint, binding),
      host,
      answer,
      rate,
    );
}
