import type { Carried } from '../ledger.ts';
import type { HostCertificate } from '../throwaway-certificates.ts';

/** What the process that accepts tells a worker. A client comes with its connection. */
export type ToWorker =
  /** Take the pairs, at the start and anew, with the throw-away certificates that are made. */
  | { readonly type: 'serve'; readonly certificates: readonly HostCertificate[] }
  /** What has been bound, all of it. */
  | { readonly type: 'own'; readonly addresses: readonly string[] }
  /** Read the access lists again. */
  | { readonly type: 'reload-access' }
  /** Serve a client of the listener `key`, which has bound `address`. */
  | { readonly type: 'client'; readonly id: number; readonly key: string; readonly address: string }
  /** Tell what the open connections have carried. */
  | { readonly type: 'sum'; readonly ask: number }
  /** The answer to 'rate'. */
  | { readonly type: 'rate'; readonly ask: number; readonly isAllowed: boolean }
  /** Break off all connections: what was sent is delivered. */
  | { readonly type: 'cut' };

/** What a worker tells the process that accepts. */
export type FromWorker =
  /** The pairs have been taken: the answer to each 'serve'. */
  | { readonly type: 'ready' }
  /** The connection has arrived. */
  | { readonly type: 'taken'; readonly id: number }
  | ({ readonly type: 'ended'; readonly id: number } & Carried)
  | { readonly type: 'refused'; readonly reason: string }
  | {
      readonly type: 'sum';
      readonly ask: number;
      readonly sentBytes: number;
      readonly receivedBytes: number;
    }
  /** May this client, which a PROXY header names, make another connection to the listener `key`? */
  | { readonly type: 'rate'; readonly ask: number; readonly key: string; readonly client: string };
