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
  /** An attempt failed and will be repeated. `of` is absent when there is no limit to the number. */
  | {
      readonly event: 'retry';
      readonly address: string;
      readonly retry: number;
      readonly of?: number;
      readonly delayMs: number;
      readonly code: string;
      readonly message: string;
    }
  /**
   * An address has been checked. `port`, `remote` and `service` if there are any; `code` and `message` unless open.
   * `banner`: what the server sent first. `transport` is there for UDP, `wanted` when something else than a connection was
   * looked for, and `status` is that of an answer of HTTP.
   */
  | {
      readonly event: 'checked';
      readonly address: string;
      readonly host: string;
      readonly port?: number;
      readonly service?: string;
      readonly remote?: string;
      readonly state: CheckState;
      readonly code?: string;
      readonly message?: string;
      readonly durationMs: number;
      readonly banner?: string;
      readonly transport?: 'udp';
      readonly wanted?: 'closed' | 'name' | 'http';
      readonly status?: number;
    }
  /** A try of a series of checks is over. `remote` where it is known; `code` and `message` unless open. */
  | {
      readonly event: 'try';
      readonly address: string;
      readonly sequence: number;
      readonly state: CheckState;
      readonly remote?: string;
      readonly code?: string;
      readonly message?: string;
      readonly durationMs: number;
    }
  /** The result of a series of checks, on stdout. The times are those of the tries that succeeded, if any did. */
  | {
      readonly event: 'tries';
      readonly address: string;
      readonly tried: number;
      readonly opened: number;
      readonly failed: number;
      readonly durationMs: number;
      readonly minMs?: number;
      readonly avgMs?: number;
      readonly p50Ms?: number;
      readonly p90Ms?: number;
      readonly p99Ms?: number;
      readonly maxMs?: number;
    }
  /** `local` is absent for a client of a Unix socket, which has no name. */
  | { readonly event: 'connected'; readonly id: number; readonly local?: string; readonly remote: string }
  /** A person at a terminal has the session; `escape` is the key of the command mode, or `none`. */
  | { readonly event: 'interactive'; readonly escape: string }
  /** A word of the telnet negotiation. */
  | {
      readonly event: 'telnet';
      readonly id: number;
      readonly direction: 'received' | 'sent';
      readonly what: string;
    }
  /** How long a part of the run took. `address` and `outcome` are an attempt's. */
  | {
      readonly event: 'timing';
      readonly phase: TimingPhase;
      readonly address?: string;
      readonly outcome?: string;
      readonly durationMs: number;
    }
  /** `pid`, `uid` and `gid` are those of a Unix client's process, where the system tells. */
  | {
      readonly event: 'accepted';
      readonly id: number;
      readonly local: string;
      readonly remote: string;
      readonly pid?: number;
      readonly uid?: number;
      readonly gid?: number;
    }
  /** A PROXY header has named the client of a connection. */
  | {
      readonly event: 'client';
      readonly id: number;
      readonly remote: string;
      readonly client: string;
      /** What a header of version 2 said beyond that: the application protocol and the name that the client asked for. */
      readonly alpn?: string;
      readonly authority?: string;
      /** As text, or 0x and hex digits where it is none. */
      readonly uniqueId?: string;
      readonly netns?: string;
      /** The client spoke TLS with the sender: its version, cipher suite, and the common name of its certificate. */
      readonly tls?: string;
      readonly cipher?: string;
      readonly commonName?: string;
      /** The client showed a certificate, and it was verified. */
      readonly verified?: boolean;
      /** The header had a checksum, which was right. */
      readonly checksum?: boolean;
      /** Other types, such as 0xe0. */
      readonly others?: readonly string[];
    }
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
      readonly key: string;
      readonly fingerprint: string;
      readonly keyPin: string;
    }
  /** A server has made a certificate for this run. */
  | { readonly event: 'throwaway-certificate'; readonly fingerprint: string }
  /** Something works, but not as safely as it could. */
  | { readonly event: 'warning'; readonly message: string }
  /** Something succeeded and may still not be what was wanted: its subject, and what to do about it. */
  | { readonly event: 'hint'; readonly subject: string; readonly message: string }
  /** A client was refused. */
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
  /** Somebody has answered what was sent to a multicast group or a broadcast address. */
  | { readonly event: 'answer'; readonly remote: string; readonly bytes: number }
  /** A UDP service has taken a datagram; `sentBytes` is the size of its answer, if there is one. */
  | {
      readonly event: 'datagram';
      readonly pid?: number;
      readonly uid?: number;
      readonly gid?: number;
      readonly remote: string;
      readonly receivedBytes: number;
      readonly sentBytes?: number;
    }
  /** A program of -e or -c has ended: with a status, or by a signal. */
  | {
      readonly event: 'program-ended';
      readonly id: number;
      readonly status: number;
      readonly signal?: string;
    }
  /** A file is about to be sent or received from `fromBytes` on: what comes before is there already. */
  | {
      readonly event: 'file-started';
      readonly id: number;
      readonly remote: string;
      readonly direction: 'sent' | 'received';
      readonly name: string;
      readonly bytes: number;
      readonly fromBytes: number;
    }
  /** A file has arrived whole: its hash has been compared, and it has its name. */
  | {
      readonly event: 'file-done';
      readonly id: number;
      readonly remote: string;
      readonly direction: 'sent' | 'received';
      readonly name: string;
      readonly bytes: number;
      readonly fromBytes: number;
      readonly sha256: string;
      readonly durationMs: number;
    }
  /** With -v: a payload of --ping is back completely, and its bytes are right unless `isWrong`. */
  | {
      readonly event: 'reply';
      readonly remote: string;
      readonly sequence: number;
      readonly roundTripMs: number;
      readonly isWrong: boolean;
    }
  /** The result of --ping, on stdout. The round trips are absent when nothing came back. */
  | {
      readonly event: 'ping';
      readonly remote: string;
      readonly payloadBytes: number;
      readonly sent: number;
      readonly received: number;
      readonly lost: number;
      readonly pending: number;
      readonly wrong: number;
      readonly wrongBytes: number;
      readonly duplicates: number;
      readonly reordered: number;
      readonly sentBytes: number;
      readonly receivedBytes: number;
      readonly durationMs: number;
      readonly bytesPerSecond: number;
      readonly minMs?: number;
      readonly p50Ms?: number;
      readonly p90Ms?: number;
      readonly p99Ms?: number;
      readonly maxMs?: number;
    }
  /** The peer ended its side a second ago, and the input is still being sent. */
  | { readonly event: 'sending-on'; readonly id: number; readonly remote: string }
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
  /**
   * A side of a recorded connection has been replayed against a peer: `difference` is the first thing that the peer
   * did differently.
   */
  | {
      readonly event: 'replayed';
      readonly id?: number;
      readonly remote: string;
      readonly side: 'client' | 'server';
      readonly difference?: string;
    }
  /** A server is stopping. */
  | {
      readonly event: 'totals';
      readonly connections: number;
      readonly sentBytes: number;
      readonly receivedBytes: number;
      readonly durationMs: number;
      /** Connections open now, those that ended with an error, and refused clients by reason. */
      readonly open: number;
      readonly failed: number;
      /** Clients that came and left without a word when one was expected. */
      readonly probes: number;
      readonly refused: Readonly<Record<string, number>>;
      /** Of a UDP service: datagrams that were accepted, and those that were not. */
      readonly datagrams?: number;
      readonly dropped?: number;
    }
  /** A client has left without the greeting that was expected. */
  | { readonly event: 'probe'; readonly id: number; readonly remote: string }
  /** Whether a proxy's clients at `address` are served by the native engine alone, and if not, why. */
  | { readonly event: 'lane'; readonly address: string; readonly express: boolean; readonly reason?: string }
  /** A server's metrics are served at `url`. */
  | { readonly event: 'metrics'; readonly url: string }
  /** What a running proxy is steered by is served at `url`, or at the path of a Unix socket. */
  | { readonly event: 'control'; readonly url: string }
  /** A proxy has reloaded its configuration file. */
  | { readonly event: 'reloaded'; readonly file: string; readonly pairs: number }
  /** A target is used again: its checks succeed, or a client was connected to it. */
  | { readonly event: 'target-up'; readonly target: string }
  /** A target is left out, because of its checks or of clients that it refused. */
  | {
      readonly event: 'target-down';
      readonly target: string;
      /** Why its last check failed; absent when clients were refused. */
      readonly code?: string;
      readonly message?: string;
    }
  /** A worker process of a proxy has started serving. */
  | { readonly event: 'worker-started'; readonly worker: number; readonly pid: number }
  /** A worker process has died, and `connections` with it; it is replaced by another one. */
  | {
      readonly event: 'worker-ended';
      readonly worker: number;
      readonly pid: number;
      readonly status?: number;
      readonly signal?: string;
      readonly connections: number;
    }
  /** A proxy has stopped accepting, and waits for its open connections. */
  | { readonly event: 'draining'; readonly open: number; readonly limitMs: number }
  /** A server that is ending has reset `connections` that had not ended by themselves. */
  | { readonly event: 'cut'; readonly connections: number }
  | {
      readonly event: 'error';
      readonly id?: number;
      readonly subject: string;
      readonly code: string;
      readonly message: string;
    };

/**
 * What a check found: a server, a refusal, nothing within the limit, or a failure before that (DNS, routes); or, when only
 * the name was looked up, its addresses.
 */
export type CheckState = 'open' | 'closed' | 'silent' | 'failed' | 'found';

/**
 * `dns`: the lookup. `attempt`: one address. `connect`: from the start to the connection, with both. `tls`: the
 * handshake. `first-byte`: from the connection to the peer's first byte. `total`: the whole run.
 */
export type TimingPhase = 'dns' | 'attempt' | 'connect' | 'tls' | 'first-byte' | 'total';

export type EventName = Event['event'];
