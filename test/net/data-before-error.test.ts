import { spawn } from 'node:child_process';
import { once } from 'node:events';
import nodeNet from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { Socket } from '../../src/net/index.ts';
import { unsentBytes, waitAcknowledged } from '../../src/net/tuning.ts';
import { connectPair, listen, pattern, portOf, record, turn } from '../helpers/net/sockets.ts';

const patient = { allowHalfOpen: true, dataBeforeError: true };
const both = { serverOptions: patient, clientOptions: patient };

/** Writes, and resolves when the peer's kernel has taken it all. */
async function send(socket: Socket, bytes: Buffer): Promise<void> {
  await new Promise((resolve) => socket.write(bytes, resolve));
  await waitAcknowledged(socket);
}

/** Waits until the peer's kernel takes no more, and says how much of `size` it has. */
async function settleUnsent(socket: Socket, size: number): Promise<number> {
  for (let last = -1, same = 0; ;) {
    const unsent = (await unsentBytes(socket)) ?? 0;
    same = unsent === last ? same + 1 : 0;
    last = unsent;
    if (unsent === 0 || same > 10) return size - unsent;
    await delay(5);
  }
}

for (const size of [1, 1000, 16_384, 65_536, 65_537, 200_000, 1_000_000]) {
  test(`a reset behind ${size} unread bytes comes after all that arrived`, async (t) => {
    const { accepted, client } = await connectPair(t, 'tcp4', both);
    accepted.pause();
    const story = record(accepted, { flow: false });
    client.write(pattern(size));
    const arrived = await settleUnsent(client, size);
    client.resetAndDestroy();
    await once(client, 'close');
    await turn();
    const chunks: Buffer[] = [];
    accepted.on('data', (chunk: Buffer) => chunks.push(chunk));
    accepted.resume();
    await story.closed;
    t.deepEqual(story.events, ['error ECONNRESET', 'close true']);
    t.true(arrived > 0);
    t.true(Buffer.concat(chunks).equals(pattern(size).subarray(0, arrived)));
  });
}

for (const [what, words] of [
  ['comes after what the peer had said', 'last words'],
  ['is a failure to connect when the peer had said nothing', ''],
] as const) {
  test(`a reset before connecting was noticed ${what}`, async (t) => {
    const script = `
      const server = require('net').createServer((socket) => {
        socket.on('error', () => 0).on('close', () => console.log('left'));
        socket.write('${words}', () => socket.resetAndDestroy());
      });
      server.listen(0, '127.0.0.1', () => console.log(server.address().port));`;
    const server = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => server.kill('SIGKILL'));
    const [port] = (await once(server.stdout, 'data')) as [Buffer];
    const socket = new Socket(patient).connect(Number(port), '127.0.0.1');
    const story = record(socket);
    let isConnected = false;
    socket.once('connect', () => (isConnected = true));
    // Behind connect(2): nothing is noticed for so long. A server that takes longer finds the usual order of things.
    process.nextTick(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200));
    await story.closed;
    t.is(story.bytes().toString(), words);
    t.deepEqual(story.events, ['error ECONNRESET', 'close true']);
    if (words !== '') t.true(isConnected);
  });
}

for (const reader of ['flowing', 'readable', 'read(n)', 'pipe-like'] as const) {
  test(`a ${reader} reader gets every byte before the reset's error`, async (t) => {
    const { accepted, client } = await connectPair(t, 'tcp4', both);
    const story = record(accepted, { flow: false });
    const chunks: Buffer[] = [];
    const take = (size?: number) => {
      for (let chunk: Buffer | null; (chunk = accepted.read(size) as Buffer | null) !== null;)
        chunks.push(chunk);
    };
    if (reader === 'flowing') accepted.on('data', (chunk: Buffer) => chunks.push(chunk));
    if (reader === 'readable') accepted.on('readable', () => take());
    if (reader === 'read(n)') accepted.on('readable', () => take(1024));
    if (reader === 'pipe-like')
      accepted.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        accepted.pause();
        setImmediate(() => accepted.resume());
      });
    await send(client, pattern(100_000));
    client.resetAndDestroy();
    await story.closed;
    if (reader === 'read(n)') take();
    t.deepEqual(story.events, ['error ECONNRESET', 'close true']);
    t.true(Buffer.concat(chunks).equals(pattern(100_000)));
  });
}

