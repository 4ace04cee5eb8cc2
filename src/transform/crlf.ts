import { Transform, type TransformCallback } from 'node:stream';

const CR = 0x0d;
const LF = 0x0a;

/**
 * Sends CRLF for each LF and leaves a CRLF as it is, also when it is cut between two chunks.
 * A lone CR is left alone. Source: what nc -C and ncat -C do on OpenBSD nc 1.219 and ncat 7.93.
 */
export class CrlfOut extends Transform {
  #lastByte = 0;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const parts: Buffer[] = [];
    let start = 0;
    for (let at = chunk.indexOf(LF); at >= 0; at = chunk.indexOf(LF, at + 1)) {
      const before = at === 0 ? this.#lastByte : chunk[at - 1];
      if (before === CR) continue;
      parts.push(chunk.subarray(start, at), crlf);
      start = at + 1;
    }
    if (chunk.length > 0) this.#lastByte = chunk[chunk.length - 1] ?? 0;
    done(null, start === 0 ? chunk : Buffer.concat([...parts, chunk.subarray(start)]));
  }
}

const crlf = Buffer.from('\r\n');
