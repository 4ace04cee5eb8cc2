import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../../net/connection.ts';
import { dial, type DialOptions } from '../../../dial/dial.ts';
import { formatTargetEndpoint, type Endpoint } from '../../../address/endpoint.ts';
import { errorCode } from '../../../errors.ts';
import type { Socket } from '../../../net/index.ts';
import { describeError } from '../../../report/sentences.ts';
import type { ProxyHost } from '../host.ts';
import type { SecureTarget } from '../secure.ts';
import type { JudgeTarget } from './rules.ts';

/** How a connection to a target has gone, as far as only UDP shows it after the dial. */
export interface Experience {
  readonly answered: boolean;
  readonly refused: boolean;
}

/**
 * A connection to a target, or what takes its place. The socket is the caller's to close; `release` is to be called once
 * it is over.
 */
export interface OpenUpstream {
  readonly socket: Connection;
  readonly target: string;
  readonly release?: (experience: Experience) => void;
}

/** Who asks for a target. */
export interface UpstreamRequest {
  /** The connection's number, for what is reported. */
  readonly id: number;
  /** The client's address without its port. */
  readonly clientHost: string;
  /** What the listener that it came to has bound, as it is said. */
  readonly listener: string;
  /** What the target is told before all else, TLS included. */
  readonly head?: Buffer | undefined;
}

/** How targets are connected to. */
export interface DialPlan {
  readonly host: ProxyHost;
  /** Limit for DNS, connecting and TLS together, in milliseconds. */
  readonly timeoutMs: number;
  /** Makes the target speak TLS; undefined: plain. */
  readonly secure?: SecureTarget | undefined;
}

/** Where a pair's clients are connected to. */
export interface Upstream {
  /** Connects to a target. Undefined when none accepted; then each one's failure has been reported. */
  open(request: UpstreamRequest): Promise<OpenUpstream | undefined>;
  /** Ends its checks and timers. Connections go on. */
  close(): void;
}

/** What a connection to a target is made with. */
export interface ConnectOptions {
  readonly head?: Buffer | undefined;
  readonly name?: string | undefined;
  readonly judge?: JudgeTarget | undefined;
}

/** How long a dial waits for a free descriptor before it looks again. */
const descriptorWaitMs = 50;

/** An upstream of one target. */
export function createDirectUpstream(target: Endpoint, plan: DialPlan): Upstream {
  const { host } = plan;
  return {
    async open({ id, head, listener }) {
      const subject = formatTargetEndpoint(target);
      try {
        const judge = judgeLoops(host, listener);
        return { socket: await connectTarget(target, plan, { head, judge }), target: subject };
      } catch (error) {
        if (!host.signal.aborted) host.fail(subject, error, id);
        return undefined;
      }
    },
    close: () => undefined,
  };
}

/** Keeps the clients of a listener from being led back to it. */
export function judgeLoops({ loops }: ProxyHost, listener: string): JudgeTarget | undefined {
  return loops && ((destination) => loops.judge(listener, destination));
}

/**
 * Connects to a target, tells it its head, and makes it speak TLS if that is planned.
 *
 * @param name what the target's certificate must be for. Default: the host that is dialled
 * @param judge forbids addresses. Default: none
 * @throws as dial() and secureClient() do; then nothing stays open
 */
export async function connectTarget(
  target: Endpoint,
  { host, timeoutMs, secure }: DialPlan,
  { head, name, judge }: ConnectOptions,
): Promise<Connection> {
  if (target.kind === 'udp') return dialDatagramTarget(target, timeoutMs, host, judge);
  const deadline = performance.now() + timeoutMs;
  const socket = await dialTarget(target, timeoutMs, host, judge);
  if (head) socket.write(head);
  if (!secure) return socket;
  try {
    const dialled = target.kind === 'tcp' ? target.host : undefined;
    const leftMs = Math.max(1, deadline - performance.now());
    await secure(socket, name ?? dialled ?? 'localhost', leftMs, host.signal);
    return socket;
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw error;
  }
}

/**
 * Connects to a target. When the process has no free descriptor, it waits for one: the client has been accepted, and
 * another one will leave.
 *
 * @throws as dial() does
 */
async function dialTarget(
  target: Endpoint,
  timeoutMs: number,
  host: ProxyHost,
  judge?: JudgeTarget,
): Promise<Socket> {
  const judgeStream: DialOptions['judge'] =
    judge && ((address, port) => judge({ transport: 'stream', address, port }));
  return dialWhenPossible(timeoutMs, host, (options) => dial(target, { ...options, judge: judgeStream }));
}

/** As dialTarget(), for UDP: says nothing of whether anybody is there. */
async function dialDatagramTarget(
  target: Extract<Endpoint, { kind: 'udp' }>,
  timeoutMs: number,
  host: ProxyHost,
  judge?: JudgeTarget,
): Promise<Connection> {
  const { dialDatagram } = await import('../../../dial/dial-datagram.ts');
  const judgeDatagram: DialOptions['judge'] =
    judge && ((address, port) => judge({ transport: 'datagram', address, port }));
  return dialWhenPossible(timeoutMs, host, (options) =>
    dialDatagram(target, { ...options, judge: judgeDatagram }),
  );
}

async function dialWhenPossible<Opened>(
  timeoutMs: number,
  host: ProxyHost,
  open: (options: DialOptions) => Promise<Opened>,
): Promise<Opened> {
  const { signal, family, numericOnly } = host;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await open({
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
