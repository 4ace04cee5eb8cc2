import type { Readable, Writable } from 'node:stream';
import { guardStream } from '../net/guard.ts';
import { flushMark } from '../net/connection.ts';
import { kBroken } from '../net/patient-socket.ts';
import type { Ending, Flow, FlowOptions } from './flow.ts';

export interface StreamFlowOptions extends FlowOptions {
  /** Bytes that the sink is given first, as they are: those that another flow has read from the source. */
  readonly before?: Buffer;
}

/**
 * The flow engine on Node streams: every kind of end, with or without transforms.
 *
 * Uses events and not pipeline() or async iteration, because both destroy a duplex socket when one direction ends,
 * and the other direction's bytes with it (nodejs/node#49073).
 */
export function startStreamFlow(options: StreamFlowOptions): Flow {
  return new StreamFlow(options);
}

const guarded = new WeakSet<Readable | Writable>();

/**
 * Gives a stream an 'error' listener for the rest of its life, once: an error after the flow is over must not end
 * the process. Many flows may share a sink, so the warning about many listeners is turned off.
 */
function guardErrors(stream: Readable | Writable): void {
  if (guarded.has(stream)) return;
  guarded.add(stream);
  stream.setMaxListeners(0);
  stream.on('error', () => undefined);
}

class StreamFlow implements Flow {
  bytes = 0;
  bytesRead = 0;
  readonly ended: Promise<Ending>;

  readonly #options: StreamFlowOptions;
  /** What the source's chunks are written to: the first transform, or the sink itself. */
  readonly #head: Writable;
  /** Bytes given to the sink and not yet taken. */
  #pendingBytes = 0;
  /** Set when the source has come to its end, or is treated as if it had. */
  #sourceEnded = false;
  /** Set when the source broke: the flow settles with it when the sink has taken what came before. */
  #sourceFailure: Partial<Ending> | undefined;
  #settled = false;
  #settle!: (ending: Ending) => void;
  readonly #cleanups: (() => void)[] = [];

