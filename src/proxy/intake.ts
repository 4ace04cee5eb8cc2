import type { Socket } from '../net/index.ts';
import type { ProxyHeader } from '../protocol/proxy-protocol/header.ts';
import type { OpenUpstream, UpstreamRequest } from './upstream.ts';

/** What is known about a client once it has said what it wants. */
export interface Intake {
  /** What a PROXY header said about it. */
  readonly header?: ProxyHeader;
  /** Bytes of its stream that come before what its socket gives. */
  readonly early?: Buffer | undefined;
  /** What its target is told first: a PROXY header. */
  readonly head?: Buffer;
  /** Connects it to what it asked for, and answers it; undefined when that failed, which has been reported. */
  readonly open?: (request: UpstreamRequest) => Promise<OpenUpstream | undefined>;
  /** Does all there is to do itself: a client that wants no relay. */
  readonly serve?: () => Promise<void>;
}

/** One step of finding out what a client wants. Steps follow each other on the same socket. */
export type IntakeStep = (client: Socket, known: Intake) => Promise<Intake>;
