import type { Readable, Writable } from 'node:stream';
import { findBreak, kBroken, kHalfClosed, PatientSocket } from '../net/patient-socket.ts';
import { descriptorKinds, type DescriptorKind, type NativeAddon } from '../native/addon.ts';
import type { EndDescriptor } from './native-flow.ts';

/** The parts of node:net's TCP and Pipe handles that are used here. */
interface StreamHandle {
  readonly fd: number;
  reading: boolean;
  readStart: () => number;
  readStop: () => number;
  close: (done?: () => void) => void;
  /** TCP only. */
  reset?: (done?: () => void) => number;
  [kLent]?: Lent;
}

interface HandleStream {
  readonly _handle?: StreamHandle | null;
  readonly connecting?: boolean;
  readonly allowHalfOpen?: boolean;
  readonly writable?: boolean;
  /** tnet's Socket after setSecure(): its handle still has the descriptor, but not the bytes its user sees. */
  readonly secureLayer?: unknown;
}

interface FileStream {
  readonly fd?: unknown;
  readonly isTTY?: boolean;
  /** Where it reads or writes; undefined for the file's own position. */
  readonly pos?: number;
  readonly end?: unknown;
  readonly bytesRead?: number;
}

const carried: readonly DescriptorKind[] = ['socket', 'pipe', 'file', 'device'];

/** See EndDescriptor: sockets are lent, and holdDescriptor() keeps them open. */
const lending = { none: 0, unix: 1, inet: 2 } as const;

/** The descriptor that the engine can read instead of `source`; undefined when it must not. */
export function findSourceDescriptor(
  addon: NativeAddon,
  source: Readable | number,
): EndDescriptor | undefined {
  if (typeof source === 'number') return check(addon, source);
  if (source.destroyed || source.errored || source.readableObjectMode || source.readableEncoding)
    return undefined;
  const handle = handleOf(source);
  if (handle) return checkHandle(addon, handle);
  return isUntouchedFile(source) ? check(addon, fileDescriptor(source)) : undefined;
}

/** The descriptor that the engine can write to instead of `sink`; undefined when it must not. */
export function findSinkDescriptor(addon: NativeAddon, sink: Writable | number): EndDescriptor | undefined {
  if (typeof sink === 'number') return check(addon, sink);
  if (sink.destroyed || sink.errored || sink.writableEnded || sink.writableObjectMode) return undefined;
  const handle = handleOf(sink);
  if (handle) return checkHandle(addon, handle);
  return (sink as FileStream).pos === undefined ? check(addon, fileDescriptor(sink)) : undefined;
}

function check(addon: NativeAddon, fd: number): EndDescriptor | undefined {
  return isCarried(describe(addon, fd)) ? { fd, lent: lending.none } : undefined;
}

function checkHandle(addon: NativeAddon, handle: StreamHandle): EndDescriptor | undefined {
  const { fd } = handle;
  if (handle.reset && fd >= 0) return { fd, lent: lending.inet };
  const kind = describe(addon, fd);
  return isCarried(kind) ? { fd, lent: kind === 'socket' ? lending.unix : lending.none } : undefined;
}

function describe(addon: NativeAddon, fd: number): DescriptorKind | undefined {
  return Number.isInteger(fd) && fd >= 0 ? descriptorKinds[addon.describe(fd)] : undefined;
}

function isCarried(kind: DescriptorKind | undefined): boolean {
  return kind !== undefined && carried.includes(kind);
}

/** Only node:net's own handles: a TLS socket has a descriptor too, but not the bytes its user sees. */
function handleOf(stream: Readable | Writable): StreamHandle | undefined {
  const { _handle: handle, connecting, secureLayer } = stream as HandleStream;
  if (!handle || connecting || secureLayer !== undefined) return undefined;
  const { name } = handle.constructor;
  return name === 'TCP' || name === 'Pipe' ? handle : undefined;
}

function fileDescriptor(stream: Readable | Writable): number {
  const { fd, isTTY } = stream as FileStream;
  return typeof fd === 'number' && !isTTY && !(stream as HandleStream)._handle ? fd : -1;
}

