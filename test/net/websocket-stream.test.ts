import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import test from 'ava';
import fc from 'fast-check';
import {
  breakConnection,
  closeConnection,
  resetConnection,
  type Connection,
} from '../../src/net/connection.ts';
import { TextLines } from '../../src/net/websocket-text.ts';
import {
  dialWebSocket,
  openPackageClient,
  openStreamPair,
  readAll,
  startPackageServer,
  startStreamServer,
} from '../helpers/net/websockets.ts';

/** Writes chunks one after the other, each when the one before was taken, and ends. */
async function sendAll(stream: Connection, chunks: readonly Buffer[]): Promise<void> {
  for (const chunk of chunks) await new Promise((resolve) => stream.write(chunk, resolve));
  stream.end();
}

const chunks = fc
  .array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 12 })
  .map((parts) => parts.map((part) => Buffer.from(part)));

for (const [first, deflate] of [
  ['client', false],
  ['server', false],
  ['client', true],
] as const) {
  const how = `the ${first} ends first${deflate ? ', compressed' : ''}`;
  test(`random bytes in random chunks pass both ways, and each end by itself, where ${how}`, async (t) => {
    const values = { wsDeflate: deflate };
    const property = fc.asyncProperty(chunks, chunks, async (ours, theirs) => {
      const pair = await openStreamPair(t, { client: values, server: values });
      const [one, other] = first === 'client' ? [pair.client, pair.server] : [pair.server, pair.client];
      const [heardByOne, heardByOther] = [readAll(one), readAll(other)];
      await sendAll(one, ours);
      const { bytes, error } = await heardByOther;
      t.is(error, undefined);
      t.true(bytes.equals(Buffer.concat(ours)));
      // The first end is closed: what the other sends now is still read.
      t.false(one.readableEnded);
      await sendAll(other, theirs);
      const answer = await heardByOne;
      t.is(answer.error, undefined);
      t.true(answer.bytes.equals(Buffer.concat(theirs)));
    });
    await fc.assert(property, { numRuns: 15 });
  });
}

test('a connection closes with a FIN each after both close frames, on both sides', async (t) => {
  const { client, server } = await openStreamPair(t);
  const closed = [client, server].map((stream) => once(stream.carrier!, 'close'));
  client.resume().end('x');
  server.resume().end('y');
  for (const [hadError] of await Promise.all(closed)) t.false(hadError);
});

test('a stream has the addresses of its socket', async (t) => {
  const { client, server } = await openStreamPair(t);
  t.is(client.remoteAddress, '127.0.0.1');
  t.is(client.remotePort, server.localPort);
  t.is(client.localPort, server.remotePort);
});

test('ten megabytes pass to a server of the package ws and back, bounded by who reads', async (t) => {
  const port = await startPackageServer(t, (client) => {
    client.on('message', (data: Buffer) => client.send(data));
  });
  const stream = await dialWebSocket(t, port);
  const bytes = randomBytes(10_000_000);
  const heard: Buffer[] = [];
  let left = bytes.length;
  stream.write(bytes);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    heard.push(chunk);
    left -= chunk.length;
    if (left === 0) stream.end();
  }
  t.true(Buffer.concat(heard).equals(bytes));
});

for (const [what, size] of [
  ['a message of two megabytes', 2_000_000],
  ['a message of one byte', 1],
  ['a message of 65536 bytes', 65_536],
] as const) {
  test(`${what} from a client of the package ws arrives whole, whatever its type`, async (t) => {
    const { port, next } = await startStreamServer(t);
    const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
    const stream = await next();
    const text = 'ä'.repeat(size / 2) + (size % 2 ? 'x' : '');
    const all = readAll(stream);
    client.socket.send(Buffer.from(text));
    client.socket.send(text);
    client.socket.close(1000);
    const { bytes, error } = await all;
    t.is(error, undefined);
    t.true(bytes.equals(Buffer.from(text + text)));
    stream.end();
    t.deepEqual(await client.closed, { code: 1000, reason: '' });
  });
}

