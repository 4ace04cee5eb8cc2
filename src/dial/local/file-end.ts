import { close, constants, fstatSync, openSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { formatEndpoint, type Endpoint } from '../../address/endpoint.ts';
import { errorCode, TnetError } from '../../errors.ts';
import { Socket } from '../../net/index.ts';
import { setLocalEnd } from '../../net/local-end.ts';
import { isTerminal } from '../../report/is-terminal.ts';
import { describeError } from '../../report/sentences.ts';
import type { DialKind } from '../dial-kind.ts';
import { FileInput, FileOutput } from '../file-streams.ts';

type FileEndpoint = Extract<Endpoint, { kind: 'file' }>;
type Done = (error?: Error | null) => void;

/**
 * A file that is read. What is written goes nowhere: there is nobody to take it.
 */
class ReadFile extends Duplex {
  readonly #input: Readable;

  constructor(input: Readable) {
    super({ allowHalfOpen: true });
    setLocalEnd(this, {});
    this.#input = input;
    input.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) input.pause();
    });
    input.once('end', () => this.push(null)).once('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#input.resume();
  }

  override _write(_chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#input.destroy();
    done(error);
  }
}

/**
 * A file that is appended to. Its own end comes when everything that was written is in the file: a peer that sees it
 * knows that.
 */
class AppendedFile extends Duplex {
  readonly #output: Writable;
  readonly #close: () => void;
  #bytes = 0;

  constructor(output: Writable, release: () => void) {
    super({ allowHalfOpen: true });
    setLocalEnd(this, {});
    this.#output = output.on('error', () => undefined);
    this.#close = release;
  }

  override _read(): void {
    // There is nothing to read but the end.
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#output.write(chunk, (error) => {
      if (error) return done(this.#explain(error));
      this.#bytes += chunk.length;
      done();
    });
  }

  override _final(done: Done): void {
    done();
    this.push(null);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#output.destroy();
    this.#close();
    done(error);
  }

  #explain(error: Error): Error {
    const { bytesWritten = this.#bytes } = this.#output as { bytesWritten?: number };
    const message = `${describeError(error)} (${errorCode(error) ?? 'ERROR'}), after ${bytesWritten} bytes`;
    return new TnetError('TNET_E_UNSENT', message, { cause: error });
  }
}

/** How often to look whether a FIFO has a reader. */
const readerLookMs = 50;

/**
 * Opens a file to be read or, with `local.appends`, to be appended to; then it is made if it is not there. A FIFO that
 * is written to is waited for until somebody reads it.
 *
 * @throws the system's error, the signal's reason, TnetError TNET_E_ADDRESS for what is no file, FIFO or device
 */
export const dialFile: DialKind<'file'> = async (endpoint, { local }, deadline) => {
  const { path } = endpoint;
  if (!local?.appends) {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const isPipe = check(fd, endpoint, 'read');
    // A FIFO's descriptor that does not block is read as it becomes readable, and waits for its first writer.
    return new ReadFile(isPipe ? new Socket({ fd, readable: true, writable: false }) : new FileInput(fd));
  }
  const isPipe = statSync(path, { throwIfNoEntry: false })?.isFIFO() === true;
  if (isPipe) {
    const fd = await openForReader(path, deadline.signal);
    return new AppendedFile(new Socket({ fd, readable: false, writable: true }), () => undefined);
  }
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOCTTY, O_NONBLOCK } = constants;
  const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOCTTY | O_NONBLOCK, 0o666);
  check(fd, endpoint, 'write');
  return new AppendedFile(new FileOutput(fd), () => close(fd, () => undefined));
};

/** Opening a FIFO for writing without waiting fails as long as nobody reads it. Source: fifo(7). */
async function openForReader(path: string, signal: AbortSignal): Promise<number> {
  for (;;) {
    signal.throwIfAborted();
    try {
      return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (errorCode(error) !== 'ENXIO') throw error;
    }
    await delay(readerLookMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Whether it is a FIFO. @throws TnetError TNET_E_ADDRESS for what is not to be used as a file, which is closed then */
function check(fd: number, endpoint: FileEndpoint, use: 'read' | 'write'): boolean {
  const status = fstatSync(fd);
  const message = status.isDirectory()
    ? 'this is a directory'
    : status.isBlockDevice() && use === 'write'
      ? 'this is a disk, which cannot be appended to'
      : isTerminal(fd)
        ? `this is a terminal or a serial line: use serial:${endpoint.path}`
        : undefined;
  if (message === undefined) return status.isFIFO();
  close(fd, () => undefined);
  throw new TnetError('TNET_E_ADDRESS', message, { subject: formatEndpoint(endpoint) });
}
