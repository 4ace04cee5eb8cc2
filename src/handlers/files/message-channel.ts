import { idleError, TnetError } from '../../errors.ts';
import type { Connection } from '../../net/connection.ts';
import { guarded } from '../../net/guard.ts';
import type { FileMessageDecoder } from '../../protocol/file-transfer/decode.ts';
import { encodeFileMessage } from '../../protocol/file-transfer/encode.ts';
import type { ReceiverMessage, SenderMessage } from '../../protocol/file-transfer/messages.ts';

/** Between these the connection is read; above, the peer waits. */
const [fullBytes, drainedBytes] = [1024 * 1024, 256 * 1024];

export interface ChannelOptions<Message extends SenderMessage | ReceiverMessage> {
  readonly decoder: FileMessageDecoder<Message>;
  /** Messages that came before. Default: none. */
  readonly first?: readonly Message[];
  /** Fails everything with its reason. */
  readonly signal: AbortSignal;
  /** Fails everything when nothing has moved for so long, in milliseconds. Default: no limit. */
  readonly idleMs?: number | undefined;
}

/**
 * The messages that come over a connection, one by one, and a way to send others. What came before a break or an end
 * is delivered first. The connection is not closed.
 */
export class MessageChannel<Message extends SenderMessage | ReceiverMessage> {
  readonly #connection: Connection;
  readonly #decoder: FileMessageDecoder<Message>;
  readonly #messages: Message[];
  readonly #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #hasEnded = false;
  #failure: Error | undefined;
  /** Who waits for a message, and who for a write. */
  #wake: (() => void) | undefined;
  readonly #writing = new Set<(error: Error) => void>();
  readonly #idleTimer: NodeJS.Timeout | undefined;
  readonly #release: () => void;
  sentBytes = 0;
  receivedBytes = 0;

  constructor(connection: Connection, { decoder, first = [], signal, idleMs }: ChannelOptions<Message>) {
    this.#connection = connection;
    this.#decoder = decoder;
    this.#messages = [...first];
    const onData = (chunk: Buffer) => this.#take(chunk);
    const onEnd = () => {
      this.#hasEnded = true;
      this.#wake?.();
    };
    const onError = (error: Error) => this.fail(error);
    const onClose = () => (this.#hasEnded ? this.#failWrites(closedError()) : this.fail(closedError()));
    const onAbort = () => this.fail(signal.reason as Error);
    connection.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);
    if (connection.readableEnded) onEnd();
    if (connection.destroyed) onClose();
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    if (idleMs !== undefined)
      this.#idleTimer = setTimeout(
        guarded(() => this.fail(idleError(idleMs))),
        idleMs,
      );
    this.#release = () => {
      clearTimeout(this.#idleTimer);
      connection.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
      signal.removeEventListener('abort', onAbort);
    };
    connection.resume();
  }

  /** Stops listening to the connection, which stays as it is. */
  release(): void {
    this.#release();
  }

  /**
   * The next message; undefined: the peer has ended its side, and not within a message.
   *
   * @throws ProtocolError; the connection's error; the signal's reason; TnetError TNET_E_TIMEOUT
   */
  async next(): Promise<Message | undefined> {
    for (;;) {
      const message = this.poll();
      if (message) return message;
      if (this.#failure) throw this.#failure;
      if (this.#hasEnded) {
        if (this.#decoder.isBetweenMessages) return undefined;
        throw closedError();
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }

  /** A message that is there already. */
  poll(): Message | undefined {
    while (this.#messages.length === 0) {
      const chunk = this.#chunks.shift();
      if (!chunk) return undefined;
      this.#chunkBytes -= chunk.length;
      if (this.#chunkBytes < drainedBytes) this.#connection.resume();
      this.#messages.push(...this.#decoder.receive(chunk));
    }
    return this.#messages.shift();
  }

  /** Sends a message. See write(). */
  send(message: SenderMessage | ReceiverMessage): Promise<void> {
    return this.write(encodeFileMessage(message));
  }

  /** Settles when the bytes have been handed to the system. @throws as next() does */
  async write(bytes: Buffer): Promise<void> {
    if (this.#failure) throw this.#failure;
    await new Promise<void>((resolve, reject) => {
      this.#writing.add(reject);
      this.#connection.write(bytes, (error) => {
        this.#writing.delete(reject);
        if (error) reject(error);
        else resolve();
      });
    });
    this.sentBytes += bytes.length;
    this.#idleTimer?.refresh();
  }

  /** Work here, such as hashing, counts as movement. */
  touch(): void {
    this.#idleTimer?.refresh();
  }

  #take(chunk: Buffer): void {
    this.receivedBytes += chunk.length;
    this.#idleTimer?.refresh();
    this.#chunks.push(chunk);
    this.#chunkBytes += chunk.length;
    if (this.#chunkBytes > fullBytes) this.#connection.pause();
    this.#wake?.();
  }

  /** Makes whoever waits, or does so later, throw this. The first failure counts. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#failWrites(this.#failure);
    this.#wake?.();
  }

  #failWrites(error: Error): void {
    for (const reject of this.#writing) reject(error);
    this.#writing.clear();
  }
}

function closedError(): Error {
  return new TnetError('TNET_E_FILE', 'the peer ended the connection within a message');
}
