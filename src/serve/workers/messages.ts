import type { Carried, Moved, OpenConnection } from '../ledger.ts';
import type { HostCertificate } from '../throwaway-certificates.ts';

/** Messages from the accepting process to a worker. A client comes with its connection. */
export type ToWorker =
  /**
   * Take what is to be served, at the start and at each change, with the throw-away certificates made so far, and a
   * secret. `state` says what that is, as plain data; undefined: the worker knows it.
   */
  | {
      readonly type: 'serve';
      readonly change: number;
      readonly certificates: readonly HostCertificate[];
      readonly nonceKey: string;
      readonly state?: unknown;
    }
  /** What has been bound, all of it. */
  | { readonly type: 'own'; readonly addresses: readonly string[] }
  /** Read the access lists again. */
  | { readonly type: 'reload-access' }
  /** Serve a client of the listener `key`, which has bound `address`. */
  | { readonly type: 'client'; readonly id: number; readonly key: string; readonly address: string }
  /** Report what the open connections have carried, and with `each`, what each of them has. */
  | { readonly type: 'sum'; readonly ask: number; readonly each: boolean }
  /** The answer to 'rate'. */
  | { readonly type: 'rate'; readonly ask: number; readonly isAllowed: boolean }
  /** Answer what only the kind of server knows, in turn with what is to be served. */
  | { readonly type: 'ask'; readonly ask: number; readonly question: unknown }
  /** Something that only the kind of server knows, at once and without an answer. */
  | { readonly type: 'tell'; readonly told: unknown }
  /** Break off one connection. */
  | { readonly type: 'break-off'; readonly id: number }
  /** Break off all connections: what was sent is delivered. */
  | { readonly type: 'cut' };

/** Messages from a worker to the accepting process. */
export type FromWorker =
  /** What is to be served has been taken: the answer to each 'serve'. */
  | { readonly type: 'ready'; readonly change: number }
  /** The connection has arrived. */
  | { readonly type: 'taken'; readonly id: number }
  | ({ readonly type: 'ended'; readonly id: number } & Carried)
  | { readonly type: 'refused'; readonly reason: string }
  | ({ readonly type: 'sum'; readonly ask: number; readonly each?: readonly WorkerConnection[] } & Moved)
  /** May this client, named by a PROXY header, make another connection to the listener `key`? */
  | { readonly type: 'rate'; readonly ask: number; readonly key: string; readonly client: string }
  /** The answer to 'ask'; undefined: there is none. */
  | { readonly type: 'answer'; readonly ask: number; readonly answer?: unknown }
  /** Something that only the kind of server knows. */
  | { readonly type: 'tell'; readonly told: unknown };

/** A connection that a worker serves. */
export interface WorkerConnection extends Pick<OpenConnection, 'id' | 'target' | 'greeting'>, Moved {}
