import { once } from 'node:events';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import fc from 'fast-check';
import type { Endpoint } from '../../src/address/endpoint.ts';
import { dial } from '../../src/dial/dial.ts';
import { errorCode } from '../../src/errors.ts';
import { flushMark, type Connection } from '../../src/net/connection.ts';
import { maxUnixMessageBytes } from '../../src/net/datagram-peer.ts';
import { PacketConnection } from '../../src/net/packet-connection.ts';
import { serve } from '../../src/serve/serve.ts';
import { payload } from '../helpers/bytes.ts';
import { bindDatagramPeer, startPacketServer, testMessages } from '../helpers/messages.ts';
import { tempDir } from '../helpers/temp.ts';

function packetsAt(path: string) {
  return { kind: 'unix-seqpacket', path } as const;
}

async function readMessage(connection: Connection): Promise<Buffer> {
  for (;;) {
    const message = connection.read() as Buffer | null;
    if (message !== null) return message;
    await once(connection, 'readable');
  }
}

async function open(endpoint: Endpoint): Promise<PacketConnection> {
  const connection = await dial(endpoint);
  if (connection instanceof PacketConnection) return connection;
  throw new Error('no packets');
}

for (const [called, nameIn] of [
  ['a path', (folder: string) => join(folder, 's')],
  ['an abstract name', (folder: string) => `\0${folder}`],
] as const) {
  testMessages(
    `packets at ${called} come one by one, also those without bytes, and both ends end`,
    async (t) => {
      const endpoint = packetsAt(nameIn(tempDir(t)));
      const server = await startPacketServer(t, endpoint);
      const client = await open(endpoint);
      t.teardown(() => client.destroy());
      const accepted = await server.accept();
      const sent = [Buffer.from('a'), Buffer.alloc(0), payload(100_000), Buffer.alloc(0), Buffer.from('b')];
      for (const message of sent) client.write(message);
      for (const message of sent) t.deepEqual(await readMessage(accepted), message);
      client.end();
      accepted.resume();
      await once(accepted, 'end');
      accepted.write('still');
      t.is(String(await readMessage(client)), 'still');
      accepted.end();
      client.resume();
      await once(client, 'end');
      t.is(accepted.credentials?.pid, process.pid);
    },
  );
}

