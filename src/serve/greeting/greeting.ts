import type { Socket } from '../../net/index.ts';
import type { ProxyHeader } from '../../protocol/proxy-protocol/header.ts';
import type { RoutePattern } from './route-match.ts';
import { errorCode } from '../../errors.ts';

/** An address and a port as an answer names them. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** What a client of SOCKS or CONNECT asks for, and how it is answered. Who connects it is to answer once. */
export interface TargetRequest {
  /** `bind` is answered twice: with where its peer is to connect, and with who did. */
  readonly command: 'connect' | 'bind' | 'udp-associate';
  readonly host: string;
  readonly port: number;
  /** The answer that it has what it asked for, at `bound`, which CONNECT does not tell. */
  readonly grant: (bound: BoundAddress) => Buffer;
  /** The answer that it cannot have it, because of an error with this code. */
  readonly refuse: (code: string | undefined) => Buffer;
}

/** What a client said before its stream began. */
export interface Greeting {
  /** What a PROXY header said about it. */
  readonly header?: ProxyHeader;
  /** What it asks to be connected to, by SOCKS or CONNECT. */
  readonly request?: TargetRequest;
  /** What its first bytes show; absent: none of the patterns. */
  readonly route?: RoutePattern | undefined;
  /** Bytes of its stream that come before what its socket gives. */
  readonly early?: Buffer | undefined;
}

/** How long a client may take to say what it has to say. */
export interface GreetingLimits {
  /** For each reader, in milliseconds. */
  readonly limitMs: number;
  /** Ends the reading with its reason. Default: nothing does but the limit. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads one part of what a client says first, and adds it to what was read before; readers follow each other on the same
 * socket, which is paused between them. When one throws, the connection is still the caller's to close.
 *
 * @throws ProtocolError, with the answer for the client in `reply` where there is one; TnetError TNET_E_TIMEOUT;
 *   SaidNothing; the signal's reason; or the socket's error
 */
export type ReadGreeting = (client: Socket, soFar: Greeting, limits: GreetingLimits) => Promise<Greeting>;

/** The limit where none is asked for. */
export const defaultGreetingMs = 10_000;

/** Hears all that a client says before its stream, part by part. See ReadGreeting. */
export async function greet(
  client: Socket,
  readers: readonly ReadGreeting[],
  limits: GreetingLimits,
): Promise<Greeting> {
  let greeting: Greeting = {};
  for (const read of readers) greeting = await read(client, greeting, limits);
  return greeting;
}

/** The client has left without a word, where a word was waited for. That is no failure: load balancers look so. */
export class SaidNothing extends Error {
  constructor() {
    super('the client left without a word');
  }
}

/**
 * Runs what waits for a client's greeting.
 *
 * @throws SaidNothing when it failed because the client has left, by an end or by a break, and no byte had come; else
 *   what `greet` throws. A client that stays and says nothing has run into the time limit, which is a failure.
 */
export async function hearGreeting<Greeting>(
  socket: Socket,
  greet: () => Promise<Greeting>,
  signal?: AbortSignal,
): Promise<Greeting> {
  const { bytesRead } = socket;
  const hasMore = socket.readableLength > 0;
  try {
    return await greet();
  } catch (error) {
    const hasSpoken = hasMore || socket.bytesRead > bytesRead;
    if (hasSpoken || signal?.aborted || isLimit(error)) throw error;
    throw new SaidNothing();
  }
}

function isLimit(error: unknown): boolean {
  if (errorCode(error) === 'TNET_E_TIMEOUT') return true;
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error && cause.name === 'AbortError';
}