test('a read error waits while the reader is paused, and heldError shows it', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4', both);
  const story = record(accepted, { flow: false });
  await send(client, pattern(1000));
  await once(accepted, 'readable');
  accepted.pause();
  client.resetAndDestroy();
  while (!accepted.heldError) await turn();
  t.deepEqual(story.events, []);
  t.is((accepted.heldError as NodeJS.ErrnoException).code, 'ECONNRESET');
  t.is((accepted.read() as Buffer).length, 1000);
  await story.closed;
  t.deepEqual(story.events, ['error ECONNRESET', 'close true']);
});

test('destroying a socket drops a held error', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4', both);
  const story = record(accepted, { flow: false });
  await send(client, pattern(1000));
  accepted.pause();
  client.resetAndDestroy();
  while (!accepted.heldError) await turn();
  accepted.destroy();
  await story.closed;
  t.deepEqual(story.events, ['close false']);
});

test('an error handed over from another socket destroys at once', async (t) => {
  const one = await connectPair(t, 'tcp4', both);
  const two = await connectPair(t, 'tcp4', both);
  const story = record(two.accepted, { flow: false });
  await send(two.client, pattern(1000));
  await once(two.accepted, 'readable');
  one.accepted.on('error', (error) => two.accepted.destroy(error));
  one.accepted.resume();
  one.client.resetAndDestroy();
  await story.closed;
  t.deepEqual(story.events, ['error ECONNRESET', 'close true']);
});

for (const size of [1, 10, 50_000]) {
  test(`a failed write waits until ${size} unread bytes of the peer are read`, async (t) => {
    const { accepted, client } = await connectPair(t, 'tcp4', both);
    const story = record(accepted, { flow: false });
    accepted.on('data', () => undefined);
    accepted.pause();
    await send(client, pattern(size));
    client.resetAndDestroy();
    await once(client, 'close');
    let writeError: string | undefined;
    accepted.write('too late', (error) => (writeError = (error as NodeJS.ErrnoException).code));
    await turn();
    await turn();
    t.is(writeError, undefined);
    const chunks: Buffer[] = [];
    accepted.on('data', (chunk: Buffer) => chunks.push(chunk));
    accepted.resume();
    await story.closed;
    t.is(story.events.length, 2);
    t.is(story.events[0], 'error ECONNRESET', 'and never a clean end');
    t.true(writeError === 'ECONNRESET' || writeError === 'EPIPE');
    t.true(Buffer.concat(chunks).equals(pattern(size)));
  });
}

test('a socket that nobody reads from gets a write error at once', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4', both);
  const story = record(accepted, { flow: false });
  client.resetAndDestroy();
  await once(client, 'close');
  accepted.write('too late');
  await story.closed;
  t.is(story.events.length, 2);
});

test('a reset after our own end is an error behind the bytes', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4', both);
  accepted.pause();
  const story = record(accepted, { flow: false });
  accepted.end('question');
  await once(accepted, 'finish');
  client.resume();
  await once(client, 'end');
  await send(client, pattern(30_000));
  client.resetAndDestroy();
  await once(client, 'close');
  const chunks: Buffer[] = [];
  accepted.on('data', (chunk: Buffer) => chunks.push(chunk));
  accepted.resume();
  await story.closed;
  t.deepEqual(story.events, ['error ECONNRESET', 'close true']);
  t.is(Buffer.concat(chunks).length, 30_000);
});

test('a reset after the peer’s end is an error after the end', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4', both);
  const story = record(accepted);
  client.end(pattern(1000));
  await once(accepted, 'end');
  client.resetAndDestroy();
  await once(client, 'close');
  accepted.end();
  await story.closed;
  t.deepEqual(story.events, ['end', 'error EPIPE', 'close true']);
  t.is(story.bytes().length, 1000);
});

test('a reset between the peer’s end and its being read is an error after the end', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4', both);
  accepted.pause();
  const story = record(accepted, { flow: false });
  // More than the paused reader's buffer holds, so that the FIN stays in the kernel.
  client.end(pattern(100_000));
  await waitAcknowledged(client, { fin: true });
  client.resetAndDestroy();
  await once(client, 'close');
  const chunks: Buffer[] = [];
  accepted.on('data', (chunk: Buffer) => chunks.push(chunk));
  accepted.resume();
  await story.closed;
  t.true(['end,error EPIPE,close true', 'error ECONNRESET,close true'].includes(story.events.join()));
  t.true(Buffer.concat(chunks).equals(pattern(100_000)));
});