/** A file stream that has been read from may have a read under way in Node's thread pool. */
function isUntouchedFile(source: Readable): boolean {
  const { pos, end, bytesRead } = source as FileStream;
  return (
    pos === undefined &&
    (end === undefined || end === Infinity) &&
    bytesRead === 0 &&
    source.readableLength === 0 &&
    source.readableFlowing === null &&
    source.listenerCount('readable') === 0
  );
}

/** What a flow does with a stream. */
type Side = 'source' | 'sink';

/**
 * Keeps a socket's descriptor open while the engine uses it: when its owner closes it, all holders are notified,
 * and it is closed when the last of them has released it.
 *
 * @returns a function that releases it; undefined for a stream that is not a socket
 */
export function holdDescriptor(
  stream: Readable | Writable | number,
  side: Side,
  onClose: () => void,
): (() => void) | undefined {
  const handle = typeof stream === 'number' ? undefined : handleOf(stream);
  if (!handle) return undefined;
  const lent = lend(handle);
  lent.holders.add(onClose);
  lent.sides[side]++;
  return () => {
    if (!lent.holders.delete(onClose)) return;
    lent.sides[side]--;
    if (lent.holders.size === 0) lent.close?.();
  };
}

/**
 * The descriptor for one more flow: epoll(7) watches one only once, so a second flow to the same socket, as when a
 * server's standard output is a socket and several clients write to it, gets a duplicate.
 */
export function shareDescriptor(
  end: EndDescriptor,
  stream: Readable | Writable | number,
  side: Side,
): EndDescriptor {
  const handle = typeof stream === 'number' ? undefined : handleOf(stream);
  return handle?.[kLent] && handle[kLent].sides[side] > 0 ? { ...end, lent: lending.none } : end;
}

/** A handle whose descriptor the engine uses. */
interface Lent {
  /** Called when it is to be closed; it is kept open as long as there are any. */
  readonly holders: Set<() => void>;
  /** How many flows read it, and how many write to it. */
  readonly sides: Record<Side, number>;
  /** Closes it. */
  close: (() => void) | undefined;
  /** Whether the engine reads it; then JavaScript does not. */
  isTaken: boolean;
  /** Whether JavaScript would be reading it. */
  isWanted: boolean;
  /** Functions that return what flows have moved. */
  readonly bytesRead: (() => number)[];
  readonly bytesWritten: (() => number)[];
}

const kLent = Symbol('tnet.lent');

/** Overrides the methods of its class that work differently for a handle that is lent. */
function lend(handle: StreamHandle): Lent {
  if (handle[kLent]) return handle[kLent];
  const lent: Lent = {
    holders: new Set(),
    sides: { source: 0, sink: 0 },
    close: undefined,
    isTaken: false,
    isWanted: false,
    bytesRead: [],
    bytesWritten: [],
  };
  const own = Object.getPrototypeOf(handle) as StreamHandle;
  let prototype = lentPrototypes.get(own);
  if (!prototype) lentPrototypes.set(own, (prototype = createLentPrototype(own)));
  Object.setPrototypeOf(handle, prototype);
  handle[kLent] = lent;
  return lent;
}

/**
 * By the prototype of the class: one object shared by all of its handles costs less than properties on each of
 * them.
 */
const lentPrototypes = new WeakMap<StreamHandle, object>();

function createLentPrototype(own: StreamHandle): object {
  const closeLater = (lent: Lent, close: () => void): void => {
    lent.close = close;
    if (lent.holders.size === 0) close();
    for (const onClose of lent.holders) onClose();
  };
  const sum = (counts: Lent['bytesRead']) => counts.reduce((total, count) => total + count(), 0);
  const methods = {
    readStart(this: LentHandle): number {
      if (!this[kLent].isTaken) return own.readStart.call(this);
      this[kLent].isWanted = true;
      return 0;
    },
    close(this: LentHandle, done?: () => void): void {
      closeLater(this[kLent], () => own.close.call(this, done));
    },
    get bytesRead(): number {
      return (Reflect.get(own, 'bytesRead', this) as number) + sum(lentOf(this).bytesRead);
    },
    get bytesWritten(): number {
      return (Reflect.get(own, 'bytesWritten', this) as number) + sum(lentOf(this).bytesWritten);
    },
  };
  const prototype = Object.create(own, Object.getOwnPropertyDescriptors(methods)) as StreamHandle;
  const { reset } = own;
  if (reset) {
    prototype.reset = function (this: LentHandle, done) {
      closeLater(this[kLent], () => {
        if (reset.call(this, done) !== 0) own.close.call(this, done);
      });
      return 0;
    };
  }
  return prototype;
}

