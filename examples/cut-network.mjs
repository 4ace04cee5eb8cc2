// The proxy as a library: faults that come and go in the middle of a test, on a connection that is open.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test, { before, after } from 'node:test';
import { createProxy } from 'tnet/proxy';

const server = net.createServer((socket) => socket.on('error', () => {}).pipe(socket));
let proxy, pair;

before(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await createProxy([]);
  pair = await proxy.addPair('service', {
    listen: '127.0.0.1:0',
    targets: [`127.0.0.1:${server.address().port}`],
  });
});
after(async () => {
  await proxy.close();
  server.close();
});

const connect = () => net.connect(Number(pair.address.split(':')[1]), '127.0.0.1');

/** Sends a word, and gives how long its answer took, in milliseconds. */
async function ask(client, word) {
  const startedAt = performance.now();
  client.write(word);
  assert.equal(String((await once(client, 'data'))[0]), word);
  return performance.now() - startedAt;
}

test('a client notices that the network becomes slow, and recovers', async () => {
  const client = connect();
  await ask(client, 'fast');
  const { connections } = pair.faults.add({
    name: 'slow',
    direction: 'down',
    fault: { kind: 'latency', delayMs: 200 },
  });
  assert.equal(connections, 1);
  assert.ok((await ask(client, 'slow')) >= 195);
  pair.faults.remove('slow');
  await ask(client, 'fast again');
  client.destroy();
});

test('a client sees the break of its connection, and gets through once the service is back', async () => {
  const client = connect();
  await ask(client, 'hello');
  const broken = once(client, 'error');
  client.on('error', () => {});
  await proxy.setEnabled('service', false, { cut: true });
  await broken.catch((error) => assert.equal(error.code, 'ECONNRESET'));
  await proxy.setEnabled('service', true);
  const next = connect();
  await ask(next, 'hello again');
  next.destroy();
});
