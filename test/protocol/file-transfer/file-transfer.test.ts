import test from 'ava';
import fc from 'fast-check';
import { createReceiverDecoder, createSenderDecoder } from '../../../src/protocol/file-transfer/decode.ts';
import { encodeFileMessage, writeDataHead } from '../../../src/protocol/file-transfer/encode.ts';
import { findNameFault } from '../../../src/protocol/file-transfer/file-name.ts';
import {
  DATA_LIMIT_BYTES,
  refusalCodes,
  type ReceiverMessage,
  type RefusalReason,
  type SenderMessage,
} from '../../../src/protocol/file-transfer/messages.ts';
import { ProtocolError } from '../../../src/protocol/protocol-error.ts';
import { cutAt } from '../../helpers/protocol/codec-target.ts';
import { hex } from '../../helpers/protocol/hex.ts';

const start = '89544e4554460a01';
const sha256 = '5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03';

/** The example of docs/file-transfer.md. */
const sent: [message: SenderMessage, bytes: string][] = [
  [{ kind: 'start', files: 1 }, `${start}00000001`],
  [{ kind: 'offer', name: 'a.txt', bytes: 6 }, '010000000d0000000000000006612e747874'],
  [{ kind: 'prefix', hash: Buffer.from(sha256, 'hex') }, `0200000020${sha256}`],
  [{ kind: 'data', bytes: Buffer.from('hello\n') }, '030000000668656c6c6f0a'],
  [{ kind: 'end', hash: Buffer.from(sha256, 'hex') }, `0400000020${sha256}`],
  [{ kind: 'give-up', text: 'gone' }, '0500000004676f6e65'],
];
const received: [message: ReceiverMessage, bytes: string][] = [
  [{ kind: 'ready' }, start],
  [{ kind: 'have', bytes: 4 }, '81000000080000000000000004'],
  [{ kind: 'want', offset: 4 }, '82000000080000000000000004'],
  [{ kind: 'done' }, '8300000000'],
  [{ kind: 'refuse', reason: 'busy', text: 'wait' }, '84000000050577616974'],
];

for (const [message, bytes] of [...sent, ...received]) {
  test(`${message.kind.toUpperCase()} is written as ${bytes.slice(0, 36)}`, (t) => {
    t.is(encodeFileMessage(message).toString('hex'), bytes);
  });
}

test('a sender and a receiver are read back, cut at every place', (t) => {
  const all = [
    [createSenderDecoder, sent],
    [createReceiverDecoder, received],
  ] as const;
  for (const [create, messages] of all) {
    const bytes = hex(messages.map(([, text]) => text).join(''));
    for (let cut = 0; cut <= bytes.length; cut++) {
      const decoder = create();
      const read = [...decoder.receive(bytes.subarray(0, cut)), ...decoder.receive(bytes.subarray(cut))];
      const kinds = read
        .map(({ kind }) => kind)
        .filter((kind, at, list) => kind !== 'data' || list[at - 1] !== kind);
      t.deepEqual(
        kinds,
        messages.map(([{ kind }]) => kind),
        `cut at ${cut}`,
      );
      t.true(decoder.isBetweenMessages);
    }
  }
});

const anyHash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
const anyLength = fc.maxSafeNat();
const anyName = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 60 })
  .filter((name) => name.isWellFormed() && Buffer.byteLength(name) <= 255);
const anyText = fc
  .string({ unit: 'grapheme', maxLength: 100 })
  .filter((text) => Buffer.byteLength(text) <= 512);
