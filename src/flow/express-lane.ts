import { loadNativeAddon, type NativeAddon } from '../native/addon.ts';
import { formatLaneAddress } from './lane-address.ts';
import { createErrnoError, listenToEngine } from './native-flow.ts';
import { deliveryMs } from '../net/connection.ts';
import type { Credentials } from '../native/messages.ts';
import type { Prefix } from '../address/prefix.ts';

/** Where an express lane's connections go. Addresses are numeric: names are looked up beforehand. */
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
  /** Tried in order for each connection. At most 4; none if each answer has one. */
  readonly targets: readonly LaneTarget[];
  /**
   * Each connection is asked about before it is connected: at once, or once its client has sent something, has
   * ended or has been silent for a tenth of a second. Default: none is.
   */
  readonly asks?: 'at-once' | 'first-bytes' | undefined;
  /** Echoes what clients send, and needs no target. Default false. */
  readonly echoes?: boolean;
  /** TCP_NODELAY on both sides. Default true. */
  readonly noDelay?: boolean;
  /** Connections at once; more wait in the backlog. Default 0: no limit. */
  readonly maxConnections?: number;
  /**
   * Resets a connection after this long without a byte in either direction, checked ten times a second. Default 0:
   * never.
   */
  readonly idleMs?: number;
  /** The limit for connecting to all targets together. Default 0: the system's own limit. */
  readonly connectMs?: number;
  /** Resets a connection this long after it was connected to its target. Default 0: never. */
  readonly lifeMs?: number;
  /**
   * Once an accepted connection has this descriptor or a higher one, there is a `shortage`: accepting pauses until
   * a lower one is free. Default 0: the system's limit is the only one.
   */
  readonly lastFreeFd?: number;
  /** Which clients are admitted: as src/access/access-list.ts judges. Default: all. */
  readonly access?: LaneAccess | undefined;
  /** Called with what has happened, in order, in batches. */
  readonly onEvents?: (events: readonly LaneEvent[]) => void;
}

/** Access lists. Without an allow list all are allowed, with an empty one none. */
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
  /** The client's address, and our address of that connection; undefined for a Unix socket. */
  | {
      readonly type: 'accepted';
      readonly id: number;
      readonly remote: LaneName | undefined;
      readonly local: LaneName | undefined;
      /** Of the process of a Unix client, where the system tells. */
      readonly credentials: Credentials | undefined;
    }
  /** A client that the access lists refused: it was reset. Undefined: it has no address. */
  | { readonly type: 'denied'; readonly remote: LaneName | undefined }
  /** To be answered, once, by answer(). `said`: the client's first bytes, up to 1024, which are not read yet. */
  | { readonly type: 'asked'; readonly id: number; readonly said: Uint8Array }
  /** It no longer belongs to the lane; the receiver of the event closes the client's descriptor. */
  | { readonly type: 'taken'; readonly id: number; readonly fd: number }
  /**
   * The connect that was under way when it was taken has succeeded. The receiver of the event closes the
   * descriptor.
   */
  | { readonly type: 'dialled'; readonly id: number; readonly fd: number }
  /**
   * A target, given by its index in `targets`, did not accept it; the next one is tried. One that was answered must
   * then be taken or stopped. ECANCELED: there was no time left for one that was taken.
   */
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
      /**
       * Bytes of the client that the target took, and the other way round; for an echo, what went back and what
       * came.
       */
      readonly upBytes: number;
      readonly downBytes: number;
      /** Since it was accepted. */
      readonly durationMs: number;
      /**
       * What broke: for an echo, reading counts as the client, and writing as the target. Without `broken` it is
       * ETIMEDOUT for connectMs and idleMs, ECONNABORTED for lifeMs, ELOOP for a client that is a lane's own
       * connection to a target, ECANCELED when it was stopped or cut; both sides have been reset then.
       */
      readonly error: NodeJS.ErrnoException | undefined;
      /**
       * Which side broke, when one did; if no target accepted the connection, that counts as the target's break.
       */
      readonly broken: 'client' | 'target' | undefined;
    }
  /**
   * The system has no descriptors or memory for another connection; they wait in the backlog. Reported once per
   * shortage.
   */
  | { readonly type: 'shortage'; readonly error: NodeJS.ErrnoException };

/** What happens to a connection that was asked about. */
export interface LaneAnswer {
  /** Where it goes. Default: the lane's own targets. */
  readonly target?: LaneTarget | undefined;
  /** Take it instead, as takeConnection() does. */
  readonly take?: boolean;
  /** How many of the client's first bytes to drop. Default 0. */
  readonly skipped?: number;
  /** What is sent to the target before anything else. */
  readonly head?: Uint8Array | undefined;
}

