import type { Hash } from 'node:crypto';
import type { SenderMessage } from '../../protocol/file-transfer/messages.ts';
import { ProtocolError, violation } from '../../protocol/protocol-error.ts';
import { describeError } from '../../report/sentences.ts';
import { errorCode, TnetError } from '../../errors.ts';
import { FileRefusal, type FolderFile, type PartFile, type ReceiveFolder } from './receive-folder.ts';
import { CutOff, isOwnEnd, type FilesReport } from './files-report.ts';
import { hashPrefix, IncomingFile } from './incoming-file.ts';
import type { MessageChannel } from './message-channel.ts';

type Offer = SenderMessage & { readonly kind: 'offer' };
type Channel = MessageChannel<SenderMessage>;

/** The sender does not go on with a file. */
class GivenUp extends FileRefusal {
  constructor(text: string) {
    super('given-up', `the sender gave it up: ${text === '' ? 'without a reason' : text}`);
  }
}

/**
 * Receives files one after the other. A file that is not taken is reported, and the next one follows.
 *
 * @param files how many the sender has announced
 * @returns whether all of them are there
 * @throws what ended the connection before that: CutOff within a file; TnetError TNET_E_FILE between two; ProtocolError;
 *   TnetError TNET_E_TIMEOUT; the signal's reason
 */
export async function receiveFiles(
  channel: Channel,
  folder: ReceiveFolder,
  files: number,
  report: FilesReport,
): Promise<boolean> {
  let isWhole = true;
  for (let received = 0; received < files; received++) {
    const offer = await channel.next();
    if (!offer) throw new TnetError('TNET_E_FILE', `the sender ended after ${received} of ${files} files`);
    if (offer.kind === 'give-up') {
      isWhole = false;
      report.failed('', new GivenUp(offer.text));
      continue;
    }
    if (offer.kind !== 'offer') throw outOfOrder(offer);
    try {
      await new FileReceiver(channel, folder, offer, report).receive();
    } catch (error) {
      if (!(error instanceof FileRefusal)) throw error;
      isWhole = false;
      report.failed(offer.name, error);
    }
  }
  return isWhole;
}

/** Receives one file that has been offered. */
class FileReceiver {
  readonly #channel: Channel;
  readonly #folder: ReceiveFolder;
  readonly #offer: Offer;
  readonly #report: FilesReport;
  readonly #startedAt = performance.now();
  /** Whether the sender is sending the file, until its END or GIVE-UP; otherwise it waits for an answer. */
  #isSending = false;
  /** How far the file has come, and its hash as the sender has it. */
  #at = 0;
  #sentHash: Buffer = Buffer.alloc(0);

  constructor(channel: Channel, folder: ReceiveFolder, offer: Offer, report: FilesReport) {
    this.#channel = channel;
    this.#folder = folder;
    this.#offer = offer;
    this.#report = report;
  }

