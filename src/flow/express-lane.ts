import { loadNativeAddon, type NativeAddon } from '../native/addon.ts';
import { formatLaneAddress } from './lane-address.ts';
import { createErrnoError, listenToEngine } from './native-flow.ts';
import { deliveryMs } from '../net/connection.ts';
import type { Prefix } from '../address/prefix.ts';

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
  /** Tried in order for each connection. At most 4. */
  readonly targets: readonly LaneTarget[];
  /** TCP_NODELAY on both sides. Default true. */
  readonly noDelay?: boolean;
  /** Connections at once; more wait in the backlog. Default 0: no limit. */
  readonly maxConnections?: number;
  /** Resets a connection without a byte in either direction for this long, checked ten times a second. Default 0: never. */
  readonly idleMs?: number;
  /** The most for all targets together. Default 0: the system's own limit. */
  readonly connectMs?: number;
  /** Resets a connection this long after it was connected to its target. Default 0: never. */
  readonly lifeMs?: number;
  /**
   * Once an accepted connection has this descriptor or a higher one, accepting pauses until a lower one is free, which
   * is a `shortage`. Default 0: the system's limit is the only one.
   */
  readonly lastFreeFd?: number;
  /** Who is let in: as src/access/access-list.ts judges. Default: everybody. */
  readonly access?: LaneAccess | undefined;
  /** Called with what has happened, in order, in batches. */
  readonly onEvents?: (events: readonly LaneEvent[]) => void;
}

/** Access lists. No allow list allows everybody, an empty one nobody. */
export interface LaneAccess {
  readonly allow: readonly LaneBlock[] | undefined;
  readonly deny: readonly LaneBlock[] | undefined;
}

/** A CIDR block: a numeric address without a zone, and how many of its bits count. */
export type LaneBlock = Pick<Prefix, 'text' | 'bits'>;

/** A socket's address. */
export interface LaneName {
  readonly address: string;
  readonly port: number;
}

export type LaneEvent =
  /** The client's address, and ours of that connection; undefined for a Unix socket. */
  | {
      readonly type: 'accepted';
      readonly id: number;
      readonly remote: LaneName | undefined;
      readonly local: LaneName | undefined;
    }
  /** A client that the access lists turned away: it was reset. Undefined: it has no address. */
  | { readonly type: 'denied'; readonly remote: LaneName | undefined }
  /** A target did not take it, by its index in `targets`; the next one is tried. */
  | { readonly type: 'refused'; readonly id: number; readonly target: number; readonly errno: number }
  /** With our address of the connection to the target. */
  | {
      readonly type: 'connected';
      readonly id: number;
      readonly target: number;
      readonly local: LaneName | undefined;
    }
  | {
      readonly type: 'ended';
      readonly id: number;
      /** Bytes that the target took of the client's, and the other way round. */
      readonly upBytes: number;
      readonly downBytes: number;
      /** Since it was accepted. */
      readonly durationMs: number;
      /**
       * What broke. Without `broken` it is ETIMEDOUT for connectMs and idleMs, ECONNABORTED for lifeMs, ELOOP for a client that is
       * a lane's own connection to a target, ECANCELED when it was stopped or cut; both sides have been reset then.
       */
      readonly error: NodeJS.ErrnoException | undefined;
      /** Which side broke, when one did; no target that took the connection counts as the target's break. */
      readonly broken: 'client' | 'target' | undefined;
    }
  /** The system has no descriptors or memory for another connection; they wait in the backlog. Said once a shortage. */
  | { readonly type: 'shortage'; readonly error: NodeJS.ErrnoException };

/** A running express lane. */
export interface ExpressLane {
  /** Connections that are not over, as far as they have been told. */
  readonly connections: number;
  /** Settles when it takes no more connections, and all that it has taken have been told. */
  readonly closed: Promise<void>;
  /** Settles when the lane is closed and its last connection is over. */
  readonly ended: Promise<void>;
  /** Takes no more connections. Those that are there go on. */
  close(): void;
  /** Takes no more connections and resets those that are there. */
  stop(): void;
  /** Resets one connection. */
  stopConnection(id: number): void;
  /**
   * Ends one connection from our side: what has been read is delivered, for half a second at most, and both sides are
   * reset, so that nobody takes a part for the whole. One that is not connected yet is reset at once.
   */
  cutConnection(id: number): void;
  /** What one connection has done; undefined when it is over. */
  readConnection(id: number): { readonly up: LaneFlowState; readonly down: LaneFlowState } | undefined;
}

/** One direction of a connection that runs. */
export interface LaneFlowState {
  readonly bytesRead: number;
  readonly bytes: number;
  readonly blocked: boolean;
}

/** Columns of a row; native/addon_lane_events.c writes them. */
const targetsMost = 4;
const refusalsAt = 9;
const namesAt = refusalsAt + targetsMost;
const nameLength = 7;
const rowLength = namesAt + 3 * nameLength;
const [accepted, connected, over, ofLane, denied, shut] = [1, 2, 4, 8, 32, 64];

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
  addon.listenToLanes(deliverNotifications);
  return new RunningLane(addon, options);
}

function readState(state: Float64Array, at: number): LaneFlowState {
  const [bytesRead = 0, bytes = 0, blocked] = state.subarray(at, at + 3);
  return { bytesRead, bytes, blocked: blocked === 1 };
}