  constructor(options: StreamFlowOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const transforms = options.transforms ?? [];
    for (const stream of [options.source, options.sink]) guardErrors(stream);
    // Transforms sit between two connections and belong to no one else.
    for (const stream of transforms) guardStream(stream);
    this.#head = transforms[0] ?? options.sink;
    this.#linkTransforms();
    this.#watchSink();
    if (options.before?.length && !this.#settled) this.#writeToSink(options.before);
    this.#watchSource();
  }

  get untakenBytes(): number {
    const held = (this.#options.transforms ?? []).map((one) => one.writableLength + one.readableLength);
    return held.reduce((sum, bytes) => sum + bytes, this.#pendingBytes);
  }

  get blocked(): boolean {
    return this.#options.sink.writableNeedDrain;
  }

  stop(reason: 'timeout' | 'aborted' | 'limit', error?: Error): void {
    this.#finishWith({ reason, error });
  }

  finish(): void {
    if (this.#settled || this.#sourceEnded) return;
    // What it delivers after this would be written after the end.
    this.#options.source.pause();
    this.#sourceOnEnd();
  }

  #watchSource(): void {
    const { source } = this.#options;
    if (source.errored) return this.#sourceOnError(source.errored);
    if (source.readableEnded) return this.#sourceOnEnd();
    if (source.destroyed) return this.#sourceOnClose();
    this.#listen(source, 'data', (chunk) => this.#sourceOnData(chunk as Buffer));
    this.#listen(source, 'end', () => this.#sourceOnEnd());
    this.#listen(source, 'error', (error) => this.#sourceOnError(error as Error));
    this.#listen(source, 'close', () => this.#sourceOnClose());
    if ((source as unknown) === this.#options.sink) this.#watchItself(source);
    if (this.#head.writableNeedDrain) source.pause();
    else source.resume();
  }

  /**
   * A socket whose bytes go back to it has no one left to deliver to once it is broken. Waiting for the remaining
   * bytes would be waiting for itself: they are read when what was written has been taken.
   */
  #watchItself(socket: Readable): void {
    this.#listen(socket, kBroken, (error) => {
      this.#finishWith({ reason: 'reset', error: error as Error, side: 'source' });
    });
  }

  #watchSink(): void {
    const { sink } = this.#options;
    if (sink.errored) return this.#finishWith({ reason: 'reset', error: sink.errored, side: 'sink' });
    this.#listen(sink, 'error', (error) => {
      // A socket that fails while it is source and sink at once reports to the source's side first.
      if ((sink as unknown) !== this.#options.source) this.#sinkOnError(error as Error);
    });
    this.#listen(sink, 'close', () => {
      if (!sink.writableFinished && (sink as unknown) !== this.#options.source) {
        this.#finishWith({ reason: 'aborted', side: 'sink' });
      }
    });
    this.#listen(this.#head, 'drain', () => {
      if (!this.#sourceEnded && !this.#settled) this.#options.source.resume();
    });
  }

  /** Joins the transforms to each other and the last of them to the sink. */
  #linkTransforms(): void {
    const transforms = this.#options.transforms ?? [];
    transforms.forEach((transform, index) => {
      const next = transforms[index + 1];
      const isLast = next === undefined;
      this.#listen(transform, 'error', (error) => {
        this.#finishWith({ reason: 'aborted', error: error as Error });
      });
      this.#listen(transform, 'data', (chunk) => {
        const accepted = isLast ? this.#writeToSink(chunk as Buffer) : next.write(chunk);
        if (!accepted) transform.pause();
      });
      this.#listen(next ?? this.#options.sink, 'drain', () => transform.resume());
      this.#listen(transform, 'end', () => {
        if (isLast) this.#completeSink();
        else next.end();
      });
      this.#cleanups.push(() => transform.destroy());
    });
  }

  #sourceOnData(chunk: Buffer): void {
    this.bytesRead += chunk.length;
    this.#options.onActivity?.(chunk.length);
    const isDirect = this.#head === this.#options.sink;
    const accepted = isDirect ? this.#writeToSink(chunk) : this.#head.write(chunk);
    if (!accepted) this.#options.source.pause();
  }

  #writeToSink(chunk: Buffer): boolean {
    this.#pendingBytes += chunk.length;
    return this.#options.sink.write(chunk, (error) => {
      if (error) return;
      this.#pendingBytes -= chunk.length;
      this.bytes += chunk.length;
    });
  }

  #sourceOnEnd(): void {
    if (this.#sourceEnded) return;
    this.#sourceEnded = true;
    if (this.#head === this.#options.sink) this.#completeSink();
    else this.#head.end();
  }

  /** Every byte has been given to the sink: waits until it has taken them, then half-closes it if asked. */
  #completeSink(): void {
    const { sink, onEnd = 'half-close' } = this.#options;
    const done = (error?: Error | null) => {
      if (this.#sourceFailure) this.#finishWith(this.#sourceFailure);
      else if (error) this.#sinkOnError(error);
      else this.#finishWith({ reason: 'eof' });
    };
    if (sink.destroyed || sink.writableEnded) {
      done();
    } else if (onEnd === 'half-close' && !this.#sourceFailure) {
      sink.end(done);
    } else {
      sink.write(flushMark, done);
    }
  }

  #sourceOnError(error: Error): void {
    if (this.#sourceEnded) {
      // The sink has the bytes already; what broke now is the other direction of a duplex source.
      if ((this.#options.sink as unknown) === this.#options.source) {
        this.#finishWith({ reason: 'reset', error, side: 'source' });
      }
      return;
    }
    this.#sourceFailure = { reason: 'reset', error, side: 'source' };
    this.#sourceOnEnd();
  }

  #sourceOnClose(): void {
    if (this.#sourceEnded) return;
    this.#sourceFailure = { reason: 'aborted', side: 'source' };
    this.#sourceOnEnd();
  }

  #sinkOnError(error: Error): void {
    this.#finishWith({ reason: 'reset', error, side: 'sink' });
  }

  #finishWith(ending: Partial<Ending>): void {
    if (this.#settled) return;
    this.#settled = true;
    if (!this.#sourceEnded) this.#options.source.pause();
    for (const cleanup of this.#cleanups) cleanup();
    this.#settle({
      reason: 'aborted',
      ...ending,
      bytes: this.bytes,
      unsentBytes: ending.reason === 'eof' ? 0 : this.#pendingBytes,
    });
  }

  #listen(emitter: Readable | Writable, event: string | symbol, listener: (argument: unknown) => void): void {
    emitter.on(event, listener);
    this.#cleanups.push(() => emitter.off(event, listener));
  }
}
