import type { Readable, Writable } from 'node:stream';
import { findBreak } from '../net/patient-socket.ts';
import type { Ending, Flow, FlowOptions } from './flow.ts';
import { loadNativeAddon, type NativeAddon } from '../native/addon.ts';
import {
  handBackNativeFlows,
  startNativeFlow,
  type EndDescriptor,
  type NativeEnding,
} from './native-flow.ts';
import {
  addToCounter,
  findSinkDescriptor,
  findSourceDescriptor,
  guardErrors,
  holdDescriptor,
  shareDescriptor,
  takeSource,
  tellSinkEnd,
  tellSourceEnd,
  whenFlushed,
  type TakenSource,
} from './splice-end.ts';
import { guarded } from '../net/guard.ts';

/** A flow's two ends may be streams with one descriptor each, or plain descriptors. */
export interface SpliceFlowOptions extends Omit<FlowOptions, 'source' | 'sink'> {
  /** A net.Socket, an untouched file stream, or a descriptor, which its owner closes. */
  readonly source: Readable | number;
  readonly sink: Writable | number;
}

/**
 * Lets the two flows of a connection begin together, each when it is ready and neither before the other. One that
 * begins alone may use up the reset that the other has to report.
 */
class Gate {
  readonly #addon: NativeAddon;
  #first: (() => void) | undefined;

  constructor(addon: NativeAddon) {
    this.#addon = addon;
  }

  arrive(begin: () => void): void {
    if (!this.#first) {
      this.#first = begin;
      return;
    }
    gatherTurn(this.#addon);
    this.#first();
    begin();
  }
}

let isGathering = false;

/** Submits all requests of this turn to the engine at its end: the engine is woken once. */
function gatherTurn(addon: NativeAddon): void {
  if (isGathering) return;
  isGathering = true;
  addon.gather(true);
  setImmediate(() => {
    isGathering = false;
    addon.gather(false);
  });
}

/** A flow in the native engine. */
export interface SpliceFlow extends Flow {
  /** Milliseconds since it last moved a byte. */
  readonly idleMs: number;
  /** Its number in the engine, once it has begun there. */
  readonly engineId: number | undefined;
  /** For handBackPair(). */
  takeBack(): Buffer | undefined;
}

type StopReason = Parameters<Flow['stop']>[0];

const activityIntervalMs = 100;
const nothing = Buffer.alloc(0);

/**
 * Starts a flow in the native engine, or returns undefined when that is impossible: no addon, a transform, an end
 * without a descriptor (TLS, a terminal, a stream of the program's own) or one that is not open.
 *
 * JavaScript's part of the two streams is over from here on: reading stops, what had been read is sent first, and
 * the engine begins when the sink has taken what JavaScript wrote before. The streams still belong to their owner,
 * who destroys them when both directions are over: a socket is lent to the engine, and closed once the engine has
 * released it; of everything else the engine has a duplicate. `onActivity` is called ten times a second at most,
 * with sums.
 *
 * The two flows of one socket are for `spliceFlowPair`: the kernel reports a reset once, and of two engines only
 * one would see it.
 */
export function spliceFlow(options: SpliceFlowOptions): SpliceFlow | undefined {
  const found = findDescriptors(options);
  return found && new RunningSpliceFlow(found, options, (begin) => begin());
}

/** Like `spliceFlow`, for the two opposite flows of a connection: both, or undefined. */
export function spliceFlowPair(
  first: SpliceFlowOptions,
  second: SpliceFlowOptions,
): [SpliceFlow, SpliceFlow] | undefined {
  const [one, other] = [findDescriptors(first), findDescriptors(second)];
  if (!one || !other) return undefined;
  const gate = new Gate(one.addon);
  const whenReady: Ready = (begin) => gate.arrive(begin);
  return [new RunningSpliceFlow(one, first, whenReady), new RunningSpliceFlow(other, second, whenReady)];
}

/**
 * Ends the two flows of a connection where they stand, for others to go on with their streams: `ended` then never settles.
 * Waits for the engine's thread, so that no byte moves after this has returned.
 *
 * @returns of each what was read and not taken; undefined: it ends by itself, or has ended, as `ended` says
 */
export function handBackPair(
  one: SpliceFlow,
  other: SpliceFlow,
): readonly [Buffer | undefined, Buffer | undefined] {
  const addon = loadNativeAddon();
  const ids = [one, other].flatMap(({ engineId }) => engineId ?? []);
  if (addon && ids.length > 0) handBackNativeFlows(addon, ids);
  return [one.takeBack(), other.takeBack()];
}

/** Calls `begin` when the flow may begin. */
type Ready = (begin: () => void) => void;

interface Descriptors {
  readonly addon: NativeAddon;
  readonly source: EndDescriptor;
  readonly sink: EndDescriptor;
}

function findDescriptors(
  options: Pick<SpliceFlowOptions, 'source' | 'sink' | 'transforms'>,
): Descriptors | undefined {
  const addon = loadNativeAddon();
  if (!addon || options.transforms?.length) return undefined;
  const source = findSourceDescriptor(addon, options.source);
  const sink = source && findSinkDescriptor(addon, options.sink);
  return source && sink && { addon, source, sink };
}

class RunningSpliceFlow implements SpliceFlow {
  readonly ended: Promise<Ending>;
  readonly #addon: NativeAddon;
  readonly #options: SpliceFlowOptions;
  readonly #source: EndDescriptor | undefined;
  readonly #sink: EndDescriptor;
  readonly #taken: TakenSource;
  /** bytesRead, bytesSent, idleMs, blocked: filled by the engine while the flow runs. */
  readonly #state = new Float64Array(4);
  readonly #settle: (ending: Ending) => void;
  readonly #whenReady: Ready;
  #hasArrived = false;
  /** Set when the engine has the flow. */
  #id: number | undefined;
  #isOver = false;
  #isFinished = false;
  /** Why it was stopped; the ending says so unless the flow had ended by itself. */
  #stopped: Pick<Ending, 'reason' | 'error' | 'side'> | undefined;
  /** Functions that release the streams. */
  readonly #releases: readonly (() => void)[];
  /** What was handed back. */
  #handed: Buffer | undefined;
  #activityTimer: NodeJS.Timeout | undefined;
  #activityBytes = 0;