/** A running express lane. */
export interface ExpressLane {
  /** Connections that are not over, as far as they have been reported. */
  readonly connections: number;
  /** Settles when it accepts no more connections, and all that it has accepted have been reported. */
  readonly closed: Promise<void>;
  /** Settles when the lane is closed and its last connection is over. */
  readonly ended: Promise<void>;
  /** Accepts no more connections. The open ones go on. */
  close(): void;
  /** Accepts no more connections and resets the open ones. */
  stop(): void;
  /** Resets one connection. */
  stopConnection(id: number): void;
  /**
   * Ends one connection from our side: what has been read is delivered, for half a second at most, and both sides
   * are reset, so that no peer mistakes a part for the whole. One that is not connected yet is reset at once.
   */
  cutConnection(id: number): void;
  /**
   * Answers for a connection that was asked about; the answers of one turn go together. One that has ended needs no
   * answer.
   */
  answer(id: number, answer: LaneAnswer): void;
  /**
   * Takes a connection out of the lane that is not connected yet: 'taken' follows, and 'dialled' or 'refused' for a
   * connect that is under way. If it has been connected meanwhile, nothing happens. It keeps its place among
   * `maxConnections`, and the lane open, until stopConnection() is called.
   */
  takeConnection(id: number): void;
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
const questionAt = namesAt + 3 * nameLength;
const rowLength = questionAt + 3;
const [accepted, connected, over, ofLane, denied, shut] = [1, 2, 4, 8, 32, 64];
const [asked, taken, dialled] = [128, 256, 512];

const lanes = new Map<number, RunningLane>();

/**
 * Opens an express lane, or returns undefined when there is no native engine.
 *
 * @throws {Error} with `code` when the descriptor is not a listening non-blocking socket or an address is not
 *   numeric.
 */
export function openExpressLane(options: ExpressLaneOptions): ExpressLane | undefined {
  const addon = loadNativeAddon();
  if (!addon) return undefined;
  listenToEngine(addon);
  addon.listenToLanes(deliverNotifications);
  return new RunningLane(addon, options);
}

/** Makes all lanes report now what they would report within the next 10 ms: for a caller that is about to count. */
export function tellLanes(): void {
  if (lanes.size > 0) loadNativeAddon()?.tellLanes();
}

function readState(state: Float64Array, at: number): LaneFlowState {
  const [bytesRead = 0, bytes = 0, blocked] = state.subarray(at, at + 3);
  return { bytesRead, bytes, blocked: blocked === 1 };
}

/** In place of a port, as in native/addon_lane.c. */
const [unixPath, ownTargets, takes] = [-1, -2, -3];

function textOf(target: LaneTarget): string {
  return 'path' in target ? target.path : target.address;
}

function portOf(target: LaneTarget): number {
  return 'path' in target ? unixPath : target.port;
}

class RunningLane implements ExpressLane {
  connections = 0;
  readonly #closing = Promise.withResolvers<undefined>();
  readonly #ending = Promise.withResolvers<undefined>();
  readonly closed: Promise<void> = this.#closing.promise;
  readonly ended: Promise<void> = this.#ending.promise;
  readonly onEvents: ExpressLaneOptions['onEvents'];
  /** How many of a connection's refusals have been reported, if there are any. */
  readonly toldRefusals = new Map<number, number>();
  readonly #addon: NativeAddon;
  readonly #id: number;
  readonly #state = new Float64Array(6);
  readonly #answers: [id: number, answer: LaneAnswer][] = [];

