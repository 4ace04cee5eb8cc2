import { ByteQueue } from '../handshake-state.ts';
import { overLimit, ProtocolError, violation } from '../protocol-error.ts';
import {
  DATA_LIMIT_BYTES,
  HASH_BYTES,
  HEAD_BYTES,
  MAGIC,
  messageTypes,
  NAME_LIMIT_BYTES,
  refusalCodes,
  TEXT_LIMIT_BYTES,
  VERSION,
  type ReceiverMessage,
  type RefusalReason,
  type SenderMessage,
} from './messages.ts';

/** How one type of message is read. */
interface Reading<Message> {
  readonly name: string;
  /** How long its body may be. */
  readonly least: number;
  readonly most: number;
  /** Undefined: the body is passed on as it comes. */
  readonly read?: (body: Buffer) => Message;
}

/** How one side's stream is read: its first bytes, and the types of its messages. */
interface Grammar<Message> {
  /** What follows the magic and the version. */
  readonly startBytes: number;
  readonly readStart: (body: Buffer) => Message;
  readonly types: ReadonlyMap<number, Reading<Message>>;
}

/**
 * Reads one side's messages from chunks cut anywhere. It keeps at most BUFFER_LIMIT_BYTES and, for as long as the
 * caller keeps them, the chunks that the bytes of DATA are views of. In which order messages come is not its matter.
 */
export class FileMessageDecoder<Message extends SenderMessage | ReceiverMessage> {
  readonly #grammar: Grammar<Message>;
  readonly #queue = new ByteQueue();
  #hasStarted = false;
  /** What is still to come of a body that is passed on. */
  #dataLeft = 0;
  #failure: ProtocolError | undefined;

  constructor(grammar: Grammar<Message>) {
    this.#grammar = grammar;
  }

  /** How many bytes are kept for later. */
  get bufferedBytes(): number {
    return this.#queue.length;
  }

  /** Whether no message has begun that is not complete. */
  get isBetweenMessages(): boolean {
    return this.#queue.length === 0 && this.#dataLeft === 0;
  }

