/**
 * What a command reports while it runs. One occurrence is one event: a JSON object for programs (docs/events.md is
 * the schema), a sentence for people (text.ts).
 */
export type Event =
  /** A server has been bound. */
  | { readonly event: 'listening'; readonly address: string }
  /** The address is in use; it is tried again after `delayMs`. */
  | { readonly event: 'bind-retry'; readonly address: string; readonly delayMs: number }
  /** The access lists have been read again; the counts are entries. */
  | { readonly event: 'access-reloaded'; readonly allowed: number; readonly denied: number }
  /** One address of the peer is being tried. */
  | { readonly event: 'attempt'; readonly address: string }
  /** One address did not accept; another may follow. */
  | {
      readonly event: 'attempt-failed';
      readonly address: string;
      readonly code: string;
      readonly message: string;
    }
  | { readonly event: 'connected'; readonly id: number; readonly local: string; readonly remote: string }
  | { readonly event: 'accepted'; readonly id: number; readonly local: string; readonly remote: string }
  /** A proxy has opened the way to `target`: the next proxy, or what was asked for. */
  | { readonly event: 'proxied'; readonly proxy: string; readonly target: string }
  /** A TLS handshake is done. `verified`: the peer's certificate was checked and accepted. */
  | {
      readonly event: 'tls';
      readonly remote: string;
      readonly protocol: string;
      readonly cipher: string;
      readonly alpn?: string;
      readonly verified: boolean;
    }
  /** A certificate that the peer showed: its own has depth 0, the next has issued it, and so on. */
  | {
      readonly event: 'certificate';
      readonly remote: string;
      readonly depth: number;
      readonly subject: string;
      readonly issuer: string;
      readonly names: readonly string[];
      readonly validFrom: string;
      readonly validTo: string;
      readonly daysLeft: number;
      readonly fingerprint: string;
      readonly keyPin: string;
    }
  /** A server has made a certificate for this run. */
  | { readonly event: 'throwaway-certificate'; readonly fingerprint: string }
  /** Something works, but not as safely as it could. */
  | { readonly event: 'warning'; readonly message: string }
  /** A client was turned away. */
  | { readonly event: 'refused'; readonly remote: string; readonly reason: string }
  /** Datagrams from a peer came faster than they were taken, and were lost. */
  | {
      readonly event: 'datagrams-lost';
      readonly remote: string;
      readonly datagrams: number;
      readonly bytes: number;
    }
  /** A chunk of input was too long for one datagram and was sent as several, of at most `limitBytes`. */
  | {
      readonly event: 'datagram-cut';
      readonly remote: string;
      readonly bytes: number;
      readonly limitBytes: number;
    }
  /** A program of -e or -c has ended: with a status, or by a signal. */
  | {
      readonly event: 'program-ended';
      readonly id: number;
      readonly status: number;
      readonly signal?: string;
    }
  /** A connection is over. `sentBytes` went to the peer, `receivedBytes` came from it. */
  | {
      readonly event: 'ended';
      readonly id: number;
      readonly remote: string;
      readonly reason: string;
      readonly sentBytes: number;
      readonly receivedBytes: number;
      readonly durationMs: number;
    }
  /** A server is stopping. */
  | {
      readonly event: 'totals';
      readonly connections: number;
      readonly sentBytes: number;
      readonly receivedBytes: number;
      readonly durationMs: number;
    }
  | {
      readonly event: 'error';
      readonly id?: number;
      readonly subject: string;
      readonly code: string;
      readonly message: string;
    };

export type EventName = Event['event'];