class RunningLane implements ExpressLane {
  connections = 0;
  readonly #closing = Promise.withResolvers<undefined>();
  readonly #ending = Promise.withResolvers<undefined>();
  readonly closed: Promise<void> = this.#closing.promise;
  readonly ended: Promise<void> = this.#ending.promise;
  readonly onEvents: ExpressLaneOptions['onEvents'];
  /** How many of a connection's refusals have been told, where there are any. */
  readonly toldRefusals = new Map<number, number>();
  readonly #addon: NativeAddon;
  readonly #id: number;
  readonly #state = new Float64Array(6);

  constructor(addon: NativeAddon, options: ExpressLaneOptions) {
    const { listenFd, targets, noDelay = true, maxConnections = 0, idleMs = 0 } = options;
    const { connectMs = 0, lifeMs = 0, lastFreeFd = 0, access } = options;
    const { allow, deny } = access ?? {};
    if (targets.length === 0 || targets.length > targetsMost)
      throw new RangeError(`an express lane has 1 to ${targetsMost} targets`);
    this.onEvents = options.onEvents;
    this.#addon = addon;
    const addresses = targets.map((target) => ('path' in target ? target.path : target.address));
    const ports = Int32Array.from(targets, (target) => ('path' in target ? -1 : target.port));
    const fd = Number.isFinite(lastFreeFd) ? lastFreeFd : 0;
    const limits = [listenFd, noDelay ? 1 : 0, maxConnections, idleMs, connectMs, lifeMs, fd, deliveryMs];
    const lists = [allow ? 1 : 0, deny ? 1 : 0];
    const blocks = [...(allow ?? []), ...(deny ?? [])];
    const numbers = [
      ...(allow ?? []).map(({ bits }) => [1, bits]),
      ...(deny ?? []).map(({ bits }) => [0, bits]),
    ];
    try {
      this.#id = addon.openLane(
        Float64Array.of(...limits, ...lists),
        [...addresses, ...blocks.map(({ text }) => text)],
        ports,
        Int32Array.from(numbers.flat()),
      );
    } catch (error) {
      const { errno, syscall } = error as NodeJS.ErrnoException;
      throw errno === undefined ? error : createErrnoError(-errno, syscall ?? 'openLane');
    }
    lanes.set(this.#id, this);
  }

  /** What the engine has told of the lane itself. */
  settle(what: number): void {
    if (what & shut) this.#closing.resolve(undefined);
    if (!(what & over)) return;
    lanes.delete(this.#id);
    this.#ending.resolve(undefined);
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

  cutConnection(id: number): void {
    this.#addon.cutConnection(id);
  }

  readConnection(id: number): { up: LaneFlowState; down: LaneFlowState } | undefined {
    const state = this.#state.fill(-1);
    this.#addon.readConnection(id, state);
    if (state[0] === -1) return undefined;
    return { up: readState(state, 0), down: readState(state, 3) };
  }
}

/** Rows as native/addon_lane_events.c describes them. */
function deliverNotifications(rows: Float64Array): void {
  const batches = new Map<RunningLane, LaneEvent[]>();
  const states: [RunningLane, number][] = [];
  for (let at = 0; at < rows.length; at += rowLength) {
    const row = rows.subarray(at, at + rowLength);
    const [what = 0, laneId = 0] = row;
    const lane = lanes.get(laneId);
    if (!lane) continue;
    const batch = batches.get(lane) ?? [];
    batches.set(lane, batch);
    if (what & ofLane) addLaneEvents(row, batch);
    else addConnectionEvents(row, lane, batch);
    if (what & ofLane) states.push([lane, what]);
  }
  for (const [lane, batch] of batches) if (batch.length > 0) lane.onEvents?.(batch);
  for (const [lane, what] of states) lane.settle(what);
}

function addLaneEvents(row: Float64Array, batch: LaneEvent[]): void {
  const errno = row[3] ?? 0;
  if (errno !== 0) batch.push({ type: 'shortage', error: createErrnoError(errno, 'accept') });
}

function addConnectionEvents(row: Float64Array, lane: RunningLane, batch: LaneEvent[]): void {
  const [what = 0, , id = 0, errno = 0, side = 0, upBytes = 0, downBytes = 0, durationMs = 0, refusals = 0] =
    row;
  if (what & denied) batch.push({ type: 'denied', remote: readName(row, 0) });
  if (what & accepted) {
    lane.connections++;
    batch.push({ type: 'accepted', id, remote: readName(row, 0), local: readName(row, 1) });
  }
  if (refusals > 0) addRefusals(row, lane, batch);
  if (what & connected) batch.push({ type: 'connected', id, target: refusals, local: readName(row, 2) });
  if (what & over) {
    lane.connections--;
    if (refusals > 0) lane.toldRefusals.delete(id);
    const broken = side === 1 ? 'client' : side === 2 ? 'target' : undefined;
    const error = errno === 0 ? undefined : createErrnoError(errno, broken === 'client' ? 'read' : 'write');
    batch.push({ type: 'ended', id, upBytes, downBytes, durationMs, error, broken });
  }
}

function addRefusals(row: Float64Array, lane: RunningLane, batch: LaneEvent[]): void {
  const [, , id = 0, , , , , , refusals = 0] = row;
  for (let target = lane.toldRefusals.get(id) ?? 0; target < refusals; target++) {
    batch.push({ type: 'refused', id, target, errno: row[refusalsAt + target] ?? 0 });
  }
  lane.toldRefusals.set(id, refusals);
}

function readName(row: Float64Array, nth: number): LaneName | undefined {
  const at = namesAt + nth * nameLength;
  const [family = 0, port = 0, ...words] = row.subarray(at, at + nameLength);
  return family === 0 ? undefined : { address: formatLaneAddress(family, words), port };
}
