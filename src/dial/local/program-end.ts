import { Duplex } from 'node:stream';
import { guarded } from '../../net/guard.ts';
import { setLocalEnd } from '../../net/local-end.ts';
import type { DialKind } from '../dial-kind.ts';
import { requireProgram, startProgram, type Program } from './program.ts';

type Done = (error?: Error | null) => void;

/**
 * A program as a connection: what is written is its stdin, what it prints is read. Half-close goes both ways, and the
 * second of the two ends waits until the program has exited. A program that takes no more input has broken off
 * (EPIPE), which is told when its output has been read.
 */
class ProgramEnd extends Duplex {
  readonly #program: Program;
  #isOutputOver = false;
  #hasExited = false;

  constructor(program: Program) {
    super({ allowHalfOpen: true });
    this.#program = program;
    const { input, output, exited, wasEnded, end } = program;
    // What a failed write says is enough.
    input.on('error', () => undefined);
    output.on('data', this.#take).on('error', () => undefined);
    output.once('close', () => this.#endOutput());
    void exited.then(() => {
      this.#hasExited = true;
    });
    setLocalEnd(this, { exited, wasEnded, hangUp: end });
  }

  override _read(): void {
    this.#program.output.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    const isGone = this.#hasExited && this.readableEnded;
    if (chunk.length === 0) return done(isGone ? createPipeError() : null);
    this.#program.input.write(chunk, (error) => (error ? this.#failWriting(done) : done()));
  }

  override _final(done: Done): void {
    this.#program.input.end();
    if (this.#isOutputOver) void this.#program.exited.then(() => done());
    else done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { output, end } = this.#program;
    const isInOrder = this.#isOutputOver || (!error && this.writableFinished);
    if (!isInOrder) end();
    // It may still print: what nobody reads must not hold it up.
    output.off('data', this.#take).resume();
    done(error);
  }

  readonly #take = (chunk: Buffer): void => {
    if (!this.push(chunk)) this.#program.output.pause();
  };

  #endOutput(): void {
    this.#isOutputOver = true;
    const end = guarded(() => void this.push(null));
    if (this.writableEnded) void this.#program.exited.then(end);
    else end();
  }

  #failWriting(done: Done): void {
    const fail = () => done(createPipeError());
    if (this.readableEnded || this.destroyed) fail();
    else this.once('end', fail).once('close', fail);
  }
}

function createPipeError(): Error {
  return Object.assign(new Error('write EPIPE'), { code: 'EPIPE', syscall: 'write' });
}

/** Starts a program. @throws TnetError TNET_E_PROGRAM */
export const dialProgram: DialKind<'exec'> = async (endpoint, { local }) => {
  requireProgram(endpoint);
  return new ProgramEnd(await startProgram(endpoint, local?.environment ?? {}));
};
