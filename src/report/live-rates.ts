/** One open connection at a moment. `received` came from the peer at `remote`, `sent` went to it. */
export interface LiveConnection {
  readonly id: number;
  readonly remote: string;
  /** What it is joined to, if anything and if that is known. */
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
  /** Refused clients, by reason. */
  readonly refused?: Readonly<Record<string, number>>;
  /** Of a service without connections: datagrams that were accepted, and those that were not. */
  readonly datagrams?: number | undefined;
  readonly dropped?: number | undefined;
}

/** A process that serves clients on behalf of the displaying process, and what it has done since it was started. */
export interface LiveWorker {
  /** From 1. A worker that replaces another one gets its number. */
  readonly number: number;
  readonly pid: number;
  readonly connections: number;
  readonly open: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
  /** On performance.now()'s clock. */
  readonly startedAt: number;
}

/** What a live view shows of one moment. */
export interface LiveSample {
  readonly totals: LiveTotals;
  readonly connections: readonly LiveConnection[];
  /** In the order of their numbers. Default: this process serves its clients itself. */
  readonly workers?: readonly LiveWorker[];
}

/** Bytes a second, in both directions. */
export interface LiveRate {
  readonly received: number;
  readonly sent: number;
}

/** How fast the old speed is forgotten: after this time a rate has moved two thirds of the way to the new one. */
const memoryMs = 1_000;

/** Fewer bytes a second than this count as zero: a rate that fades away must not look as if bytes still moved. */
const leastRate = 1;

interface Track {
  at: number;
  receivedBytes: number;
  sentBytes: number;
  received: number;
  sent: number;
}

/** Turns byte counts that grow into rates, smoothed over about a second. Forgets what is gone. */
export class LiveRates {
  #tracks = new Map<number, Track>();
  #workerTracks = new Map<number, Track>();
  readonly #total: Track;

  /** `startedAt`, as all times here, is on performance.now()'s clock: from then on bytes are counted. */
  constructor(startedAt: number) {
    this.#total = begin(startedAt);
  }

  /** Takes a sample's counts. */
  update({ totals, connections, workers = [] }: LiveSample, now: number): void {
    advance(this.#total, totals, now);
    this.#tracks = follow(this.#tracks, connections, ({ id }) => id, now);
    this.#workerTracks = follow(this.#workerTracks, workers, ({ pid }) => pid, now);
  }

  get total(): LiveRate {
    return toRate(this.#total);
  }

  of({ id }: LiveConnection): LiveRate {
    return toRate(this.#tracks.get(id));
  }

  ofWorker({ pid }: LiveWorker): LiveRate {
    return toRate(this.#workerTracks.get(pid));
  }
}

/** The tracks of what exists now, each brought up to date. */
function follow<T extends { startedAt: number; receivedBytes: number; sentBytes: number }>(
  known: ReadonlyMap<number, Track>,
  all: readonly T[],
  keyOf: (one: T) => number,
  now: number,
): Map<number, Track> {
  return new Map(
    all.map((one) => {
      const track = known.get(keyOf(one)) ?? begin(one.startedAt);
      advance(track, one, now);
      return [keyOf(one), track];
    }),
  );
}

function begin(at: number): Track {
  return { at, receivedBytes: 0, sentBytes: 0, received: 0, sent: 0 };
}

function advance(
  track: Track,
  { receivedBytes, sentBytes }: { receivedBytes: number; sentBytes: number },
  now: number,
) {
  const passedMs = now - track.at;
  if (passedMs <= 0) return;
  const weight = 1 - Math.exp(-passedMs / memoryMs);
  const perSecond = 1000 / passedMs;
  track.received += ((receivedBytes - track.receivedBytes) * perSecond - track.received) * weight;
  track.sent += ((sentBytes - track.sentBytes) * perSecond - track.sent) * weight;
  Object.assign(track, { at: now, receivedBytes, sentBytes });
}

function toRate({ received, sent } = begin(0)): LiveRate {
  return { received: floor(received), sent: floor(sent) };
}

function floor(rate: number): number {
  return rate < leastRate ? 0 : Math.round(rate);
}