  /**
   * Takes a chunk, and returns the messages that are complete by then.
   *
   * @throws ProtocolError TNET_E_PROTOCOL, or TNET_E_PROTOCOL_LIMIT for a length over its limit, at the first byte
   *   that cannot be right; the same again for whatever comes later
   */
  receive(chunk: Buffer): Message[] {
    if (this.#failure) throw this.#failure;
    this.#queue.append(chunk);
    const messages: Message[] = [];
    try {
      for (;;) {
        const message = this.#hasStarted ? this.#next() : this.#start();
        if (!message) return messages;
        messages.push(message);
      }
    } catch (error) {
      if (error instanceof ProtocolError) this.#failure = error;
      this.#queue.takeAll();
      throw error;
    }
  }

  #start(): Message | undefined {
    const bytes = this.#queue.peek();
    const length = Math.min(bytes.length, MAGIC.length);
    if (!bytes.subarray(0, length).equals(MAGIC.subarray(0, length)))
      throw bad('bad-magic', 'the peer does not speak the protocol of --send-file and --receive');
    const version = bytes[MAGIC.length];
    if (version !== undefined && version !== VERSION)
      throw bad(
        'bad-version',
        `the peer speaks version ${version} of the file transfer, and this is version ${VERSION}`,
      );
    const { startBytes, readStart } = this.#grammar;
    if (bytes.length < MAGIC.length + 1 + startBytes) return undefined;
    this.#queue.drop(MAGIC.length + 1);
    this.#hasStarted = true;
    return readStart(this.#queue.take(startBytes));
  }

  #next(): Message | undefined {
    if (this.#dataLeft > 0) return this.#takeData();
    const bytes = this.#queue.peek();
    const [type] = bytes;
    if (type === undefined) return undefined;
    const reading = this.#grammar.types.get(type);
    if (!reading) throw bad('bad-type', `the peer sent a message of the unknown type ${type}`);
    if (bytes.length < HEAD_BYTES) return undefined;
    const length = bytes.readUInt32BE(1);
    const { name, least, most, read } = reading;
    if (length > most)
      throw overLimit(
        'file-transfer',
        'too-long',
        `the peer sent ${name} with ${length} bytes, and the limit is ${most}`,
      );
    if (length < least) throw bad('too-short', `the peer sent ${name} with ${length} bytes`);
    if (!read) {
      this.#queue.drop(HEAD_BYTES);
      this.#dataLeft = length;
      return this.#takeData();
    }
    if (bytes.length < HEAD_BYTES + length) return undefined;
    this.#queue.drop(HEAD_BYTES);
    return read(this.#queue.take(length));
  }

  #takeData(): Message | undefined {
    const bytes = this.#queue.take(this.#dataLeft);
    if (bytes.length === 0) return undefined;
    this.#dataLeft -= bytes.length;
    // Only the sender's grammar has a body that is passed on.
    return { kind: 'data', bytes } as Message;
  }
}

/** Reads what a sender says. */
export function createSenderDecoder(): FileMessageDecoder<SenderMessage> {
  return new FileMessageDecoder(senderGrammar);
}

/** Reads what a receiver says. */
export function createReceiverDecoder(): FileMessageDecoder<ReceiverMessage> {
  return new FileMessageDecoder(receiverGrammar);
}

const senderGrammar: Grammar<SenderMessage> = {
  startBytes: 4,
  readStart(body) {
    const files = body.readUInt32BE(0);
    if (files === 0) throw bad('no-files', 'the peer has no file to send');
    return { kind: 'start', files };
  },
  types: new Map<number, Reading<SenderMessage>>([
    [
      messageTypes.offer,
      {
        name: 'OFFER',
        least: 9,
        most: 8 + NAME_LIMIT_BYTES,
        read: (body) => ({ kind: 'offer', bytes: readLength(body), name: readName(body.subarray(8)) }),
      },
    ],
    [messageTypes.prefix, hashOf('PREFIX', (hash) => ({ kind: 'prefix', hash }))],
    [messageTypes.data, { name: 'DATA', least: 1, most: DATA_LIMIT_BYTES }],
    [messageTypes.end, hashOf('END', (hash) => ({ kind: 'end', hash }))],
    [
      messageTypes['give-up'],
      {
        name: 'GIVE-UP',
        least: 0,
        most: TEXT_LIMIT_BYTES,
        read: (body) => ({ kind: 'give-up', text: body.toString() }),
      },
    ],
  ]),
};

const receiverGrammar: Grammar<ReceiverMessage> = {
  startBytes: 0,
  readStart: () => ({ kind: 'ready' }),
  types: new Map<number, Reading<ReceiverMessage>>([
    [messageTypes.have, lengthOf('HAVE', (bytes) => ({ kind: 'have', bytes }))],
    [messageTypes.want, lengthOf('WANT', (offset) => ({ kind: 'want', offset }))],
    [messageTypes.done, { name: 'DONE', least: 0, most: 0, read: () => ({ kind: 'done' }) }],
    [
      messageTypes.refuse,
      {
        name: 'REFUSE',
        least: 1,
        most: 1 + TEXT_LIMIT_BYTES,
        read: (body) => ({ kind: 'refuse', reason: readReason(body[0]), text: body.toString('utf8', 1) }),
      },
    ],
  ]),
};

function hashOf(name: string, make: (hash: Buffer) => SenderMessage): Reading<SenderMessage> {
  // A copy, which does not keep the chunk that it came in.
  return { name, least: HASH_BYTES, most: HASH_BYTES, read: (body) => make(Buffer.from(body)) };
}

function lengthOf(name: string, make: (length: number) => ReceiverMessage): Reading<ReceiverMessage> {
  return { name, least: 8, most: 8, read: (body) => make(readLength(body)) };
}

function readLength(body: Buffer): number {
  const length = body.readBigUInt64BE(0);
  if (length > BigInt(Number.MAX_SAFE_INTEGER))
    throw overLimit(
      'file-transfer',
      'too-long',
      `the peer named a length of ${String(length)} bytes, and the limit is 2^53 - 1`,
    );
  return Number(length);
}

function readName(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw bad('bad-name', 'the peer sent the name of a file that is not UTF-8');
  }
}

/** A reason that a later version has added is a failure like others. */
function readReason(code: number | undefined): RefusalReason {
  const [reason = 'failed'] = Object.entries(refusalCodes).find(([, known]) => known === code) ?? [];
  return reason as RefusalReason;
}

function bad(reason: string, message: string): Error {
  return violation('file-transfer', reason, message);
}