const anySenderMessage: fc.Arbitrary<SenderMessage> = fc.oneof(
  fc.record({ kind: fc.constant('offer' as const), name: anyName, bytes: anyLength }),
  fc.record({ kind: fc.constant('prefix' as const), hash: anyHash }),
  fc.record({
    kind: fc.constant('data' as const),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({ kind: fc.constant('end' as const), hash: anyHash }),
  fc.record({ kind: fc.constant('give-up' as const), text: anyText }),
);
const anyReceiverMessage: fc.Arbitrary<ReceiverMessage> = fc.oneof(
  fc.record({ kind: fc.constant('have' as const), bytes: anyLength }),
  fc.record({ kind: fc.constant('want' as const), offset: anyLength }),
  fc.constant({ kind: 'done' as const }),
  fc.record({
    kind: fc.constant('refuse' as const),
    reason: fc.constantFrom(...(Object.keys(refusalCodes) as RefusalReason[])),
    text: anyText,
  }),
);

/** Bytes of a file come in as many pieces as there were cuts. */
function merge(messages: readonly (SenderMessage | ReceiverMessage)[]): unknown[] {
  const merged: (SenderMessage | ReceiverMessage)[] = [];
  for (const message of messages) {
    const last = merged.at(-1);
    if (message.kind === 'data' && last?.kind === 'data')
      merged[merged.length - 1] = { kind: 'data', bytes: Buffer.concat([last.bytes, message.bytes]) };
    else merged.push(message);
  }
  return merged;
}

test('whatever a sender says is read as it was said, cut anywhere', (t) => {
  const cuts = fc.array(fc.nat(), { maxLength: 20 });
  const files = fc.integer({ min: 1, max: 0xffff_ffff });
  fc.assert(
    fc.property(files, fc.array(anySenderMessage), cuts, (count, messages, places) => {
      const all: SenderMessage[] = [{ kind: 'start', files: count }, ...messages];
      const decoder = createSenderDecoder();
      const chunks = cutAt(Buffer.concat(all.map(encodeFileMessage)), places);
      t.deepEqual(merge(chunks.flatMap((chunk) => decoder.receive(chunk))), merge(all));
      t.true(decoder.isBetweenMessages);
    }),
  );
});

test('whatever a receiver says is read as it was said, cut anywhere', (t) => {
  fc.assert(
    fc.property(fc.array(anyReceiverMessage), fc.array(fc.nat(), { maxLength: 20 }), (messages, places) => {
      const all: ReceiverMessage[] = [{ kind: 'ready' }, ...messages];
      const decoder = createReceiverDecoder();
      const chunks = cutAt(Buffer.concat(all.map(encodeFileMessage)), places);
      t.deepEqual(
        chunks.flatMap((chunk) => decoder.receive(chunk)),
        all,
      );
    }),
  );
});

const wrong: [what: string, bytes: string, reason: string][] = [
  ['other first bytes', '47', 'bad-magic'],
  ['another version', '89544e4554460a02', 'bad-version'],
  ['no file at all', `${start}00000000`, 'no-files'],
  ['an unknown type', `${start}0000000106`, 'bad-type'],
  ["a receiver's message", `${start}0000000183`, 'bad-type'],
  ['an offer without a name', `${start}000000010100000008`, 'too-short'],
  ['an offer with a name of 256 bytes', `${start}000000010100000108`, 'too-long'],
  ['a name that is not UTF-8', `${start}0000000101000000090000000000000001ff`, 'bad-name'],
  ['a length over 2^53 - 1', `${start}00000001010000000900200000000000006f`, 'too-long'],
  ['a hash of 31 bytes', `${start}00000001020000001f`, 'too-short'],
  ['a hash of 33 bytes', `${start}000000010400000021`, 'too-long'],
  ['DATA without a byte', `${start}000000010300000000`, 'too-short'],
  ['DATA over its limit', `${start}000000010300100001`, 'too-long'],
  ['a text over its limit', `${start}000000010500000201`, 'too-long'],
];
for (const [what, bytes, reason] of wrong) {
  test(`a sender that sends ${what} is refused at its first wrong byte, and for good`, (t) => {
    const decoder = createSenderDecoder();
    const whole = hex(bytes);
    t.notThrows(() => decoder.receive(whole.subarray(0, -1)));
    const error = t.throws(() => decoder.receive(whole.subarray(-1)), { instanceOf: ProtocolError });
    t.is(error.reason, reason);
    t.is(error.protocol, 'file-transfer');
    t.is(
      t.throws(() => decoder.receive(hex('00'))),
      error,
    );
  });
}

test('a reason that a later version of the protocol has added is read as a failure', (t) => {
  const decoder = createReceiverDecoder();
  const [, refusal] = decoder.receive(hex(`${start}8400000003636263`));
  t.deepEqual(refusal, { kind: 'refuse', reason: 'failed', text: 'bc' });
});

test('a text that is too long is cut between two characters', (t) => {
  const bytes = encodeFileMessage({ kind: 'give-up', text: `${'x'.repeat(511)}é` });
  t.is(bytes.length, 5 + 511);
});

test('what has no form on the wire is refused', (t) => {
  const impossible: (() => unknown)[] = [
    () => encodeFileMessage({ kind: 'start', files: 0 }),
    () => encodeFileMessage({ kind: 'offer', name: '', bytes: 1 }),
    () => encodeFileMessage({ kind: 'offer', name: 'x'.repeat(256), bytes: 1 }),
    () => encodeFileMessage({ kind: 'offer', name: '\ud800', bytes: 1 }),
    () => encodeFileMessage({ kind: 'offer', name: 'x', bytes: -1 }),
    () => encodeFileMessage({ kind: 'have', bytes: 2 ** 53 }),
    () => writeDataHead(Buffer.alloc(5), 0),
    () => writeDataHead(Buffer.alloc(5), DATA_LIMIT_BYTES + 1),
  ];
  for (const encode of impossible) t.throws(encode, { code: 'TNET_E_PROTOCOL_INPUT' });
});

const names: [name: string, fault: RegExp | undefined][] = [
  ['report.pdf', undefined],
  ['12:30 ünïcode 名.txt', undefined],
  ['-rf', undefined],
  ['a..b', undefined],
  ['con', undefined],
  ['', /empty/],
  ['.', /dot/],
  ['..', /dot/],
  ['.profile', /dot/],
  ['.a.tnet-part', /dot/],
  ['/etc/passwd', /separator/],
  ['a/b', /separator/],
  ['..\\b', /separator/],
  ['C:\\x', /separator/],
  ['a\0b', /control/],
  ['a\nb', /control/],
  ['a\u001bb', /control/],
  ['a\u007fb', /control/],
  ['a\u0085b', /control/],
  ['fdp\u202etxt.exe', /control/],
  ['a\u2028b', /control/],
  ['x'.repeat(255), undefined],
  ['x'.repeat(256), /255/],
  ['é'.repeat(128), /255/],
];
for (const [name, fault] of names) {
  test(`the name ${JSON.stringify(name.slice(0, 20))} of ${name.length} characters ${fault ? 'is refused' : 'is plain'}`, (t) => {
    if (fault) t.regex(findNameFault(name) ?? '', fault);
    else t.is(findNameFault(name), undefined);
  });
}

for (const name of ['con', 'NUL.txt', 'com1', 'lpt³.log', 'aux ', 'a:b', 'a*', 'a.', 'a ']) {
  test(`on Windows, ${JSON.stringify(name)} is refused`, (t) => {
    t.regex(findNameFault(name, { isWindows: true }) ?? '', /Windows/);
  });
}