  /**
   * @throws FileRefusal when the connection can be used for the next file; otherwise CutOff, ProtocolError, TnetError
   *   TNET_E_TIMEOUT or the signal's reason
   */
  async receive(): Promise<void> {
    try {
      try {
        await this.#receive();
      } catch (error) {
        if (error instanceof FileRefusal) await this.#refuse(error);
        throw error;
      }
    } catch (error) {
      if (error instanceof FileRefusal || error instanceof ProtocolError || isOwnEnd(error)) throw error;
      throw new CutOff({ ...this.#offer, at: this.#at }, error);
    }
  }

  async #receive(): Promise<void> {
    const { name, bytes } = this.#offer;
    await inSystem(this.#folder.judge(name, bytes));
    const existing = await inSystem(this.#folder.openExisting(name, bytes));
    if (existing) {
      try {
        const hash = await this.#compare(existing);
        if (hash) {
          await this.#confirm(hash);
          return;
        }
      } finally {
        await existing.close();
      }
      this.#folder.requireOverwrite();
    }
    const part = await inSystem(this.#folder.openPart(name, bytes));
    try {
      const hash = part.haveBytes > 0 ? await this.#compare(part) : undefined;
      await this.#fill(part, hash ? part.haveBytes : 0, hash);
    } finally {
      await part.close();
    }
  }

  /** The hash of what is there, if the sender's file begins with the same bytes. */
  async #compare({ file, haveBytes }: FolderFile): Promise<Hash | undefined> {
    await this.#channel.send({ kind: 'have', bytes: haveBytes });
    const hashing = inSystem(hashPrefix(file, haveBytes, () => this.#channel.touch()));
    // Both sides hash at the same time; what fails here is told once the sender waits for an answer.
    hashing.catch(() => undefined);
    const answer = await this.#next();
    if (answer.kind === 'give-up') throw new GivenUp(answer.text);
    if (answer.kind !== 'prefix') throw outOfOrder(answer);
    const hash = await hashing;
    return hash.copy().digest().equals(answer.hash) ? hash : undefined;
  }

  /** The file is there already: the sender has nothing to send, and confirms it. */
  async #confirm(hash: Hash): Promise<void> {
    const { name, bytes } = this.#offer;
    this.#at = bytes;
    this.#report.started({ name, bytes, fromBytes: bytes });
    await this.#want(bytes);
    await this.#readData(() => Promise.resolve());
    await this.#finish(bytes, hash.digest());
  }

  /** Receives what is missing of a part, and gives the file its name. */
  async #fill(part: PartFile, fromBytes: number, hash: Hash | undefined): Promise<void> {
    const { name, bytes } = this.#offer;
    const incoming = new IncomingFile(part.file);
    await inSystem(incoming.startAt(fromBytes, hash));
    this.#at = fromBytes;
    this.#report.started({ name, bytes, fromBytes });
    try {
      await this.#want(fromBytes);
      await this.#readData((chunk) => inSystem(incoming.write(chunk)));
    } finally {
      // What has arrived is kept for the next attempt.
      await incoming.flush().catch(() => undefined);
    }
    const own = await inSystem(incoming.finish());
    if (!own.equals(this.#sentHash)) {
      await inSystem(part.remove());
      throw new FileRefusal('wrong-hash', 'what arrived is not what was sent: the SHA-256 is wrong');
    }
    await inSystem(part.publish());
    await this.#finish(fromBytes, own);
  }

  async #want(offset: number): Promise<void> {
    this.#isSending = true;
    await this.#channel.send({ kind: 'want', offset });
  }

  /** Takes the sender's bytes up to its END. */
  async #readData(take: (chunk: Buffer) => Promise<void>): Promise<void> {
    for (;;) {
      const message = await this.#next();
      if (message.kind === 'data') {
        if (this.#at + message.bytes.length > this.#offer.bytes) throw outOfOrder(message);
        this.#at += message.bytes.length;
        this.#report.covered?.(message.bytes.length);
        await take(message.bytes);
        continue;
      }
      this.#isSending = false;
      if (message.kind === 'give-up') throw new GivenUp(message.text);
      if (message.kind !== 'end' || this.#at !== this.#offer.bytes) throw outOfOrder(message);
      this.#sentHash = message.hash;
      return;
    }
  }

  async #finish(fromBytes: number, sha256: Buffer): Promise<void> {
    const { name, bytes } = this.#offer;
    if (!sha256.equals(this.#sentHash))
      throw new FileRefusal('wrong-hash', 'what was sent is not what was offered: the SHA-256 is wrong');
    await this.#channel.send({ kind: 'done' });
    this.#report.done({ name, bytes, fromBytes, sha256, durationMs: performance.now() - this.#startedAt });
  }

  /** Tells the sender, and drops what it has sent up to then. */
  async #refuse({ reason, message }: FileRefusal): Promise<void> {
    await this.#channel.send({ kind: 'refuse', reason, text: message });
    while (this.#isSending) {
      const { kind } = await this.#next();
      if (kind === 'end' || kind === 'give-up') this.#isSending = false;
      else if (kind !== 'data') throw violation('file-transfer', 'out-of-order', orderMessage(kind));
    }
  }

  async #next(): Promise<SenderMessage> {
    const message = await this.#channel.next();
    if (message) return message;
    throw new Error('the sender ended');
  }
}

/** An error of this system as a refusal of the one file: the next one may do better. */
async function inSystem<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof FileRefusal) throw error;
    const code = errorCode(error);
    const reason = code === 'ENOSPC' || code === 'EDQUOT' ? 'no-space' : 'failed';
    throw new FileRefusal(reason, `it cannot be stored: ${describeError(error)}`, error);
  }
}

function outOfOrder({ kind }: SenderMessage): ProtocolError {
  return violation('file-transfer', 'out-of-order', orderMessage(kind));
}

function orderMessage(kind: SenderMessage['kind']): string {
  return `the sender sent ${kind.toUpperCase()} out of order`;
}
