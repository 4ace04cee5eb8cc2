import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import net from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { CutOff, type FilesReport, type FileTransfer } from '../../../src/handlers/files/files-report.ts';
import { MessageChannel } from '../../../src/handlers/files/message-channel.ts';
import { lockFile } from '../../../src/handlers/files/part-lock.ts';
import { receiveFiles } from '../../../src/handlers/files/receive-files.ts';
import { ReceiveFolder, type ReceiveOptions } from '../../../src/handlers/files/receive-folder.ts';
import { findSources, sendFiles } from '../../../src/handlers/files/send-files.ts';
import { createReceiverDecoder, createSenderDecoder } from '../../../src/protocol/file-transfer/decode.ts';
import { encodeFileMessage } from '../../../src/protocol/file-transfer/encode.ts';
import type { ReceiverMessage, SenderMessage } from '../../../src/protocol/file-transfer/messages.ts';
import { payload, sameBytes } from '../../helpers/bytes.ts';
import { tempDir } from '../../helpers/temp.ts';

/** What was reported of files. */
interface Told {
  readonly started: FileTransfer[];
  readonly done: string[];
  readonly failed: [name: string, message: string][];
}

function listen(): { told: Told; report: FilesReport } {
  const told: Told = { started: [], done: [], failed: [] };
  const report: FilesReport = {
    started: (file) => void told.started.push(file),
    done: ({ name }) => void told.done.push(name),
    failed: (name, error) => void told.failed.push([name, error.message]),
  };
  return { told, report };
}

/** Two ends of a connection over loopback. */
async function connectPair(t: ExecutionContext): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [
    [net.Socket],
    unknown,
  ];
  server.close();
  for (const socket of [client, accepted]) {
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
  }
  return [client, accepted];
}

const never = new AbortController().signal;

/** Receives on a socket what comes after READY and the start. */
function receiveOn(socket: net.Socket, folder: ReceiveFolder, files: number) {
  const decoder = createSenderDecoder();
  decoder.receive(encodeFileMessage({ kind: 'start', files }));
  const channel = new MessageChannel<SenderMessage>(socket, { decoder, signal: never });
  const { told, report } = listen();
  const ended = receiveFiles(channel, folder, files, report)
    .catch((error: unknown) => error as Error)
    .finally(() => channel.release());
  return { told, ended };
}

async function openFolder(t: ExecutionContext, options?: ReceiveOptions) {
  const dir = tempDir(t);
  const folder = await ReceiveFolder.open(dir, options);
  t.teardown(() => folder.close());
  return { dir, folder };
}

