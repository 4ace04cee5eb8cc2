// The proxy as a library: a test of what a program does on a slow network, without a child process.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import { createProxy } from 'tnet/proxy';

test('an answer that is late is complete', async (t) => {
  const server = net.createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');

  const proxy = await createProxy({
    listen: '127.0.0.1:0',
    targets: [`127.0.0.1:${server.address().port}`],
    latency: '100ms',
    sliceSize: 1,
  });
  t.after(() => proxy.close());

  const startedAt = performance.now();
  const client = net.connect(Number(proxy.addresses[0].split(':')[1]), '127.0.0.1');
  client.end('every byte');
  let answer = '';
  for await (const chunk of client) answer += chunk;
  assert.equal(answer, 'every byte');
  assert.ok(performance.now() - startedAt >= 200);
});
