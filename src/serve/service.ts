import type { AccessList } from '../access/access-list.ts';
import type { RateLimit } from '../access/rate-limit.ts';
import type { Endpoint } from '../address/endpoint.ts';
import type { UnixOwner } from '../net/unix-listener.ts';
import type { Server, Socket } from '../net/index.ts';
import type { ReadGreeting } from './greeting/greeting.ts';
import type { Handler } from './handler.ts';

/** By what the clients of one listener are let in and served. A reload gives the listener another one. */
export interface Service {
  readonly listen: Endpoint;
  readonly binding: Binding;
  /** Nobody is accepted for this long after each client. Undefined: no pause. */
  readonly pauseMs: number | undefined;
  /** Judges clients by their address; undefined: all are welcome. */
  readonly access: AccessList | undefined;
  /** Undefined: no limit. */
  readonly rate: RateLimit | undefined;
  /** Counts a connection of a client that a PROXY header names; false: one too many. Undefined: no limit. */
  readonly takeRate: ((client: string) => boolean | Promise<boolean>) | undefined;
  /** Who a client is, its PROXY header says. */
  readonly acceptProxy: boolean;
  /** Undefined: no limit. */
  readonly maxConnections: number | undefined;
  /** Clients over the limit are reset instead of waiting. */
  readonly reject: boolean;
  /** Sets options on a client's socket, before anything else. Default: none. */
  readonly tune?: ((socket: Socket) => void) | undefined;
  /** What clients say before they are served, in its order. None: they are served at once. */
  readonly readers: readonly ReadGreeting[];
  /** How long a client may take for each of them, in milliseconds. */
  readonly greetingMs: number;
  readonly handle: Handler;
  /** Whether the engine serves its clients alone. */
  readonly lane: LaneOffer;
  /** Ends what the service keeps running. Connections go on. */
  readonly close: () => void;
}

/** How an address is bound. A reload gives a Unix socket that stays bound another mode and owner. */
export interface Binding {
  /** Of a Unix socket's file; see ServeOptions. */
  readonly mode: number | undefined;
  readonly owner: UnixOwner | undefined;
  /** Wait while the address is in use. */
  readonly retry: boolean;
}

/** Whether clients take the express lane, and how. */
export interface LaneOffer {
  /** Why they do not, as the end of a sentence. */
  readonly obstacle?: string;
  /**
   * Takes a server's listening socket over, which has bound `address`; a text says why that cannot be. Accepting leaves
   * `reserve` descriptors free.
   */
  readonly open?: (server: Server, address: string, reserve: number) => Lane | string;
}

/** A listening socket that the engine serves alone. */
export interface Lane {
  /** Gives the listening socket back. Connections go on. Settles when all that were accepted are in the ledger. */
  close(): Promise<void>;
}
