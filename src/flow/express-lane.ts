import { loadNativeAddon, type NativeAddon } from './native-addon.ts';
import { createErrnoError, listenToEngine } from './native-flow.ts';

/** Where an express lane's connections go. Addresses are numeric: names are looked up before. */
export type LaneTarget =
  | { readonly address: string; readonly port: number }
  /** A Unix socket; a leading NUL makes it an abstract one. */
  | { readonly path: string };

/**
 * A proxy listener that needs nothing per connection but the relay: the engine's thread accepts, connects and carries
 * both directions, half-close for half-close and reset for reset.
 */
export interface ExpressLaneOptions {
  /**
   * A listening, non-blocking stream socket. It is duplicated: its owner stops accepting, or closes it, which loses
   * no waiting connection.
   */
  readonly listenFd: number;
  /** Tried in order for each connection. At most 16. */
  readonly targets: readonly LaneTarget[];
  /** TCP_NODELAY on both sides. Default true. */
  readonly noDelay?: boolean;
  /** Connections at once; more wait in the backlog. Default 0: no limit. */
  readonly maxConnections?: number;
  /** Resets a connection without a byte in either direction for this long, checked ten times a second. Default 0: never. */
  readonly idleMs?: number;
  /** The most for all targets together. Default 0: the system's own limit. */
  readonly connectMs?: number;
  /** Called with what has happened, in order, in batches. */
  readonly onEvents?: (events: readonly LaneEvent[]) => void;
}

export type LaneEvent =
  /** `address` and `port` are the client's; undefined for a Unix socket. */
  | { readonly type: 'accepted'; readonly id: number; readonly address?: string; readonly port?: number }
  /** `target` is an index of `targets`. */
  | { readonly type: 'connected'; readonly id: number; readonly target: number }
  | {
      readonly type: 'ended';
      readonly id: number;
      /** Bytes that the target took of the client's, and the other way round. */
      readonly upBytes: number;
      readonly downBytes: number;
      /** What broke: ETIMEDOUT for a limit, ECANCELED when it was stopped. Both sides have been reset then. */
      readonly error?: NodeJS.ErrnoException;
      /** Which side broke, when one did; no target that took the connection counts as the target's break. */
      readonly broken?: 'client' | 'target';
    }
  /** The system has no descriptors or memory for another connection; they wait in the backlog. Said once a shortage. */
  | { readonly type: 'shortage'; readonly error: NodeJS.ErrnoException };

/** A running express lane. */
export interface ExpressLane {
  /** Connections that are not over, as far as they have been told. */
  readonly connections: number;
  /** Settles when the lane is closed and its last connection is over. */
  readonly ended: Promise<void>;
  /** Takes no more connections. Those that are there go on. */
  close(): void;
  /** Takes no more connections and resets those that are there. */
  stop(): void;
  /** Resets one connection. */
  stopConnection(id: number): void;
}

const rowLength = 14;
const [accepted, connected, over, ofLane] = [1, 2, 4, 8];

const lanes = new Map<number, RunningLane>();

/**
 * Opens an express lane, or returns undefined when there is no native engine.
 *
 * @throws {Error} with `code` when the descriptor is no listening non-blocking socket or an address is not numeric.
 */
export function openExpressLane(options: ExpressLaneOptions): ExpressLane | undefined {
  const addon = loadNativeAddon();
  if (!addon) return undefined;
  listenToEngine(addon);
  addon.listenToLanes(deliverNews);
  return new RunningLane(addon, options);
}

class RunningLane implements ExpressLane {
  connections = 0;
  readonly ended: Promise<void>;
  readonly onEvents: ExpressLaneOptions['onEvents'];
  readonly settle: () => void;
  readonly #addon: NativeAddon;
  readonly #id: number;