/** A sender that says what the test wants, and reads the answers. */
function scriptSender(socket: net.Socket) {
  const decoder = createReceiverDecoder();
  decoder.receive(encodeFileMessage({ kind: 'ready' }));
  const channel = new MessageChannel<ReceiverMessage>(socket, { decoder, signal: never });
  return {
    send: (message: SenderMessage) => channel.send(message),
    next: () => channel.next(),
  };
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest();

/** Offers a file to a folder and gives the answer. */
async function offer(t: ExecutionContext, folder: ReceiveFolder, name: string, bytes: number) {
  const [client, server] = await connectPair(t);
  const receiver = receiveOn(server, folder, 1);
  const sender = scriptSender(client);
  await sender.send({ kind: 'offer', name, bytes });
  return { receiver, sender, client, answer: await sender.next() };
}

/** Sends a whole file by hand, and gives the last answer. */
async function give(t: ExecutionContext, folder: ReceiveFolder, name: string, content: Buffer) {
  const { sender, receiver, answer } = await offer(t, folder, name, content.length);
  t.deepEqual(answer, { kind: 'want', offset: 0 });
  if (content.length > 0) await sender.send({ kind: 'data', bytes: content });
  await sender.send({ kind: 'end', hash: sha256(content) });
  return { last: await sender.next(), receiver };
}

test('a file gets its name when it is complete, with the mode that the system gives, and no part is left', async (t) => {
  const { dir, folder } = await openFolder(t);
  const content = payload(200_000);
  const { sender, receiver } = await offer(t, folder, 'a.bin', content.length);
  await sender.send({ kind: 'data', bytes: content.subarray(0, 150_000) });
  t.false(existsSync(join(dir, 'a.bin')));
  await sender.send({ kind: 'data', bytes: content.subarray(150_000) });
  await sender.send({ kind: 'end', hash: sha256(content) });
  t.deepEqual(await sender.next(), { kind: 'done' });
  t.is(await receiver.ended, true);
  sameBytes(t, readFileSync(join(dir, 'a.bin')), content);
  t.deepEqual(readdirSync(dir), ['a.bin']);
  writeFileSync(join(dir, 'plain'), '');
  t.is(statSync(join(dir, 'a.bin')).mode, statSync(join(dir, 'plain')).mode);
});

const badNames = [
  '..',
  '.',
  '../x',
  '/etc/x',
  'a/b',
  'a\\b',
  'a\0b',
  'a\nb',
  '.hidden',
  '.a.tnet-part',
  'x\u202e',
];
for (const name of badNames) {
  test(`the name ${JSON.stringify(name)} is refused, and nothing is created`, async (t) => {
    const { dir, folder } = await openFolder(t);
    const { answer, receiver } = await offer(t, folder, name, 1);
    t.is(answer?.kind === 'refuse' && answer.reason, 'name');
    t.is(await receiver.ended, false);
    t.regex(receiver.told.failed[0]?.[1] ?? '', /^the name is refused: /);
    t.deepEqual(readdirSync(dir), []);
  });
}

test('a file longer than --max-size is refused', async (t) => {
  const { folder } = await openFolder(t, { maxBytes: 10 });
  const { answer } = await offer(t, folder, 'a', 11);
  t.is(answer?.kind === 'refuse' && answer.reason, 'too-large');
  t.like(await offer(t, folder, 'a', 10), { answer: { kind: 'want' } });
});

test('a file for which there is no room is refused before it is sent', async (t) => {
  const { folder } = await openFolder(t);
  const { answer } = await offer(t, folder, 'a', Number.MAX_SAFE_INTEGER);
  t.is(answer?.kind === 'refuse' && answer.reason, 'no-space');
});

test('another file of the name is left alone, as long as --overwrite is not given', async (t) => {
  for (const content of ['short', 'as long as']) {
    const { dir, folder } = await openFolder(t);
    writeFileSync(join(dir, 'a'), content);
    const { answer, sender } = await offer(t, folder, 'a', 10);
    let last = answer;
    if (answer?.kind === 'have') {
      await sender.send({ kind: 'prefix', hash: sha256(Buffer.from('other text')) });
      last = await sender.next();
    }
    t.is(last?.kind === 'refuse' && last.reason, 'exists', content);
    t.is(readFileSync(join(dir, 'a'), 'utf8'), content);
  }
});

test('with --overwrite another file of the name is replaced in one step, also one of the same length', async (t) => {
  for (const content of ['short', 'as long as']) {
    const { dir, folder } = await openFolder(t, { overwrite: true });
    writeFileSync(join(dir, 'a'), content);
    const held = await open(join(dir, 'a'));
    const fresh = Buffer.from('other text');
    const { answer, sender } = await offer(t, folder, 'a', fresh.length);
    if (answer?.kind === 'have') {
      await sender.send({ kind: 'prefix', hash: sha256(fresh) });
      t.deepEqual(await sender.next(), { kind: 'want', offset: 0 });
    }
    await sender.send({ kind: 'data', bytes: fresh });
    await sender.send({ kind: 'end', hash: sha256(fresh) });
    t.deepEqual(await sender.next(), { kind: 'done' });
    t.is(readFileSync(join(dir, 'a'), 'utf8'), 'other text');
    // Whoever had it open still has the old one, whole.
    t.is(await held.readFile('utf8'), content);
    await held.close();
  }
});

test('a file that is there already, with the same bytes, is only compared', async (t) => {
  const { dir, folder } = await openFolder(t);
  const content = payload(600_000);
  writeFileSync(join(dir, 'a'), content);
  const { answer, sender, receiver } = await offer(t, folder, 'a', content.length);
  t.deepEqual(answer, { kind: 'have', bytes: content.length });
  await sender.send({ kind: 'prefix', hash: sha256(content) });
  t.deepEqual(await sender.next(), { kind: 'want', offset: content.length });
  await sender.send({ kind: 'end', hash: sha256(content) });
  t.deepEqual(await sender.next(), { kind: 'done' });
  t.is(await receiver.ended, true);
  t.is(receiver.told.started[0]?.fromBytes, content.length);
});

for (const overwrite of [false, true]) {
  const how = overwrite ? 'with --overwrite' : 'without --overwrite';
  test(`${how} a symbolic link, a folder and a pipe are never written through or replaced`, async (t) => {
    const { dir, folder } = await openFolder(t, { overwrite });
    const outside = join(tempDir(t), 'victim');
    writeFileSync(outside, 'precious');
    symlinkSync(outside, join(dir, 'link'));
    symlinkSync('/nowhere/at/all', join(dir, 'dangling'));
    mkdirSync(join(dir, 'folder'));
    for (const name of ['link', 'dangling', 'folder']) {
      const { answer } = await offer(t, folder, name, 8);
      t.is(answer?.kind === 'refuse' && answer.reason, 'exists', name);
    }
    t.is(readFileSync(outside, 'utf8'), 'precious');
    t.is(readlinkSync(join(dir, 'link')), outside);
  });
}

test('a link in the place of the temporary file is refused, and its target is not touched', async (t) => {
  const outside = join(tempDir(t), 'victim');
  for (const plant of [symlinkSync, linkSync]) {
    const { dir, folder } = await openFolder(t);
    writeFileSync(outside, 'precious');
    plant(outside, join(dir, '.a.tnet-part'));
    const { answer } = await offer(t, folder, 'a', 100);
    t.is(answer?.kind === 'refuse' && answer.reason, 'exists', plant.name);
    t.is(readFileSync(outside, 'utf8'), 'precious');
  }
});

test('a link that takes the name while the file is received is not followed', async (t) => {
  for (const overwrite of [false, true]) {
    const { dir, folder } = await openFolder(t, { overwrite });
    const outside = join(tempDir(t), 'victim');
    writeFileSync(outside, 'precious');
    const content = Buffer.from('evil');
    const { sender } = await offer(t, folder, 'a', content.length);
    symlinkSync(outside, join(dir, 'a'));
    await sender.send({ kind: 'data', bytes: content });
    await sender.send({ kind: 'end', hash: sha256(content) });
    const last = await sender.next();
    t.is(last?.kind === 'refuse' && last.reason, 'exists');
    t.is(readFileSync(outside, 'utf8'), 'precious');
  }
});

test('files go to the folder that was opened, whatever is put in the place of its path', async (t) => {
  const parent = tempDir(t);
  const [dir, moved, other] = ['in', 'moved', 'other'].map((name) => join(parent, name)) as [
    string,
    string,
    string,
  ];
  mkdirSync(dir);
  mkdirSync(other);
  const folder = await ReceiveFolder.open(dir);
  t.teardown(() => folder.close());
  renameSync(dir, moved);
  symlinkSync(other, dir);
  const content = Buffer.from('content');
  const { answer, sender } = await offer(t, folder, 'a', content.length);
  if (answer?.kind === 'want') {
    await sender.send({ kind: 'data', bytes: content });
    await sender.send({ kind: 'end', hash: sha256(content) });
    t.deepEqual(await sender.next(), { kind: 'done' });
    t.is(readFileSync(join(moved, 'a'), 'utf8'), 'content');
  } else t.is(answer?.kind === 'refuse' && answer.reason, 'failed');
  t.deepEqual(readdirSync(other), []);
});

test('a wrong hash at the end is refused, and the bytes are thrown away', async (t) => {
  const { dir, folder } = await openFolder(t);
  const { sender, receiver } = await offer(t, folder, 'a', 4);
  await sender.send({ kind: 'data', bytes: Buffer.from('good') });
  await sender.send({ kind: 'end', hash: sha256(Buffer.from('evil')) });
  const last = await sender.next();
  t.is(last?.kind === 'refuse' && last.reason, 'wrong-hash');
  t.is(await receiver.ended, false);
  t.deepEqual(readdirSync(dir), []);
});

test('a part of which the sender has other bytes is received from the beginning', async (t) => {
  const { dir, folder } = await openFolder(t);
  writeFileSync(join(dir, '.a.tnet-part'), 'old bytes');
  const content = Buffer.from('new bytes, and more');
  const { answer, sender } = await offer(t, folder, 'a', content.length);
  t.deepEqual(answer, { kind: 'have', bytes: 9 });
  await sender.send({ kind: 'prefix', hash: sha256(content.subarray(0, 9)) });
  t.deepEqual(await sender.next(), { kind: 'want', offset: 0 });
  await sender.send({ kind: 'data', bytes: content });
  await sender.send({ kind: 'end', hash: sha256(content) });
  t.deepEqual(await sender.next(), { kind: 'done' });
  t.is(readFileSync(join(dir, 'a'), 'utf8'), content.toString());
});

test('a part that is longer than the file is not used', async (t) => {
  const { dir, folder } = await openFolder(t);
  writeFileSync(join(dir, '.a.tnet-part'), 'much too long');
  t.like(await give(t, folder, 'a', Buffer.from('short')), { last: { kind: 'done' } });
  t.is(readFileSync(join(dir, 'a'), 'utf8'), 'short');
});

test('a name of 255 bytes has a part whose name is not too long', async (t) => {
  const { dir, folder } = await openFolder(t);
  const name = 'n'.repeat(255);
  t.like(await give(t, folder, name, Buffer.from('x')), { last: { kind: 'done' } });
  t.deepEqual(readdirSync(dir), [name]);
});

test('a name is received by one client at a time; the second is told so', async (t) => {
  const { folder } = await openFolder(t);
  const first = await offer(t, folder, 'a', 4);
  t.is(first.answer?.kind, 'want');
  const second = await offer(t, folder, 'a', 4);
  t.is(second.answer?.kind === 'refuse' && second.answer.reason, 'busy');
  await first.sender.send({ kind: 'data', bytes: Buffer.from('good') });
  await first.sender.send({ kind: 'end', hash: sha256(Buffer.from('good')) });
  t.deepEqual(await first.sender.next(), { kind: 'done' });
});

test('a file can be taken once until it is given back', async (t) => {
  const path = join(tempDir(t), 'f');
  writeFileSync(path, '');
  const found = statSync(path, { bigint: true });
  const unlock = await lockFile(found);
  t.is(await lockFile(found), undefined);
  await unlock?.();
  const again = await lockFile(found);
  t.truthy(again);
  await again?.();
});

test('a sender that gives a file up is answered, and the next file is received', async (t) => {
  const { dir, folder } = await openFolder(t);
  const [client, server] = await connectPair(t);
  const receiver = receiveOn(server, folder, 3);
  const sender = scriptSender(client);
  await sender.send({ kind: 'give-up', text: 'x: it cannot be read' });
  await sender.send({ kind: 'offer', name: 'a', bytes: 10 });
  t.like(await sender.next(), { kind: 'want' });
  await sender.send({ kind: 'data', bytes: Buffer.from('half ') });
  await sender.send({ kind: 'give-up', text: 'it became shorter while it was sent' });
  t.like(await sender.next(), { kind: 'refuse', reason: 'given-up' });
  await sender.send({ kind: 'offer', name: 'b', bytes: 0 });
  t.like(await sender.next(), { kind: 'want' });
  await sender.send({ kind: 'end', hash: sha256(Buffer.alloc(0)) });
  t.deepEqual(await sender.next(), { kind: 'done' });
  t.is(await receiver.ended, false);
  t.deepEqual(
    receiver.told.failed.map(([name]) => name),
    ['', 'a'],
  );
  // What has come is kept for the next time.
  t.is(readFileSync(join(dir, '.a.tnet-part'), 'utf8'), 'half ');
});

const outOfOrder: [what: string, messages: SenderMessage[]][] = [
  ['bytes before an offer', [{ kind: 'data', bytes: Buffer.from('x') }]],
  ['a hash before an offer', [{ kind: 'prefix', hash: Buffer.alloc(32) }]],
  [
    'more bytes than it offered',
    [
      { kind: 'offer', name: 'a', bytes: 1 },
      { kind: 'data', bytes: Buffer.from('xy') },
    ],
  ],
  [
    'an end before all bytes',
    [
      { kind: 'offer', name: 'a', bytes: 2 },
      { kind: 'data', bytes: Buffer.from('x') },
      { kind: 'end', hash: Buffer.alloc(32) },
    ],
  ],
  [
    'a second offer within a file',
    [
      { kind: 'offer', name: 'a', bytes: 2 },
      { kind: 'offer', name: 'b', bytes: 2 },
    ],
  ],
];
for (const [what, messages] of outOfOrder) {
  test(`a sender that sends ${what} breaks the protocol`, async (t) => {
    const { folder } = await openFolder(t);
    const [client, server] = await connectPair(t);
    const receiver = receiveOn(server, folder, 2);
    const sender = scriptSender(client);
    for (const message of messages) await sender.send(message);
    t.like(await receiver.ended, { code: 'TNET_E_PROTOCOL', reason: 'out-of-order' });
  });
}

for (const kind of ['end', 'reset'] as const) {
  test(`a ${kind} within a file says how far it came, and what has come is kept`, async (t) => {
    const { dir, folder } = await openFolder(t);
    const { sender, receiver, client } = await offer(t, folder, 'a', 10);
    await sender.send({ kind: 'data', bytes: Buffer.from('12345') });
    // The bytes are there before the end is.
    while (receiver.told.started.length === 0) await new Promise((resolve) => setImmediate(resolve));
    if (kind === 'end') client.end();
    else client.resetAndDestroy();
    const error = await receiver.ended;
    t.true(error instanceof CutOff);
    t.regex((error as Error).message, /^cut off after \d of 10 bytes: /);
    t.true('12345'.startsWith(readFileSync(join(dir, '.a.tnet-part'), 'utf8')));
  });
}

test('a sender that ends between two files has not sent all of them', async (t) => {
  const { folder } = await openFolder(t);
  const [client, server] = await connectPair(t);
  const receiver = receiveOn(server, folder, 2);
  client.end();
  t.like(await receiver.ended, { code: 'TNET_E_FILE', message: 'the sender ended after 0 of 2 files' });
});

test('a folder that is none, or into which nothing can be written, is refused at the start', async (t) => {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'file'), '');
  for (const name of ['file', 'missing']) {
    const error = await t.throwsAsync(ReceiveFolder.open(join(dir, name)), { code: 'TNET_E_USAGE' });
    t.regex(error.message, /^no files can be received there \(ENO/);
  }
  if (process.getuid?.() === 0) return;
  chmodSync(dir, 0o500);
  await t.throwsAsync(ReceiveFolder.open(dir), { code: 'TNET_E_USAGE', message: /EACCES/ });
});