testMessages('packets of any sizes arrive whole and in order', async (t) => {
  const endpoint = packetsAt(join(tempDir(t), 's'));
  const server = await startPacketServer(t, endpoint);
  const sizes = fc.array(fc.oneof(fc.nat(20), fc.nat(5_000), fc.nat(200_000)), { maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(sizes, async (lengths) => {
      const client = await open(endpoint);
      const accepted = await server.accept();
      const received: number[] = [];
      accepted.on('data', (message: Buffer) => {
        received.push(message.length);
        t.true(message.every((byte) => byte === message.length % 251));
      });
      for (const length of lengths) client.write(Buffer.alloc(length, length % 251));
      client.end();
      await once(accepted, 'end');
      t.deepEqual(received, lengths);
      accepted.destroy();
      client.destroy();
    }),
    { numRuns: 20 },
  );
});

testMessages('a chunk over the longest packet is cut, without a byte lost, and told', async (t) => {
  const endpoint = packetsAt(join(tempDir(t), 's'));
  const server = await startPacketServer(t, endpoint);
  const client = await open(endpoint);
  t.teardown(() => client.destroy());
  const accepted = await server.accept();
  const cut = once(client, 'cut');
  const chunk = payload(maxUnixMessageBytes + 10);
  client.write(chunk);
  const parts = [await readMessage(accepted), await readMessage(accepted)];
  t.deepEqual(
    parts.map(({ length }) => length),
    [maxUnixMessageBytes, 10],
  );
  t.deepEqual(Buffer.concat(parts), chunk);
  t.deepEqual(await cut, [chunk.length]);
});

testMessages('a reader that stops holds up the sender, and nothing is lost', async (t) => {
  const endpoint = packetsAt(join(tempDir(t), 's'));
  const server = await startPacketServer(t, endpoint);
  const client = await open(endpoint);
  t.teardown(() => client.destroy());
  const accepted = await server.accept();
  const count = 400;
  let taken = 0;
  for (let nth = 0; nth < count; nth++) client.write(Buffer.alloc(10_000, nth % 256), () => taken++);
  client.end();
  // Until the system takes no more.
  for (let before = -1; before !== taken;) {
    before = taken;
    await delay(50);
  }
  t.true(taken < count);
  let received = 0;
  accepted.on('data', (message: Buffer) => {
    t.is(message[0], received++ % 256);
  });
  await once(accepted, 'end');
  t.is(received, count);
});

testMessages('what the peer sent before it left comes before the break', async (t) => {
  const endpoint = packetsAt(join(tempDir(t), 's'));
  const server = await startPacketServer(t, endpoint);
  const client = await open(endpoint);
  const accepted = await server.accept();
  // Unread when it closes, which resets the connection.
  client.write('unread');
  for (const text of ['one', 'two', 'three']) accepted.write(text);
  await new Promise((resolve) => accepted.write(flushMark, resolve));
  accepted.destroy();
  await once(accepted, 'close');
  const texts: string[] = [];
  client.on('data', (message: Buffer) => texts.push(String(message)));
  const [error] = (await once(client, 'error')) as [Error];
  t.is(errorCode(error), 'ECONNRESET');
  t.deepEqual(texts, ['one', 'two', 'three']);
});

testMessages('a write to a peer that has left fails after what it sent has been read', async (t) => {
  const endpoint = packetsAt(join(tempDir(t), 's'));
  const server = await startPacketServer(t, endpoint);
  const client = await open(endpoint);
  const accepted = await server.accept();
  accepted.write('last words');
  await new Promise((resolve) => accepted.write(flushMark, resolve));
  accepted.destroy();
  await once(accepted, 'close');
  const texts: string[] = [];
  client.on('data', (message: Buffer) => texts.push(String(message)));
  const failed = new Promise<unknown>((resolve) => client.write('x', resolve));
  client.on('error', () => undefined);
  t.is(errorCode(await failed), 'EPIPE');
  t.deepEqual(texts, ['last words']);
});

testMessages('a flush mark fails once a peer that has ended has gone, and not before', async (t) => {
  const endpoint = packetsAt(join(tempDir(t), 's'));
  const server = await startPacketServer(t, endpoint);
  const client = await open(endpoint);
  client.on('error', () => undefined);
  const accepted = await server.accept();
  accepted.end();
  client.resume();
  await once(client, 'end');
  const ask = () => new Promise<unknown>((resolve) => client.write(flushMark, resolve));
  t.falsy(await ask());
  accepted.destroy();
  await once(accepted, 'close');
  t.is(errorCode(await ask()), 'EPIPE');
});

testMessages('a stale path is replaced, a live one is not, and a file is not touched', async (t) => {
  const folder = tempDir(t);
  const path = join(folder, 's');
  const options = { mode: 0o600, onConnection: () => undefined };
  const first = await startPacketServer(t, packetsAt(path));
  await t.throwsAsync(serve(packetsAt(path), options), { code: 'TNET_E_PATH_IN_USE' });
  first.server.close();
  await once(first.server, 'close');
  t.false(existsSync(path));
  // A bound socket that is closed leaves its file.
  bindDatagramPeer({ ...t, teardown: (close: () => void) => close() }, path);
  t.true(existsSync(path));
  const server = await serve(packetsAt(path), options);
  t.teardown(() => server.close());
  t.is(statSync(path).mode & 0o777, 0o600);
  const file = join(folder, 'file');
  writeFileSync(file, 'precious');
  await t.throwsAsync(serve(packetsAt(file), options), { code: 'TNET_E_PATH_IN_USE' });
  await t.throwsAsync(serve(packetsAt(join(folder, 'none', 's')), options), { code: 'TNET_E_ADDRESS' });
});

testMessages('a connection to datagrams has a name, by which it is answered', async (t) => {
  const path = join(tempDir(t), 's');
  const peer = bindDatagramPeer(t, path);
  const client = await dial({ kind: 'unix-dgram', path });
  t.teardown(() => client.destroy());
  const sent = [Buffer.from('a'), Buffer.alloc(0), payload(100_000)];
  for (const message of sent) client.write(message);
  const heard = await peer.until(sent.length);
  t.deepEqual(
    heard.map(({ bytes }) => bytes),
    sent,
  );
  await peer.send(Buffer.from('answer'), heard[0]!.name!);
  t.is(String(await readMessage(client)), 'answer');
});

for (const [kind, code] of [
  ['unix-dgram', 'ECONNREFUSED'],
  ['unix-seqpacket', 'ECONNREFUSED'],
] as const) {
  testMessages(
    `nobody behind a path of ${kind} is ${code}, nothing there ENOENT, another kind EPROTOTYPE`,
    async (t) => {
      const folder = tempDir(t);
      const path = join(folder, 's');
      await t.throwsAsync(dial({ kind, path }), { code: 'ENOENT' });
      bindDatagramPeer({ ...t, teardown: (close: () => void) => close() }, path);
      await t.throwsAsync(dial({ kind, path }), { code });
      const other = join(folder, 'other');
      const server = await serve({ kind: 'unix', path: other }, { onConnection: () => undefined });
      t.teardown(() => server.close());
      await t.throwsAsync(dial({ kind, path: other }), { code: 'EPROTOTYPE' });
    },
  );
}