  constructor(addon: NativeAddon, options: ExpressLaneOptions) {
    const { listenFd, targets, noDelay = true, maxConnections = 0, idleMs = 0, connectMs = 0 } = options;
    if (targets.length === 0 || targets.length > 16)
      throw new RangeError('an express lane has 1 to 16 targets');
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.ended = promise;
    this.settle = () => resolve(undefined);
    this.onEvents = options.onEvents;
    this.#addon = addon;
    const addresses = targets.map((target) => ('path' in target ? target.path : target.address));
    const ports = Int32Array.from(targets, (target) => ('path' in target ? -1 : target.port));
    const limits = Float64Array.of(noDelay ? 1 : 0, maxConnections, idleMs, connectMs);
    try {
      this.#id = addon.openLane(listenFd, addresses, ports, limits);
    } catch (error) {
      const { errno, syscall } = error as NodeJS.ErrnoException;
      throw errno === undefined ? error : createErrnoError(-errno, syscall ?? 'openLane');
    }
    lanes.set(this.#id, this);
  }

  close(): void {
    this.#addon.closeLane(this.#id);
  }

  stop(): void {
    this.#addon.stopLane(this.#id);
  }

  stopConnection(id: number): void {
    this.#addon.stopConnection(id);
  }
}

/** Rows of `what, lane, connection, errno, side, upBytes, downBytes, target, family, port, address in four words`. */
function deliverNews(rows: Float64Array): void {
  const batches = new Map<RunningLane, LaneEvent[]>();
  const closed: [number, RunningLane][] = [];
  for (let at = 0; at < rows.length; at += rowLength) {
    const row = rows.subarray(at, at + rowLength);
    const [what = 0, laneId = 0] = row;
    const lane = lanes.get(laneId);
    if (!lane) continue;
    const batch = batches.get(lane) ?? [];
    batches.set(lane, batch);
    if (what & ofLane) addLaneEvents(row, batch);
    else addConnectionEvents(row, lane, batch);
    if (what & ofLane && what & over) closed.push([laneId, lane]);
  }
  for (const [lane, batch] of batches) if (batch.length > 0) lane.onEvents?.(batch);
  for (const [laneId, lane] of closed) {
    lanes.delete(laneId);
    lane.settle();
  }
}

function addLaneEvents(row: Float64Array, batch: LaneEvent[]): void {
  const errno = row[3] ?? 0;
  if (errno !== 0) batch.push({ type: 'shortage', error: createErrnoError(errno, 'accept') });
}

function addConnectionEvents(row: Float64Array, lane: RunningLane, batch: LaneEvent[]): void {
  const [what = 0, , id = 0, errno = 0, side = 0, upBytes = 0, downBytes = 0, target = 0, family, port] = row;
  if (what & accepted) {
    lane.connections++;
    const from = family ? { address: formatAddress(family, row.subarray(10)), port } : {};
    batch.push({ type: 'accepted', id, ...from });
  }
  if (what & connected) batch.push({ type: 'connected', id, target });
  if (what & over) {
    lane.connections--;
    const broken = side === 1 ? 'client' : side === 2 ? 'target' : undefined;
    const error = errno === 0 ? undefined : createErrnoError(errno, broken === 'client' ? 'read' : 'connect');
    batch.push({ type: 'ended', id, upBytes, downBytes, error, broken });
  }
}

function formatAddress(family: number, words: Float64Array): string {
  const [first = 0] = words;
  if (family === 4) return formatIPv4(first);
  const groups = [...words].flatMap((word) => [Math.floor(word / 65_536), word % 65_536]);
  // An IPv4 client of a dual-stack listener.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${formatIPv4(words[3] ?? 0)}`;
  }
  return compressIPv6(groups.map((group) => group.toString(16)));
}

function formatIPv4(word: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(word / 2 ** shift) % 256).join('.');
}

/** Source: RFC 5952, 4.2: the longest run of two or more zero groups, the first of equals. */
function compressIPv6(groups: readonly string[]): string {
  const text = groups.join(':');
  const runs = text.match(/\b0(?::0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return text;
  const at = text.search(new RegExp(`\\b${longest}\\b`));
  const [before, after] = [text.slice(0, at), text.slice(at + longest.length)];
  return `${before.replace(/:$/, '')}::${after.replace(/^:/, '')}`;
}
