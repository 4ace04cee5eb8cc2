import { readdirSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { startPeerServer, toTarget } from '../../helpers/peers.ts';
import { startProxy } from '../../helpers/proxy.ts';

/** Runs `one` for each number below `count`, so many at once. */
async function inParallel(
  count: number,
  atOnce: number,
  one: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Waits until the proxy has no more descriptors than that: what is left open is never closed, and the test's limit ends it. */
async function waitForDescriptors(count: () => number, most: number): Promise<void> {
  while (count() > most) await delay(50);
}

async function openOne(address: string, use: (socket: net.Socket) => void): Promise<void> {
  const socket = net.connect({ ...toTarget(address), allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.once('connect', () => use(socket));
  await new Promise((resolve) => socket.once('close', resolve));
}

test.serial('two thousand short connections leave no descriptor behind', async (t) => {
  t.timeout(180_000);
  const { words } = await startPeerServer(t, 'tcp', (socket) => socket.pipe(socket));
  const { cli, address } = await startProxy(t, words.join(':'));
  const descriptors = () => readdirSync(`/proc/${cli.child.pid}/fd`).length;
  const exchange = (socket: net.Socket) => {
    socket.write('x');
    socket.once('data', () => socket.end());
    socket.once('end', () => socket.destroy());
  };
  // The first ones open what the proxy keeps: the engine and its descriptors.
  await inParallel(20, 20, () => openOne(address, exchange));
  // The listener, the engine's and standard streams; two more are a connection.
  const before = descriptors();
  await inParallel(2_000, 100, () => openOne(address, exchange));
  await waitForDescriptors(descriptors, before);
  t.notRegex(cli.stderr(), /\(E[A-Z]+\)/);
});

test.serial('five hundred resets from either side are one line each, and leave no descriptor', async (t) => {
  t.timeout(180_000);
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    socket.once('data', (chunk: Buffer) => (chunk[0]! % 2 ? socket.resetAndDestroy() : socket.write('x')));
  });
  const { cli, address } = await startProxy(t, words.join(':'));
  const descriptors = () => readdirSync(`/proc/${cli.child.pid}/fd`).length;
  // Odd ones are reset by the target, even ones by the client.
  const reset = (index: number) => (socket: net.Socket) => {
    socket.write(Buffer.from([index & 255]));
    socket.once('data', () => socket.resetAndDestroy());
  };
  await inParallel(20, 20, (index) => openOne(address, reset(index)));
  // The listener, the engine's and standard streams; two more are a connection.
  const before = descriptors();
  await inParallel(500, 100, (index) => openOne(address, reset(index)));
  await waitForDescriptors(descriptors, before);
  await cli.said(/(?:.*\(E[A-Z]+\)\n){520}/);
  t.is(cli.stderr().split('\n').length, 1 + 520 + 1);
});
