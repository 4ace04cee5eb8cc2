/** One open connection at a moment. `received` came from the peer that `remote` is, `sent` went to it. */
export interface LiveConnection {
  readonly id: number;
  readonly remote: string;
  /** What it is joined to, where there is such a thing and it is known. */
  readonly target?: string | undefined;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** On performance.now()'s clock. */
  readonly startedAt: number;
}

/** What a server has done up to a moment. */
export interface LiveTotals {
  readonly connections: number;
  readonly open: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  readonly failed?: number;
  /** Clients turned away, by reason. */
  readonly refused?: Readonly<Record<string, number>>;
  /** Of a service without connections: datagrams that were taken, and those that were not. */
  readonly datagrams?: number | undefined;
  readonly dropped?: number | undefined;
}

/** What a live view shows of one moment. */
export interface LiveSample {
  readonly totals: LiveTotals;
  readonly connections: readonly LiveConnection[];
}

/** Bytes a second, in both directions. */
export interface LiveRate {
  readonly received: number;
  readonly sent: number;
}
