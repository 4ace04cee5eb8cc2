import { Duplex } from 'node:stream';
import { TnetError } from '../../errors.ts';
import { setLocalEnd } from '../../net/local-end.ts';
import type { DialKind } from '../dial-kind.ts';
import { openInput, openOutput, type Input, type Output } from '../stdio.ts';

type Done = (error?: Error | null) => void;

/** This process's own stdin and stdout as a connection: stdin is read, and what is written goes to stdout. */
class StdioEnd extends Duplex {
  readonly #input: Input;
  readonly #output: Output;

  constructor(input: Input, output: Output) {
    super({ allowHalfOpen: true });
    setLocalEnd(this, {});
    this.#input = input;
    this.#output = output;
    output.stream.on('error', () => undefined);
    input.stream.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) input.stream.pause();
    });
    input.stream.once('end', () => this.push(null)).once('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#input.stream.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#output.stream.write(chunk, done);
  }

  override _final(done: Done): void {
    // Its reader sees the end now, and not when the process ends.
    this.#output.close();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#input.close();
    this.#output.close();
    done(error);
  }
}

let isTaken = false;

/** stdin and stdout, which only one connection can have in the life of the process. @throws TnetError TNET_E_UNSUPPORTED */
export const dialStdio: DialKind<'stdio'> = () => {
  if (isTaken) {
    const message = 'standard input and output are for one connection, and another one has had them';
    return Promise.reject(new TnetError('TNET_E_UNSUPPORTED', message, { subject: '-' }));
  }
  isTaken = true;
  return Promise.resolve(new StdioEnd(openInput(), openOutput()));
};