test('fragments with a ping between them make one message, and the ping is answered', async (t) => {
  const { port, next } = await startStreamServer(t);
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  const stream = await next();
  const all = readAll(stream);
  const pong = once(client.socket, 'pong') as Promise<[Buffer]>;
  client.socket.send('one ', { fin: false });
  client.socket.send('two ', { fin: false });
  client.socket.ping('are you there');
  client.socket.send('three', { fin: true });
  t.is((await pong)[0].toString(), 'are you there');
  client.socket.close();
  t.is((await all).bytes.toString(), 'one two three');
});

test('a flood of pings is answered with the last of them, and not stored', async (t) => {
  const { port, next } = await startStreamServer(t);
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  const stream = (await next()).resume();
  const last = new Promise<number>((resolve) => {
    let pongs = 0;
    client.socket.on('pong', (data) => {
      pongs++;
      if (data.toString() === '9999') resolve(pongs);
    });
  });
  for (let count = 0; count < 10_000; count++) client.socket.ping(String(count));
  t.true((await last) <= 10_000);
  t.true(stream.carrier!.writableLength < 100_000);
});

test('a message over --ws-max is refused with 1009, and what came before is delivered', async (t) => {
  const { port, next } = await startStreamServer(t, { wsMax: 1000 });
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  const stream = await next();
  client.socket.send('before');
  client.socket.send(Buffer.alloc(1001));
  const [{ bytes, error }, { code }] = await Promise.all([readAll(stream), client.closed]);
  t.is(code, 1009);
  t.is(bytes.toString(), 'before');
  t.like(error, {
    code: 'TNET_E_WEBSOCKET',
    message: 'a message of the peer is longer than --ws-max allows',
  });
});

test('a compressed message over --ws-max is refused however short it came', async (t) => {
  const { port, next } = await startStreamServer(t, { wsMax: 100_000, wsDeflate: true });
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  const { error } = await (async () => {
    const stream = await next();
    client.socket.send(Buffer.alloc(50_000_000));
    return readAll(stream);
  })();
  t.is((await client.closed).code, 1009);
  t.like(error, { code: 'TNET_E_WEBSOCKET' });
});

test('messages are compressed both ways with the package ws where both agree', async (t) => {
  const { port, next } = await startStreamServer(t, { wsDeflate: true });
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  t.is(client.socket.extensions, 'permessage-deflate');
  const stream = await next();
  const bytes = Buffer.from('again and again '.repeat(100_000));
  const all = readAll(stream);
  client.socket.send(bytes);
  client.socket.close();
  t.true((await all).bytes.equals(bytes));
  t.true(stream.carrier!.bytesRead < bytes.length / 20);
});

test('a server without --ws-deflate agrees to no compression', async (t) => {
  const { port } = await startStreamServer(t);
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  t.is(client.socket.extensions, '');
});

test('a client compresses with a server of the package ws that agrees', async (t) => {
  const port = await startPackageServer(
    t,
    (client) => client.on('message', (data: Buffer) => client.send(data)),
    { perMessageDeflate: true },
  );
  const stream = await dialWebSocket(t, port, { wsDeflate: true });
  const bytes = Buffer.from('again and again '.repeat(10_000));
  const [heard] = await Promise.all([
    (async () => {
      let all = Buffer.alloc(0);
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        all = Buffer.concat([all, chunk]);
        if (all.length === bytes.length) stream.end();
      }
      return all;
    })(),
    new Promise((resolve) => stream.write(bytes, resolve)),
  ]);
  t.true(heard.equals(bytes));
  t.true(stream.carrier!.bytesWritten < bytes.length / 20);
});

test('our close frame comes after our last bytes, and the answer before the close frame is read', async (t) => {
  const port = await startPackageServer(t, (client) => {
    client.on('message', () => client.send('answer'));
  });
  const stream = await dialWebSocket(t, port);
  stream.end('question');
  const { bytes, error } = await readAll(stream);
  t.is(error, undefined);
  t.is(bytes.toString(), 'answer');
});

