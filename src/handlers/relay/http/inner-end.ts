import { Duplex } from 'node:stream';
import { deliveryMs } from '../../../net/connection.ts';
import { guarded } from '../../../net/guard.ts';

type Done = (error?: Error | null) => void;

/** One of two streams of which each reads what is written to the other. A write is done when it has been read. */
class End extends Duplex {
  #other: End | undefined;
  /** The write of the other side that waits for this one's reader. */
  #written: Done | undefined;
  #isHeld = false;

  constructor() {
    super({ allowHalfOpen: true });
  }

  join(other: End): void {
    this.#other = other;
    other.#other = this;
  }

  /** While it is held, this side takes nothing more than it has. */
  hold(isHeld: boolean): void {
    this.#isHeld = isHeld;
    if (!isHeld && this.readableLength < this.readableHighWaterMark) this.#take();
  }

  #take(): void {
    const done = this.#written;
    this.#written = undefined;
    done?.();
  }

  override _read(): void {
    if (!this.#isHeld) this.#take();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const other = this.#other;
    // An empty chunk only asks when those before it have been taken.
    if (chunk.length === 0 || !other || other.destroyed) return process.nextTick(done);
    other.#written = done;
    other.push(chunk);
  }

  override _final(done: Done): void {
    this.#other?.push(null);
    done();
  }

  override _destroy(error: Error | null, done: Done): void {
    const other = this.#other;
    this.#take();
    done(error);
    if (!other || other.destroyed) return;
    const isOver = this.writableFinished && this.readableEnded;
    if (!isOver) process.nextTick(() => other.destroy(error ?? createBreak()));
  }
}

function createBreak(): Error {
  return Object.assign(new Error('the connection was broken off'), { code: 'ECONNRESET' });
}

/** The end of a connection that a server within this process serves. */
export interface InnerEnd {
  /** What the relay joins a client to. */
  readonly outer: Duplex;
  /** What the server reads and writes. */
  readonly inner: Duplex;
  /** While it is held, the server is given nothing more. */
  hold(isHeld: boolean): void;
  /**
   * Breaks the connection off, so that the client sees that what it got is not whole. What was written before is given to
   * the relay first, as far as it takes it in time.
   */
  breakOff(error: Error): void;
}

export function createInnerEnd(): InnerEnd {
  const [outer, inner] = [new End(), new End()];
  outer.join(inner);
  for (const end of [outer, inner]) end.on('error', () => undefined);
  return {
    outer,
    inner,
    hold: (isHeld) => inner.hold(isHeld),
    breakOff(error) {
      if (outer.destroyed) return;
      const cut = guarded(() => {
        clearTimeout(timer);
        outer.destroy(error);
      });
      const timer = setTimeout(cut, deliveryMs);
      if (inner.writable) inner.write(Buffer.alloc(0), cut);
      else cut();
    },
  };
}
