import { Transform, type TransformCallback } from 'node:stream';
import { TnetError } from '../errors.ts';
import { maxDatagramBytes } from '../net/datagram-peer.ts';
import { ByteCorruption } from './corrupt.ts';
import { drawWithin, type Random } from './random.ts';
import { guarded } from '../net/guard.ts';

/** A datagram's length in the stream: two bytes, the high one first. */
const prefixBytes = 2;

/**
 * Datagrams into a stream: each with its length before it, so that none is merged with another.
 * Source: RFC 1035 section 4.2.2 (DNS over TCP); RFC 4571 has the same for RTP.
 */
export class FrameDatagrams extends Transform {
  override _transform(datagram: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const frame = Buffer.allocUnsafe(prefixBytes + datagram.length);
    frame.writeUInt16BE(datagram.length);
    datagram.copy(frame, prefixBytes);
    done(null, frame);
  }
}

/**
 * A stream of lengths and datagrams into datagrams, one per chunk; an empty datagram is an empty chunk.
 *
 * Fails with TNET_E_FRAMING on a length that UDP cannot carry, and when the stream ends within a datagram.
 */
export class UnframeDatagrams extends Transform {
  /** What has arrived of an incomplete frame. */
  #rest: Buffer = Buffer.alloc(0);

  constructor() {
    // Object mode keeps chunks separate, and preserves empty ones.
    super({ readableObjectMode: true });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    while (bytes.length - from >= prefixBytes) {
      const length = bytes.readUInt16BE(from);
      if (length > maxDatagramBytes)
        return done(framingError(`a datagram of ${length} bytes is too long for UDP`));
      const end = from + prefixBytes + length;
      if (end > bytes.length) break;
      this.push(bytes.subarray(from + prefixBytes, end));
      from = end;
    }
    this.#rest = bytes.subarray(from);
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#rest.length === 0) return done();
    done(framingError(`the stream ended inside a datagram, after ${this.#rest.length} bytes of it`));
  }
}

function framingError(message: string): TnetError {
  return new TnetError('TNET_E_FRAMING', message);
}

/** Object mode keeps datagrams separate, and preserves empty ones. */
const apart = { readableObjectMode: true } as const;

/** Loses datagrams by chance. */
export class LoseDatagrams extends Transform {
  readonly #share: number;
  readonly #random: Random;

  /** @param share how likely each datagram is to be lost, from 0 to 1 */
  constructor(share: number, random: Random) {
    super(apart);
    this.#share = share;
    this.#random = random;
  }

  override _transform(datagram: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#random() < this.#share) done();
    else done(null, datagram);
  }
}

/** Replaces bytes as ByteCorruption says, as if the datagrams were one stream. */
export class CorruptDatagrams extends Transform {
  readonly #corruption: ByteCorruption;

  /** @param share how likely each byte is to be replaced, from 0 to 1 */
  constructor(share: number, random: Random) {
    super(apart);
    this.#corruption = new ByteCorruption(share, random);
  }

  override _transform(datagram: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done(null, this.#corruption.apply(datagram));
  }
}

/** Takes every datagram and the end, and passes nothing on. */
export class DropDatagrams extends Transform {
  override _transform(_datagram: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done();
  }

  /** Never done: the other side waits for an end that does not come. */
  override _flush(): void {
    return undefined;
  }
}

/**
 * The most datagrams, and bytes of them, that may be under way; more are lost, as on a line whose queue is full.
 */
const underWay = { datagrams: 10_000, bytes: 4 * 1024 * 1024 };

/** Each datagram takes its own time: with a spread one may overtake another, as on a network. */
export class DelayDatagrams extends Transform {
  readonly #delayMs: { readonly mean: number; readonly spread: number };
  readonly #random: Random;
  readonly #timers = new Set<NodeJS.Timeout>();
  #bytes = 0;
  /** Set once the source has ended: what is under way comes before the end. */
  #finish: TransformCallback | undefined;

  constructor(delayMs: { readonly mean: number; readonly spread: number }, random: Random) {
    super(apart);
    this.#delayMs = delayMs;
    this.#random = random;
  }

  override _transform(datagram: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done();
    if (this.#timers.size >= underWay.datagrams || this.#bytes + datagram.length > underWay.bytes) return;
    this.#bytes += datagram.length;
    const arrive = () => {
      this.#timers.delete(timer);
      this.#bytes -= datagram.length;
      this.push(datagram);
      if (this.#timers.size === 0) this.#finish?.();
    };
    const timer = setTimeout(guarded(arrive), drawWithin(this.#delayMs, this.#random));
    this.#timers.add(timer);
  }

  override _flush(done: TransformCallback): void {
    if (this.#timers.size === 0) done();
    else this.#finish = done;
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    for (const timer of this.#timers) clearTimeout(timer);
    done(error);
  }
}

/** How late a timer may be for its lateness still to be made up for. */
const makeGoodMs = 20;

/** A line with a limited rate of bytes a second: a datagram leaves it as a whole, when its last byte would have. */
export class NarrowDatagrams extends Transform {
  readonly #bytesPerMs: number;
  #freeAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(bytesPerSecond: number) {
    super(apart);
    this.#bytesPerMs = bytesPerSecond / 1000;
  }

  /** While the line is busy the source is not read: what its queue cannot hold is lost. */
  override _transform(datagram: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now - makeGoodMs) + datagram.length / this.#bytesPerMs;
    this.#timer = setTimeout(
      guarded(() => done(null, datagram)),
      Math.max(0, this.#freeAt - now),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer);
    done(error);
  }
}