/** Sends files of a folder into another one, over a connection that breaks after so many bytes. */
async function transfer(
  t: ExecutionContext,
  paths: readonly string[],
  folder: ReceiveFolder,
  breakAfter = Infinity,
): Promise<{ sent: boolean | Error; received: boolean | Error; sender: Told; receiver: Told }> {
  const [[client, near], [far, server]] = await Promise.all([connectPair(t), connectPair(t)]);
  let left = breakAfter;
  near.on('data', (chunk: Buffer) => {
    far.write(chunk.subarray(0, Math.min(left, chunk.length)));
    left -= chunk.length;
    if (left > 0) return;
    near.destroy();
    far.end();
  });
  far.on('data', (chunk: Buffer) => near.write(chunk));
  near.on('end', () => far.end());
  far.on('end', () => near.end());
  const { files } = await findSources(paths);
  const channel = new MessageChannel<ReceiverMessage>(client, {
    decoder: createReceiverDecoder(),
    signal: never,
  });
  const { told, report } = listen();
  const sending = sendFiles(channel, files, { report, readyMs: 60_000 })
    .catch((error: unknown) => error as Error)
    .finally(() => client.end());
  server.write(encodeFileMessage({ kind: 'ready' }));
  const decoder = createSenderDecoder();
  const incoming = new MessageChannel<SenderMessage>(server, { decoder, signal: never });
  const receiver = listen();
  const start = await incoming.next().catch(() => undefined);
  const receiving =
    start?.kind === 'start'
      ? receiveFiles(incoming, folder, start.files, receiver.report).catch((error: unknown) => error as Error)
      : Promise.resolve(new Error('no start'));
  const received = await receiving;
  server.end();
  const sent = await sending;
  return { sent, received, sender: told, receiver: receiver.told };
}