for (const [code, reason] of [
  [1011, ''],
  [1008, 'not you'],
  [1003, ''],
  [4000, 'own code'],
] as const) {
  test(`a close frame with ${code} is an error after the bytes before it`, async (t) => {
    const port = await startPackageServer(t, (client) => {
      client.send('before');
      client.close(code, reason);
    });
    const stream = await dialWebSocket(t, port);
    const { bytes, error } = await readAll(stream);
    t.is(bytes.toString(), 'before');
    t.like(error, { code: 'TNET_E_WEBSOCKET' });
    t.regex(error!.message, new RegExp(`: ${code}.*${reason}`));
  });
}

for (const code of [1000, 1001, undefined]) {
  test(`a close frame with ${code ?? 'no status'} is an end, and is answered at once`, async (t) => {
    const closes: number[] = [];
    const closed = Promise.withResolvers<undefined>();
    const port = await startPackageServer(t, (client) => {
      client.on('close', (answered) => {
        closes.push(answered);
        closed.resolve(undefined);
      });
      if (code === undefined) client.close();
      else client.close(code);
    });
    const stream = await dialWebSocket(t, port);
    t.is((await readAll(stream)).error, undefined);
    await closed.promise;
    t.deepEqual(closes, [code ?? 1000]);
  });
}

test('what is written after the close frame of a peer that reads no more fails with EPIPE', async (t) => {
  const port = await startPackageServer(t, (client) => client.close());
  const stream = await dialWebSocket(t, port);
  await readAll(stream);
  const error = await new Promise<Error | null | undefined>((resolve) => stream.write('late', resolve));
  t.like(error, { code: 'EPIPE' });
});

test('a connection that ends without a close frame is cut, after the bytes before', async (t) => {
  const { port, next } = await startStreamServer(t);
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  const stream = await next();
  await new Promise((resolve) => client.socket.send('before', resolve));
  client.socket.terminate();
  const { bytes, error } = await readAll(stream);
  t.is(bytes.toString(), 'before');
  t.true(['TNET_E_TRUNCATED', 'ECONNRESET'].includes((error as NodeJS.ErrnoException).code!));
});

for (const [what, act] of [
  ['resetConnection()', resetConnection],
  ['breakConnection()', breakConnection],
] as const) {
  test(`${what} breaks the connection, so that the peer sees no close frame`, async (t) => {
    const { port, next } = await startStreamServer(t);
    const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
    const stream = await next();
    await act(stream);
    t.is((await client.closed).code, 1006);
    t.true(stream.destroyed);
  });
}

test('closeConnection() ends in order, with what waits to be sent', async (t) => {
  const { port, next } = await startStreamServer(t);
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  const stream = await next();
  stream.write('last words');
  closeConnection(stream);
  t.is((await client.closed).code, 1000);
  t.is(client.messages.map(({ data }) => data.toString()).join(), 'last words');
});

test('closeConnection() with an error sends no close frame', async (t) => {
  const { port, next } = await startStreamServer(t);
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  closeConnection(await next(), new Error('cut'));
  t.is((await client.closed).code, 1006);
});