  constructor({ addon, source, sink }: Descriptors, options: SpliceFlowOptions, whenReady: Ready) {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.ended = promise;
    this.#settle = resolve;
    this.#addon = addon;
    this.#options = options;
    this.#whenReady = whenReady;
    this.#source = isEnded(options.source) ? undefined : shareDescriptor(source, options.source, 'source');
    this.#sink = shareDescriptor(sink, options.sink, 'sink');
    this.#taken = takeSource(options.source);
    const headBytes = this.#taken.head?.length ?? 0;
    this.#state[0] = headBytes;
    addToCounter(options.source, 'bytesRead', () => this.bytesRead - headBytes);
    addToCounter(options.sink, 'bytesWritten', () => this.bytes);
    guardErrors(options.source);
    guardErrors(options.sink);
    this.#releases = [
      watchClose(options.source, 'source', () => this.#abandon('source', options.source)),
      watchClose(options.sink, 'sink', () => this.#abandon('sink', options.sink)),
    ];
    const begin = () => whenFlushed(options.sink, () => this.#arrive());
    // Taking the last bytes of a source that has broken makes it say so in the next tick.
    if (this.#taken.head) process.nextTick(guarded(begin));
    else begin();
  }

  get bytes(): number {
    return this.#read()[1] ?? 0;
  }

  get bytesRead(): number {
    return this.#read()[0] ?? 0;
  }

  get idleMs(): number {
    return this.#read()[2] ?? 0;
  }

  get untakenBytes(): number {
    return this.bytesRead - this.bytes;
  }

  get blocked(): boolean {
    return this.#read()[3] === 1;
  }

  stop(reason: StopReason, error?: Error): void {
    if (this.#isOver || this.#stopped) return;
    this.#stop({ reason, error });
  }

  finish(): void {
    if (this.#isOver) return;
    this.#isFinished = true;
    if (this.#id !== undefined) this.#addon.finish(this.#id);
  }

  get engineId(): number | undefined {
    return this.#isOver ? undefined : this.#id;
  }

  takeBack(): Buffer | undefined {
    if (!this.#isOver && this.#id === undefined) this.#giveBack(this.#taken.head);
    return this.#handed;
  }

  #read(): Float64Array {
    if (this.#id !== undefined && !this.#isOver) this.#addon.read(this.#id, this.#state);
    return this.#state;
  }

  #stop(stopped: Pick<Ending, 'reason' | 'error' | 'side'>): void {
    this.#stopped = stopped;
    if (this.#id !== undefined) this.#addon.stop(this.#id);
    else this.#end(stopped);
  }

  /** A flow that is over arrives too: the other one must not wait for it. */
  #arrive(): void {
    if (this.#hasArrived) return;
    this.#hasArrived = true;
    this.#whenReady(() => this.#begin());
  }

  #begin(): void {
    if (this.#isOver) return;
    const { source, sink, onEnd, onActivity, lastWordsMs = 0 } = this.#options;
    const broken = typeof sink === 'number' ? undefined : findBreak(sink);
    if (broken) {
      this.#end({ reason: 'reset', error: broken.error, side: 'sink' });
      return;
    }
    const isClosed = typeof source !== 'number' && source.errored !== null;
    const from = this.#isFinished || isClosed ? undefined : this.#source;
    const halfClose = onEnd !== 'keep-open' && !this.#sourceError;
    try {
      this.#id = startNativeFlow(
        this.#addon,
        { source: from, sink: this.#sink, head: this.#taken.head, halfClose, lastWordsMs },
        (ending) => this.#settleNative(ending),
      );
    } catch (error) {
      this.#end({ reason: 'reset', error: error as Error });
      return;
    }
    if (onActivity) {
      this.#activityTimer = setInterval(
        guarded(() => this.#reportActivity()),
        activityIntervalMs,
      ).unref();
    }
  }

  /** How to interpret the source's end. The system reports a break once, and a write may have used that up. */
  get #sourceError(): Error | null {
    const { source } = this.#options;
    if (typeof source === 'number') return null;
    const broken = findBreak(source);
    return source.errored ?? (broken?.hasEnded === false ? broken.error : null);
  }

  #settleNative({ error, side, bytesRead, bytesSent, restMs, oppositeRead, handed }: NativeEnding): void {
    this.#state.set([bytesRead, bytesSent, 0, 0]);
    if (handed) {
      if (side === 'source' && !this.#isFinished) tellSourceEnd(this.#options.source);
      this.#giveBack(handed);
      return;
    }
    const rest = restMs === undefined ? undefined : { restMs };
    if (this.#stopped && error?.code === 'ECANCELED') this.#end({ ...this.#stopped, ...rest });
    else if (error) this.#end({ reason: 'reset', error, side, ...rest });
    else if (this.#sourceError)
      this.#end({ reason: 'reset', error: this.#sourceError, side: 'source', ...rest });
    else this.#end({ reason: 'eof', ...(oppositeRead !== undefined && { oppositeRead }) });
  }

  #end(ending: Pick<Ending, 'reason' | 'error' | 'side' | 'restMs' | 'oppositeRead'>): void {
    this.#leave(ending.reason !== 'eof' && ending.side !== 'source');
    if (ending.reason === 'eof') this.#tellStreams();
    for (const release of this.#releases) release();
    const [bytesRead = 0, bytes = 0] = this.#state;
    this.#settle({ ...ending, bytes, unsentBytes: bytesRead - bytes });
  }

  #giveBack(rest: Buffer = nothing): void {
    this.#handed = rest;
    // The other one may wait for this one before it begins: it is given back as well, and must not begin.
    this.#hasArrived = true;
    this.#leave(true);
    for (const release of this.#releases) release();
  }

  /** @param resume whether JavaScript goes on reading */
  #leave(resume: boolean): void {
    this.#isOver = true;
    this.#arrive();
    this.#reportActivity();
    clearInterval(this.#activityTimer);
    this.#taken.release(resume);
  }

  /** The kernel's part of the ends is done; this updates the streams. */
  #tellStreams(): void {
    const { source, sink, onEnd } = this.#options;
    if (!this.#isFinished) tellSourceEnd(source);
    if (onEnd !== 'keep-open') tellSinkEnd(sink);
  }

  #reportActivity(): void {
    const delta = this.bytesRead - this.#activityBytes;
    this.#activityBytes += delta;
    if (delta > 0) this.#options.onActivity?.(delta);
  }

  /** A stream is being destroyed: what the engine holds of it would keep the connection open. */
  #abandon(side: 'source' | 'sink', stream: Readable | Writable | number): void {
    // What a broken source had read is still being delivered.
    if (this.#isOver || this.#stopped || (side === 'source' && this.#sourceError && this.#taken.head)) return;
    const error = typeof stream === 'number' ? null : stream.errored;
    this.#stop(error ? { reason: 'reset', error, side } : { reason: 'aborted', side });
  }
}

/** Calls `onClose` when the stream is being closed; the returned function stops that. */
function watchClose(
  stream: Readable | Writable | number,
  side: 'source' | 'sink',
  onClose: () => void,
): () => void {
  if (typeof stream === 'number') return () => undefined;
  const release = holdDescriptor(stream, side, onClose);
  if (release) return release;
  stream.on('close', onClose);
  return () => stream.off('close', onClose);
}

function isEnded(source: Readable | number): boolean {
  return typeof source !== 'number' && source.readableEnded;
}
