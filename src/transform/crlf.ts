import { Transform, type TransformCallback } from 'node:stream';

const CR = 0x0d;
const LF = 0x0a;

/**
 * Sends CRLF for each LF and leaves a CRLF as it is, even when it is split between two chunks. A lone CR is left
 * alone. Source: what nc -C and ncat -C do on OpenBSD nc 1.219 and ncat 7.93.
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

const carriageReturn = Buffer.from([CR]);

/**
 * Makes each CRLF an LF, even when it is split between two chunks; a lone CR is left alone. A CR at the end of a
 * chunk is held back until the next byte or the end shows what it is.
 */
export class CrlfIn extends Transform {
  #isCrHeld = false;

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (chunk.length === 0) {
      done();
      return;
    }
    const parts: Buffer[] = [];
    if (this.#isCrHeld && chunk[0] !== LF) parts.push(carriageReturn);
    this.#isCrHeld = chunk[chunk.length - 1] === CR;
    const end = chunk.length - (this.#isCrHeld ? 1 : 0);
    let start = 0;
    for (let at = chunk.indexOf(LF, 1); at > 0 && at < end; at = chunk.indexOf(LF, at + 1)) {
      if (chunk[at - 1] !== CR) continue;
      parts.push(chunk.subarray(start, at - 1));
      start = at;
    }
    const bytes = Buffer.concat([...parts, chunk.subarray(start, end)]);
    if (bytes.length > 0) done(null, bytes);
    else done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#isCrHeld) done(null, carriageReturn);
    else done();
  }
}