const frames: [what: string, bytes: readonly number[], code: number][] = [
  ['without a mask', [0x82, 0x01, 0x61], 1002],
  ['with a reserved bit', [0xa2, 0x80, 0, 0, 0, 0], 1002],
  ['that is compressed without agreement', [0xc2, 0x81, 0, 0, 0, 0, 0x61], 1002],
  ['of an unknown type', [0x83, 0x80, 0, 0, 0, 0], 1002],
  ['that continues nothing', [0x80, 0x80, 0, 0, 0, 0], 1002],
  ['with a fragmented ping', [0x09, 0x80, 0, 0, 0, 0], 1002],
  ['with a close status of one byte', [0x88, 0x81, 0, 0, 0, 0, 3], 1002],
  ['with text that is no UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007],
  ['longer than a number can say', [0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1009],
];

for (const [what, bytes, code] of frames) {
  test(`a frame ${what} is refused with ${code}`, async (t) => {
    const { port, next } = await startStreamServer(t);
    const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
    const stream = await next();
    const { _socket: socket } = client.socket as unknown as { _socket: { write(data: Buffer): void } };
    socket.write(Buffer.from(bytes));
    const [{ error }, closed] = await Promise.all([readAll(stream), client.closed]);
    t.like(error, { code: 'TNET_E_WEBSOCKET' });
    t.is(closed.code, code);
  });
}

test('a reader that takes nothing stops the sender', async (t) => {
  const { client, server } = await openStreamPair(t);
  server.pause();
  const chunk = Buffer.alloc(64 * 1024, 'x');
  let sent = 0;
  // Until nothing is taken any more; the system's queues are the most that fits.
  for (;;) {
    const isTaken = await Promise.race([
      new Promise<true>((resolve) => client.write(chunk, () => resolve(true))),
      new Promise<false>((resolve) => {
        setTimeout(resolve, 500, false);
      }),
    ]);
    if (!isTaken) break;
    sent += chunk.length;
    if (sent > 200_000_000) break;
  }
  t.true(sent < 100_000_000);
  t.true(server.readableLength < 1_000_000);
  client.end();
  const { bytes, error } = await readAll(server);
  t.is(error, undefined);
  t.is(bytes.length, sent + chunk.length);
});

test('a peer that does not answer a ping is gone', async (t) => {
  const port = await startPackageServer(t, () => undefined, { autoPong: false });
  const stream = await dialWebSocket(t, port, { wsPing: 50 });
  const { error } = await readAll(stream);
  t.like(error, { code: 'TNET_E_WEBSOCKET', message: 'the peer has not answered a ping within 50 ms' });
});

test('a peer that answers pings stays, silent as it is', async (t) => {
  const pings = Promise.withResolvers<undefined>();
  const port = await startPackageServer(t, (client) => {
    let count = 0;
    client.on('ping', () => {
      if (++count === 2) pings.resolve(undefined);
    });
  });
  const stream = (await dialWebSocket(t, port, { wsPing: 2_000 })).resume();
  stream.once('error', pings.reject);
  await t.notThrowsAsync(pings.promise);
  t.false(stream.destroyed);
});

test('lines are text messages, and messages are lines', async (t) => {
  const { port, next } = await startStreamServer(t, { wsText: true });
  const client = await openPackageClient(t, `ws://127.0.0.1:${port}/`);
  const stream = await next();
  const all = readAll(stream);
  for (const part of ['one\ntw', 'o\n', '\nlast']) stream.write(part);
  stream.end();
  client.socket.send('reply');
  client.socket.send('another\n');
  client.socket.close();
  await client.closed;
  const texts = client.messages.map(({ data, isBinary }) => [data.toString(), isBinary]);
  t.deepEqual(texts, [
    ['one', false],
    ['two', false],
    ['', false],
    ['last', false],
  ]);
  t.is((await all).bytes.toString(), 'reply\nanother\n');
});

test('a line that cannot be a text message is an error', (t) => {
  const lines = new TextLines(4);
  t.deepEqual(lines.add(Buffer.from('ab')), []);
  t.deepEqual(lines.add(Buffer.from('cd\n')), [Buffer.from('abcd')]);
  t.throws(() => lines.add(Buffer.from('abcde')), { message: /longer than --ws-max/ });
  t.throws(() => new TextLines(4).add(Buffer.from([0xff, 0x0a])), { message: /not UTF-8/ });
  t.throws(
    () => {
      const last = new TextLines(4);
      last.add(Buffer.from([0xc3]));
      last.finish();
    },
    { message: /not UTF-8/ },
  );
});

test('a sub-protocol, header fields and an origin reach the server', async (t) => {
  const asked = Promise.withResolvers<Record<string, string | string[] | undefined>>();
  const port = await startPackageServer(t, () => undefined, {
    handleProtocols: (offered) => [...offered].at(-1)!,
    verifyClient: ({ req }: { req: { headers: Record<string, string | string[] | undefined> } }) => {
      asked.resolve(req.headers);
      return true;
    },
  });
  const stream = await dialWebSocket(t, port, {
    wsProtocol: 'chat, superchat',
    header: ['X-Name: value'],
    wsOrigin: ['https://example.com'],
  });
  t.false(stream.destroyed);
  t.like(await asked.promise, {
    host: `127.0.0.1:${port}`,
    origin: 'https://example.com',
    'x-name': 'value',
    'sec-websocket-protocol': 'chat, superchat',
  });
});