type LentHandle = StreamHandle & { readonly [kLent]: Lent };

function lentOf(handle: object): Lent {
  return (handle as LentHandle)[kLent];
}

/** The state that JavaScript handed over with a source. */
export interface TakenSource {
  /** What JavaScript had read from it. */
  readonly head: Buffer | undefined;
  /** Lets JavaScript read again; with `resume`, it continues where the engine stopped. */
  release(resume: boolean): void;
}

/** Stops JavaScript from reading `source`, whatever its users call meanwhile, and takes what it had read. */
export function takeSource(source: Readable | number): TakenSource {
  if (typeof source === 'number') return { head: undefined, release: () => undefined };
  source.pause();
  const head = readBuffered(source);
  const handle = handleOf(source);
  if (!handle) return { head, release: () => undefined };
  const lent = lend(handle);
  lent.isWanted = handle.reading;
  if (lent.isWanted) handle.readStop();
  // From here on resume() or a 'data' listener reads nothing.
  lent.isTaken = true;
  const release = (resume: boolean) => {
    lent.isTaken = false;
    handle.reading = resume && lent.isWanted && !source.destroyed;
    if (handle.reading) handle.readStart();
  };
  return { head, release };
}

function readBuffered(source: Readable): Buffer | undefined {
  if (source.readableLength === 0) return undefined;
  const chunks: Buffer[] = [];
  for (let chunk: unknown; (chunk = source.read()) !== null;) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/**
 * Tells JavaScript that the source has ended, so that 'end' is emitted and `readableEnded` is true. The engine has
 * checked whether its connection is broken.
 */
export function tellSourceEnd(source: Readable | number): void {
  if (typeof source === 'number' || source.destroyed) return;
  // node:net answers 'end' by ending such a socket's other direction, which another flow may be using.
  const { allowHalfOpen, writable } = source as HandleStream;
  if (allowHalfOpen === false && writable) return;
  if (source instanceof PatientSocket && handleOf(source)) source.endReading();
  else source.push(null);
  source.read(0);
}

/** Tells JavaScript that the engine has half-closed the sink, or ends a sink that has no half-close. */
export function tellSinkEnd(sink: Writable | number): void {
  if (typeof sink === 'number' || sink.destroyed) return;
  if (sink instanceof PatientSocket && handleOf(sink)) sink[kHalfClosed] = true;
  sink.end();
}

/**
 * Adds what the engine moves to a socket's `bytesRead` or `bytesWritten`, for the rest of its life: node:net asks its
 * handle for them, and keeps the last answer when it closes the handle.
 */
export function addToCounter(
  stream: Readable | Writable | number,
  name: 'bytesRead' | 'bytesWritten',
  count: () => number,
): void {
  const handle = typeof stream === 'number' ? undefined : handleOf(stream);
  if (handle) lend(handle)[name].push(count);
}

const guarded = new WeakSet<Readable | Writable>();

/** Gives a stream an 'error' listener for the rest of its life, once: an error after the flow must not end the process. */
export function guardErrors(stream: Readable | Writable | number): void {
  if (typeof stream === 'number' || guarded.has(stream)) return;
  guarded.add(stream);
  stream.on('error', () => undefined);
}

/**
 * Calls `then` when the system has taken all that JavaScript wrote to `sink`, or when it never will; at once if
 * that is already the case. May call it twice.
 */
export function whenFlushed(sink: Writable | number, then: () => void): void {
  if (typeof sink === 'number' || sink.writableLength === 0 || findBreak(sink)) {
    then();
    return;
  }
  // A socket holds back a failed write until its reader is at the end, and it is no longer read.
  sink.once(kBroken, then);
  sink.write(Buffer.alloc(0), () => {
    sink.off(kBroken, then);
    then();
  });
}
