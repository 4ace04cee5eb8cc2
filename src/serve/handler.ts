import type { EndingReason } from '../flow/flow.ts';
import type { Connection } from '../net/connection.ts';
import type { ConnectionGuard } from '../net/guard.ts';
import type { Greeting } from './greeting/greeting.ts';
import type { OpenConnection } from './ledger.ts';

/** A client that has been let in and has said what it wants. */
export interface Greeted {
  /** Open, and the handler's to close; see HandlerEnding. */
  readonly client: Connection;
  readonly greeting: Greeting;
  /** What the listener that it came to has bound, as it is said; names a client that has no address. */
  readonly listener: string;
  /** Its place in the ledger, where a handler says what it has moved and how it is broken off. */
  readonly entry: OpenConnection;
  /** Watches what else is opened for this client. */
  readonly guard: ConnectionGuard;
}

/** How serving a client ended, and what is left to do. */
export interface HandlerEnding {
  readonly reason: EndingReason;
  /** Reported as one line. */
  readonly error?: Error | undefined;
  /** What the error is about. Default: the client. */
  readonly subject?: string | undefined;
  /** Counts as failed although there is no error to tell: it could not be served, or a stream was cut. Default false. */
  readonly failed?: boolean;
  /** Closes the client's connection and all else, once the end has been reported. */
  readonly close: () => Promise<void> | void;
}

/** What is done with a greeted client. Never rejects but for a fault of tnet, which ends this client alone. */
export type Handler = (client: Greeted) => Promise<HandlerEnding>;
