import {
  createReceiverDecoder,
  createSenderDecoder,
  type FileMessageDecoder,
} from '../../../src/protocol/file-transfer/decode.ts';
import { encodeFileMessage } from '../../../src/protocol/file-transfer/encode.ts';
import { findNameFault } from '../../../src/protocol/file-transfer/file-name.ts';
import {
  BUFFER_LIMIT_BYTES,
  type ReceiverMessage,
  type SenderMessage,
} from '../../../src/protocol/file-transfer/messages.ts';
import {
  checkBuffered,
  describeError,
  Finding,
  type CodecTarget,
} from '../../helpers/protocol/codec-target.ts';

const hash = Buffer.alloc(32, 7);
const senders: SenderMessage[][] = [
  [
    { kind: 'start', files: 3 },
    { kind: 'offer', name: 'a.txt', bytes: 6 },
    { kind: 'prefix', hash },
    { kind: 'data', bytes: Buffer.from('hello\n') },
    { kind: 'end', hash },
    { kind: 'offer', name: 'ünïcode – 名', bytes: Number.MAX_SAFE_INTEGER },
    { kind: 'give-up', text: 'it became shorter' },
    { kind: 'give-up', text: '' },
  ],
  [
    { kind: 'start', files: 1 },
    { kind: 'offer', name: '../../etc/passwd', bytes: 0 },
    { kind: 'end', hash },
  ],
];
const receivers: ReceiverMessage[][] = [
  [
    { kind: 'ready' },
    { kind: 'have', bytes: 5 },
    { kind: 'want', offset: 5 },
    { kind: 'done' },
    { kind: 'refuse', reason: 'exists', text: 'another file has this name' },
    { kind: 'refuse', reason: 'given-up', text: '' },
  ],
];

const join = (messages: readonly (SenderMessage | ReceiverMessage)[]) =>
  Buffer.concat(messages.map(encodeFileMessage));

/** Neighbouring bytes of files are one: where chunks are cut shows in them alone. */
function joinData(notes: object[], message: SenderMessage | ReceiverMessage): void {
  const last = notes.at(-1) as { data?: string } | undefined;
  if (message.kind !== 'data') notes.push(message);
  else if (last?.data !== undefined) last.data += message.bytes.toString('hex');
  else notes.push({ data: message.bytes.toString('hex') });
}

function checkName(message: SenderMessage | ReceiverMessage): void {
  if (message.kind !== 'offer' || findNameFault(message.name) !== undefined) return;
  const { name } = message;
  if (name.includes('/') || name.includes('\0') || name.startsWith('.') || Buffer.byteLength(name) > 255)
    throw new Finding(`takes ${JSON.stringify(name)} for a plain name`);
}

function runDecoder(
  decoder: FileMessageDecoder<SenderMessage | ReceiverMessage>,
  chunks: readonly Buffer[],
): unknown {
  const notes: object[] = [];
  for (const chunk of chunks) {
    try {
      for (const message of decoder.receive(chunk)) {
        checkName(message);
        joinData(notes, message);
      }
    } catch (error) {
      if (error instanceof Finding) throw error;
      return { end: describeError(error) };
    }
    checkBuffered(decoder.bufferedBytes, BUFFER_LIMIT_BYTES);
  }
  return { notes, isBetween: decoder.isBetweenMessages };
}

export const fileTransferTargets: CodecTarget[] = [
  {
    name: 'file-transfer-sender',
    seeds: senders.map(join),
    run: (chunks) => runDecoder(createSenderDecoder(), chunks),
  },
  {
    name: 'file-transfer-receiver',
    seeds: receivers.map(join),
    run: (chunks) => runDecoder(createReceiverDecoder(), chunks),
  },
];