  constructor(addon: NativeAddon, options: ExpressLaneOptions) {
    const { listenFd, targets, noDelay = true, maxConnections = 0, idleMs = 0 } = options;
    const { connectMs = 0, lifeMs = 0, lastFreeFd = 0, access } = options;
    const { allow, deny } = access ?? {};
    const { asks, echoes = false } = options;
    if ((targets.length === 0 && !asks && !echoes) || targets.length > targetsMost)
      throw new RangeError(`an express lane has 1 to ${targetsMost} targets`);
    this.onEvents = options.onEvents;
    this.#addon = addon;
    const addresses = targets.map(textOf);
    const ports = Int32Array.from(targets, portOf);
    const fd = Number.isFinite(lastFreeFd) ? lastFreeFd : 0;
    const limits = [listenFd, noDelay ? 1 : 0, maxConnections, idleMs, connectMs, lifeMs, fd, deliveryMs];
    const lists = [allow ? 1 : 0, deny ? 1 : 0, asks ? 1 : 0, asks === 'first-bytes' ? 1 : 0];
    const echo = echoes ? 1 : 0;
    const blocks = [...(allow ?? []), ...(deny ?? [])];
    const numbers = [
      ...(allow ?? []).map(({ bits }) => [1, bits]),
      ...(deny ?? []).map(({ bits }) => [0, bits]),
    ];
    try {
      this.#id = addon.openLane(
        Float64Array.of(...limits, ...lists, echo),
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

  /** Handles what the engine has reported about the lane itself. */
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

  answer(id: number, answer: LaneAnswer): void {
    if (this.#answers.length === 0) queueMicrotask(() => this.#sendAnswers());
    this.#answers.push([id, answer]);
  }

  #sendAnswers(): void {
    const answers = this.#answers.splice(0);
    const numbers = new Float64Array(answers.length * 4);
    const addresses: string[] = [];
    const heads: Uint8Array[] = [];
    for (const [index, [id, { target, take, skipped = 0, head }]] of answers.entries()) {
      const port = take ? takes : target ? portOf(target) : ownTargets;
      numbers.set([id, port, skipped, head?.length ?? 0], index * 4);
      addresses.push(target ? textOf(target) : '');
      if (head) heads.push(head);
    }
    this.#addon.answerConnections(numbers, addresses, Buffer.concat(heads));
  }

  takeConnection(id: number): void {
    this.#addon.takeConnection(id);
  }

  readConnection(id: number): { up: LaneFlowState; down: LaneFlowState } | undefined {
    const state = this.#state.fill(-1);
    this.#addon.readConnection(id, state);
    if (state[0] === -1) return undefined;
    return { up: readState(state, 0), down: readState(state, 3) };
  }
}

/** Rows as native/addon_lane_events.c describes them. */
function deliverNotifications(rows: Float64Array, bytes: Uint8Array): void {
  let bytesAt = 0;
  const batches = new Map<RunningLane, LaneEvent[]>();
  const states: [RunningLane, number][] = [];
  for (let at = 0; at < rows.length; at += rowLength) {
    const what = rows[at] ?? 0;
    const saidAt = bytesAt;
    bytesAt += rows[at + questionAt] ?? 0;
    const lane = lanes.get(rows[at + 1] ?? 0);
    if (!lane) continue;
    let batch = batches.get(lane);
    if (!batch) batches.set(lane, (batch = []));
    if (what & ofLane) {
      const errno = rows[at + 3] ?? 0;
      if (errno !== 0) batch.push({ type: 'shortage', error: createErrnoError(errno, 'accept') });
      states.push([lane, what]);
    } else {
      addArrival(rows, at, lane, batch);
      if (what & asked)
        batch.push({ type: 'asked', id: rows[at + 2] ?? 0, said: bytes.subarray(saidAt, bytesAt) });
      addConnectionEvents(rows, at, lane, batch);
    }
  }
  for (const [lane, batch] of batches) if (batch.length > 0) lane.onEvents?.(batch);
  for (const [lane, what] of states) lane.settle(what);
}

function addArrival(rows: Float64Array, at: number, lane: RunningLane, batch: LaneEvent[]): void {
  const what = rows[at] ?? 0;
  if (what & denied) batch.push({ type: 'denied', remote: readName(rows, at, 0) });
  if (!(what & accepted)) return;
  lane.connections++;
  const [remote, local] = [readName(rows, at, 0), readName(rows, at, 1)];
  const credentials = remote ? undefined : readCredentials(rows, at);
  batch.push({ type: 'accepted', id: rows[at + 2] ?? 0, remote, local, credentials });
}

function addConnectionEvents(rows: Float64Array, at: number, lane: RunningLane, batch: LaneEvent[]): void {
  const what = rows[at] ?? 0;
  const id = rows[at + 2] ?? 0;
  const refusals = rows[at + 8] ?? 0;
  if (refusals > 0) addRefusals(rows.subarray(at, at + rowLength), lane, batch);
  if (what & connected) batch.push({ type: 'connected', id, target: refusals, local: readName(rows, at, 2) });
  if (what & taken) batch.push({ type: 'taken', id, fd: rows[at + questionAt + 1] ?? -1 });
  if (what & dialled) batch.push({ type: 'dialled', id, fd: rows[at + questionAt + 2] ?? -1 });
  if (!(what & over)) return;
  lane.connections--;
  if (refusals > 0) lane.toldRefusals.delete(id);
  const errno = rows[at + 3] ?? 0;
  const side = rows[at + 4] ?? 0;
  const broken = side === 1 ? 'client' : side === 2 ? 'target' : undefined;
  batch.push({
    type: 'ended',
    id,
    upBytes: rows[at + 5] ?? 0,
    downBytes: rows[at + 6] ?? 0,
    durationMs: rows[at + 7] ?? 0,
    error: errno === 0 ? undefined : createErrnoError(errno, broken === 'client' ? 'read' : 'write'),
    broken,
  });
}

function addRefusals(row: Float64Array, lane: RunningLane, batch: LaneEvent[]): void {
  const [, , id = 0, , , , , , refusals = 0] = row;
  for (let target = lane.toldRefusals.get(id) ?? 0; target < refusals; target++) {
    batch.push({ type: 'refused', id, target, errno: row[refusalsAt + target] ?? 0 });
  }
  lane.toldRefusals.set(id, refusals);
}

function readCredentials(rows: Float64Array, rowAt: number): Credentials | undefined {
  const at = rowAt + namesAt + 2;
  const pid = rows[at] ?? 0;
  return pid > 0 ? { pid, uid: rows[at + 1] ?? 0, gid: rows[at + 2] ?? 0 } : undefined;
}

function readName(rows: Float64Array, rowAt: number, nth: number): LaneName | undefined {
  const at = rowAt + namesAt + nth * nameLength;
  const family = rows[at] ?? 0;
  if (family === 0) return undefined;
  const words = [
    rows[at + 2] ?? 0,
    rows[at + 3] ?? 0,
    rows[at + 4] ?? 0,
    rows[at + 5] ?? 0,
    rows[at + 6] ?? 0,
  ];
  return { address: formatLaneAddress(family, words), port: rows[at + 1] ?? 0 };
}
