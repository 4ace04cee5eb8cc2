import { Transform, type TransformCallback } from 'node:stream';
import { TnetError } from '../errors.ts';
import { maxDatagramBytes } from '../net/datagram-peer.ts';

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
 * A stream of lengths and datagrams into datagrams, one a chunk; one without bytes is a chunk without bytes.
 *
 * Fails with TNET_E_FRAMING on a length that UDP cannot carry, and when the stream ends within a datagram.
 */
export class UnframeDatagrams extends Transform {
  /** What has come of a frame that is not whole. */
  #rest: Buffer = Buffer.alloc(0);

  constructor() {
    // Object mode keeps chunks apart, and those without bytes.
    super({ readableObjectMode: true });
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let from = 0;
    while (bytes.length - from >= prefixBytes) {
      const length = bytes.readUInt16BE(from);
      if (length > maxDatagramBytes)
        return done(framingError(`a datagram of ${length} bytes is longer than UDP carries`));
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
    done(framingError(`the stream ended within a datagram, ${this.#rest.length} bytes of it were there`));
  }
}

function framingError(message: string): TnetError {
  return new TnetError('TNET_E_FRAMING', message);
}
