import { createHash, type Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { writeDataHead } from '../../protocol/file-transfer/encode.ts';
import { HEAD_BYTES, type ReceiverMessage } from '../../protocol/file-transfer/messages.ts';
import { ProtocolError, violation } from '../../protocol/protocol-error.ts';
import { describeError } from '../../report/sentences.ts';
import { CutOff, isOwnEnd, NotSent, type FilesReport } from './files-report.ts';
import { hashPrefix } from './incoming-file.ts';
import type { MessageChannel } from './message-channel.ts';

/** One DATA message has so many bytes, and so many of them are on their way from the file to the connection. */
const chunkBytes = 256 * 1024;
const chunksAhead = 4;

/** How often a receiver may ask for the hash of a part of one file. */
const askedMost = 4;

/** An open file that is sent under a name. */
interface OpenSource {
  readonly file: FileHandle;
  readonly path: string;
  readonly name: string;
}

/** The source could not be read to its end as it was. */
class SourceFailure extends Error {}

/** Sends one file, from where the receiver wants it. It is not closed. */
export class FileSender {
  readonly #channel: MessageChannel<ReceiverMessage>;
  readonly #source: OpenSource;
  readonly #report: FilesReport;
  #bytes = 0;
  /** What has been handed to the system, or was there already. */
  #sentTo = 0;
  #hash: Hash = createHash('sha256');
  #hashedTo = 0;

  constructor(channel: MessageChannel<ReceiverMessage>, source: OpenSource, report: FilesReport) {
    this.#channel = channel;
    this.#source = source;
    this.#report = report;
  }

  /**
   * @throws NotSent when the connection can be used for the next file; otherwise CutOff, ProtocolError, TnetError
   *   TNET_E_TIMEOUT or the signal's reason
   */
  async send(): Promise<void> {
    try {
      await this.#send();
    } catch (error) {
      if (error instanceof NotSent || error instanceof ProtocolError || isOwnEnd(error)) throw error;
      throw new CutOff({ name: this.#source.path, at: this.#sentTo, bytes: this.#bytes }, error);
    }
  }

  async #send(): Promise<void> {
    const { file, name } = this.#source;
    const startedAt = performance.now();
    const before = await file.stat({ bigint: true });
    this.#bytes = Number(before.size);
    await this.#channel.send({ kind: 'offer', name, bytes: this.#bytes });
    const fromBytes = await this.#agree();
    const transfer = { name, bytes: this.#bytes, fromBytes };
    this.#report.started(transfer);
    try {
      await this.#sendFrom(fromBytes);
      const after = await file.stat({ bigint: true });
      if (after.size !== before.size || after.mtimeNs !== before.mtimeNs)
        throw new SourceFailure('it changed while it was sent');
    } catch (error) {
      if (error instanceof SourceFailure) await this.#giveUp(error);
      throw error;
    }
    const sha256 = this.#hash.digest();
    await this.#channel.send({ kind: 'end', hash: sha256 });
    const answer = await this.#next();
    if (answer.kind === 'refuse') throw refused(answer);
    if (answer.kind !== 'done') throw outOfOrder(answer);
    this.#report.done({ ...transfer, sha256, durationMs: performance.now() - startedAt });
  }

  /** Answers what the receiver asks for, until it says from where it wants the file. */
  async #agree(): Promise<number> {
    for (let asked = 0; ; asked++) {
      const message = await this.#next();
      if (message.kind === 'refuse') throw refused(message);
      if (message.kind === 'want') {
        if (message.offset === 0) [this.#hash, this.#hashedTo] = [createHash('sha256'), 0];
        if (message.offset !== this.#hashedTo) throw outOfOrder(message);
        this.#sentTo = message.offset;
        return message.offset;
      }
      if (message.kind !== 'have' || message.bytes > this.#bytes || asked === askedMost)
        throw outOfOrder(message);
      try {
        this.#hash = await hashPrefix(this.#source.file, message.bytes, () => this.#channel.touch());
      } catch (error) {
        await this.#giveUp(error as Error);
      }
      this.#hashedTo = message.bytes;
      await this.#channel.send({ kind: 'prefix', hash: this.#hash.copy().digest() });
    }
  }

  async #sendFrom(fromBytes: number): Promise<void> {
    const buffers = Array.from({ length: chunksAhead }, () =>
      Buffer.allocUnsafeSlow(HEAD_BYTES + chunkBytes),
    );
    const written: Promise<void>[] = buffers.map(() => Promise.resolve());
    let at = fromBytes;
    let slot = 0;
    let reading = at < this.#bytes ? this.#read(buffers[slot], written[slot], at) : undefined;
    while (reading) {
      const chunk = await reading;
      const early = this.#channel.poll();
      if (early) return this.#stop(early);
      const bytes = chunk.length - HEAD_BYTES;
      at += bytes;
      const used = slot;
      slot = (slot + 1) % chunksAhead;
      // The next one is read while this one is hashed and sent.
      reading = at < this.#bytes ? this.#read(buffers[slot], written[slot], at) : undefined;
      reading?.catch(() => undefined);
      this.#hash.update(chunk.subarray(HEAD_BYTES));
      writeDataHead(chunk, bytes);
      const sending = this.#channel.write(chunk).then(() => this.#handedOver(bytes));
      sending.catch(() => undefined);
      written[used] = sending;
    }
    await Promise.all(written);
  }

  /** A part of the file, with room for the head of its message, once the buffer is free. */
  async #read(buffer = Buffer.alloc(0), isFree: Promise<void> | undefined, at: number): Promise<Buffer> {
    await isFree;
    const most = Math.min(chunkBytes, this.#bytes - at);
    const { bytesRead } = await this.#source.file
      .read(buffer, HEAD_BYTES, most, at)
      .catch((error: unknown) => {
        throw new SourceFailure(describeError(error), { cause: error });
      });
    if (bytesRead === 0) throw new SourceFailure('it became shorter while it was sent');
    return buffer.subarray(0, HEAD_BYTES + bytesRead);
  }

  #handedOver(bytes: number): void {
    this.#sentTo += bytes;
    this.#report.covered?.(bytes);
  }

  /** The receiver has said something while the file is sent: that it does not take it. */
  async #stop(message: ReceiverMessage): Promise<never> {
    if (message.kind !== 'refuse') throw outOfOrder(message);
    await this.#channel.send({ kind: 'give-up', text: '' });
    throw refused(message);
  }

  /** Tells the receiver, and takes its answer, which may have been on its way. */
  async #giveUp(error: Error): Promise<never> {
    await this.#channel.send({ kind: 'give-up', text: error.message });
    const answer = await this.#next();
    if (answer.kind !== 'refuse') throw outOfOrder(answer);
    throw new NotSent(error.message, error.cause);
  }

  async #next(): Promise<ReceiverMessage> {
    const message = await this.#channel.next();
    if (message) return message;
    throw new Error('the receiver ended');
  }
}

function refused({ text }: ReceiverMessage & { readonly kind: 'refuse' }): NotSent {
  return new NotSent(`the receiver does not take it: ${text}`);
}

function outOfOrder({ kind }: ReceiverMessage): ProtocolError {
  return violation('file-transfer', 'out-of-order', `the receiver sent ${kind.toUpperCase()} out of order`);
}
