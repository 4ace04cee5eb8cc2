import { setTimeout as delay } from 'node:timers/promises';
import { dial } from '../endpoint/dial.ts';
import { formatEndpoint, type Endpoint } from '../endpoint/endpoint.ts';
import { errorCode } from '../errors.ts';
import type { Socket } from '../net/index.ts';
import { describeError } from '../report/sentences.ts';
import type { ProxyHost } from './host.ts';

/** A connection to a target. The socket is the caller's to close; `release` is to be called once it is over. */
export interface OpenUpstream {
  readonly socket: Socket;
  readonly target: string;
  readonly release?: () => void;
}

/** Who asks for a target. */
export interface UpstreamRequest {
  /** The connection's number, for what is reported. */
  readonly id: number;
  /** The client's address without its port. */
  readonly clientHost: string;
}

/** Where a pair's clients are connected to. */
export interface Upstream {
  /** Connects to a target. Undefined when none accepted; then each one's failure has been reported. */
  open(request: UpstreamRequest): Promise<OpenUpstream | undefined>;
  /** Ends its checks and timers. Connections go on. */
  close(): void;
}

/** How long a dial waits for a free descriptor before it looks again. */
const descriptorWaitMs = 50;

/** An upstream of one target. */
export function createDirectUpstream(target: Endpoint, timeoutMs: number, host: ProxyHost): Upstream {
  return {
    async open({ id }) {
      const subject = formatEndpoint(target);
      try {
        return { socket: await dialTarget(target, timeoutMs, host), target: subject };
      } catch (error) {
        if (!host.signal.aborted) host.fail(subject, error, id);
        return undefined;
      }
    },
    close: () => undefined,
  };
}

/**
 * Connects to a target. When the process has no free descriptor, it waits for one: the client has been accepted, and
 * another one will leave.
 *
 * @throws as dial() does
 */
export async function dialTarget(target: Endpoint, timeoutMs: number, host: ProxyHost): Promise<Socket> {
  const { signal, family, numericOnly } = host;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await dial(target, {
        family,
        numericOnly,
        signal,
        timeoutMs: Math.max(1, Math.ceil(deadline - performance.now())),
        onAttempt: (address) => host.emit({ event: 'attempt', address }),
        onAttemptFailed(address, error) {
          const code = errorCode(error) ?? 'ERROR';
          host.emit({ event: 'attempt-failed', address, code, message: describeError(error) });
        },
      });
    } catch (error) {
      const isExhausted = errorCode(error) === 'EMFILE' || errorCode(error) === 'ENFILE';
      if (!isExhausted || performance.now() + descriptorWaitMs >= deadline) throw error;
      await delay(descriptorWaitMs, undefined, { signal });
    }
  }
}