test('a clean end stays a clean end', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4', both);
  const story = record(accepted);
  const other = record(client);
  client.end(pattern(100_000));
  await once(accepted, 'end');
  accepted.end('answer');
  await Promise.all([story.closed, other.closed]);
  t.deepEqual(story.events, ['end', 'close false']);
  t.deepEqual(other.events, ['end', 'close false']);
  t.is(other.bytes().toString(), 'answer');
});

test('a Unix peer that closes is a clean end, and one that leaves bytes unread is a reset', async (t) => {
  const clean = await connectPair(t, 'unix', both);
  const story = record(clean.accepted);
  clean.client.write('all read');
  await once(clean.accepted, 'data');
  clean.client.destroy();
  await once(clean.accepted, 'end');
  clean.accepted.end();
  await story.closed;
  t.deepEqual(story.events, ['end', 'close false']);

  const rude = await connectPair(t, 'unix', both);
  const reset = record(rude.accepted, { flow: false });
  rude.client.pause();
  await send(rude.client, pattern(5000));
  await send(rude.accepted, pattern(200_000));
  rude.client.destroy();
  await once(rude.client, 'close');
  const chunks: Buffer[] = [];
  rude.accepted.on('data', (chunk: Buffer) => chunks.push(chunk));
  await reset.closed;
  t.deepEqual(reset.events, ['error ECONNRESET', 'close true']);
  t.is(Buffer.concat(chunks).length, 5000);
});

test('a write that fails on a Unix socket waits for the peer’s last bytes', async (t) => {
  const { accepted, client } = await connectPair(t, 'unix', both);
  const story = record(accepted, { flow: false });
  accepted.on('data', () => undefined);
  accepted.pause();
  await send(client, pattern(20_000));
  client.destroy();
  await once(client, 'close');
  accepted.write('too late');
  await turn();
  const chunks: Buffer[] = [];
  accepted.on('data', (chunk: Buffer) => chunks.push(chunk));
  accepted.resume();
  await story.closed;
  t.deepEqual(story.events, ['end', 'error EPIPE', 'close true']);
  t.is(Buffer.concat(chunks).length, 20_000);
});

test('back-pressure both ways and then a reset: all that arrived is delivered', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4', both);
  const story = record(accepted, { flow: false });
  accepted.pause();
  client.pause();
  let received = 0;
  while (accepted.write(pattern(65_536)));
  client.write(pattern(20_000_000));
  const arrived = await settleUnsent(client, 20_000_000);
  client.resetAndDestroy();
  await once(client, 'close');
  accepted.on('data', (chunk: Buffer) => (received += chunk.length));
  accepted.resume();
  await story.closed;
  t.deepEqual(story.events, ['error ECONNRESET', 'close true']);
  t.is(received, arrived);
});

test('without dataBeforeError the socket does what node:net does', async (t) => {
  const outcome = async (make: () => nodeNet.Server) => {
    const server = await listen(t, make());
    const client = nodeNet.connect(portOf(server), '127.0.0.1');
    const [accepted] = (await once(server, 'connection')) as [nodeNet.Socket];
    accepted.pause();
    const story = record(accepted, { flow: false });
    await new Promise((resolve) => client.write(pattern(1000), resolve));
    client.resetAndDestroy();
    await story.closed;
    return story.events;
  };
  const { createServer } = await import('../../src/net/index.ts');
  t.deepEqual(await outcome(() => createServer()), await outcome(() => nodeNet.createServer()));
});

test('a socket connected again after a reset starts afresh', async (t) => {
  const { server, accepted, client } = await connectPair(t, 'tcp4', both);
  const first = record(client);
  accepted.resetAndDestroy();
  await first.closed;
  const again = once(server, 'connection') as Promise<[Socket]>;
  client.connect(portOf(server), '127.0.0.1');
  const [second] = await again;
  second.end('hello');
  const [data] = (await once(client, 'data')) as [Buffer];
  t.is(data.toString(), 'hello');
  await once(client, 'end');
  t.is(client.heldError, undefined);
});
