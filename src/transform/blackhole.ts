import { Transform, type TransformCallback } from 'node:stream';

/** Takes every byte and the end, and hands nothing on: the line is dead, and nobody is told. */
export class Blackhole extends Transform {
  override _transform(_chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done();
  }

  /** Never done: the other side waits for an end that does not come. */
  override _flush(): void {
    return undefined;
  }
}