test('files of any lengths arrive whole over connections that break anywhere, each run resuming the last', async (t) => {
  t.timeout(120_000);
  const lengths = fc.array(fc.integer({ min: 0, max: 700_000 }), { minLength: 1, maxLength: 3 });
  const breaks = fc.array(fc.integer({ min: 1, max: 600_000 }), { maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(lengths, breaks, async (sizes, places) => {
      const [from, { dir, folder }] = [tempDir(t), await openFolder(t)];
      const contents = sizes.map((size) => payload(size));
      const paths = contents.map((content, at) => {
        const path = join(from, `f${at}`);
        writeFileSync(path, content);
        return path;
      });
      for (const place of places) {
        const had = contents.map((_, at) => lengthOf(join(dir, `.f${at}.tnet-part`)));
        const { sender } = await transfer(t, paths, folder, place);
        // Nothing that is there is sent again.
        for (const { name, bytes, fromBytes } of sender.started) {
          const at = Number(name.slice(1));
          t.true(fromBytes === had[at] || fromBytes === bytes, `${name} from ${fromBytes}, had ${had[at]}`);
        }
      }
      t.like(await transfer(t, paths, folder), { sent: true, received: true });
      for (const [at, content] of contents.entries())
        sameBytes(t, readFileSync(join(dir, `f${at}`)), content);
      t.is(readdirSync(dir).length, contents.length);
    }),
    { numRuns: 12 },
  );
});

function lengthOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}

