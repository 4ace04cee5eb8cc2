import type { Socket } from '../../net/index.ts';
import type { ProxyHeader } from '../../protocol/proxy-protocol/header.ts';
import type { TargetRequest } from './target-request.ts';
import type { RoutePattern } from './route-match.ts';

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