test('a source that changes while it is sent is given up, and the receiver does not keep it under its name', async (t) => {
  const { dir, folder } = await openFolder(t);
  const path = join(tempDir(t), 'f');
  const content = payload(3_000_000);
  writeFileSync(path, content);
  for (const change of ['longer', 'shorter'] as const) {
    const [client, server] = await connectPair(t);
    const channel = new MessageChannel<ReceiverMessage>(client, {
      decoder: createReceiverDecoder(),
      signal: never,
    });
    const { told, report } = listen();
    const changing: FilesReport = {
      ...report,
      started: () => writeFileSync(path, change === 'longer' ? payload(4_000_000) : 'x'),
    };
    const sending = sendFiles(channel, [{ path, name: 'f' }], { report: changing, readyMs: 60_000 });
    server.write(encodeFileMessage({ kind: 'ready' }));
    const decoder = createSenderDecoder();
    const incoming = new MessageChannel<SenderMessage>(server, { decoder, signal: never });
    t.like(await incoming.next(), { kind: 'start' });
    t.is(await receiveFiles(incoming, folder, 1, listen().report), false);
    t.is(await sending, false);
    t.regex(
      told.failed[0]?.[1] ?? '',
      change === 'longer' ? /^it changed while/ : /^it became shorter while/,
    );
    t.false(existsSync(join(dir, 'f')));
  }
});

test('sources are files that can be read, each with a plain name of its own', async (t) => {
  const dir = tempDir(t);
  const [a, sub] = [join(dir, 'a'), join(dir, 'sub')];
  writeFileSync(a, 'abc');
  mkdirSync(sub);
  writeFileSync(join(sub, 'a'), 'other');
  writeFileSync(join(dir, '.hidden'), '');
  t.deepEqual(await findSources([a]), { files: [{ path: a, name: 'a' }], bytes: 3 });
  const bad: [paths: string[], message: RegExp][] = [
    [[join(dir, 'missing')], /^no such file/],
    [[sub], /^it is not a regular file$/],
    [['/dev/null'], /^it is not a regular file$/],
    [[a, join(sub, 'a')], /^two files would have the name a$/],
    [[join(dir, '.hidden')], /^no receiver takes a file of this name: it begins with a dot$/],
    [['/'], /^no receiver takes a file of this name: it is empty$/],
  ];
  for (const [paths, message] of bad)
    await t.throwsAsync(findSources(paths), { code: 'TNET_E_USAGE', message }, paths.join(' '));
});
