import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import test from 'ava';
import { Broadcast, type Branch } from '../../../src/handlers/rooms/broadcast.ts';
import { payload, sameBytes } from '../../helpers/bytes.ts';

/** Reads a branch as fast as it gives. */
function read(branch: Branch): { bytes: () => Buffer; chunks: () => number } {
  const chunks: Buffer[] = [];
  branch.on('data', (chunk: Buffer) => chunks.push(chunk));
  return { bytes: () => Buffer.concat(chunks), chunks: () => chunks.length };
}

test('every branch gets every byte, and the end', async (t) => {
  const broadcast = new Broadcast();
  const branches = [broadcast.addBranch(), broadcast.addBranch(), broadcast.addBranch()];
  const readers = branches.map(read);
  const input = broadcast.createInput();
  const sent = payload(300_000);
  for (let at = 0; at < sent.length; at += 1000) input.write(sent.subarray(at, at + 1000));
  const ends = branches.map((branch) => once(branch, 'end'));
  input.end();
  await once(input, 'finish');
  broadcast.end();
  await Promise.all(ends);
  for (const { bytes } of readers) sameBytes(t, bytes(), sent);
});

test('the branch that is excepted gets nothing', async (t) => {
  const broadcast = new Broadcast();
  const [own, other] = [broadcast.addBranch(), broadcast.addBranch()];
  const [ownReader, otherReader] = [read(own), read(other)];
  broadcast.createInput(own).write('hello');
  await once(other, 'data');
  t.is(otherReader.bytes().toString(), 'hello');
  t.is(ownReader.chunks(), 0);
});

test('a chunk without bytes is a chunk still', async (t) => {
  const broadcast = new Broadcast();
  const branch = broadcast.addBranch();
  const reader = read(branch);
  broadcast.createInput().write(Buffer.alloc(0));
  await turn();
  t.is(reader.chunks(), 1);
});

test('a branch that is not read delays no other, and is cut off at its limit', async (t) => {
  const limitBytes = 1024 * 1024;
  const broadcast = new Broadcast({ limitBytes });
  const stalled = broadcast.addBranch();
  const cut = once(stalled, 'error');
  const live = broadcast.addBranch();
  const reader = read(live);
  const input = broadcast.createInput();
  const sent = payload(4 * limitBytes);
  let most = 0;
  for (let at = 0; at < sent.length; at += 16_384) {
    if (!input.write(sent.subarray(at, at + 16_384))) await once(input, 'drain');
    most = Math.max(most, stalled.waitingBytes);
  }
  const [error] = (await cut) as [{ code: string }];
  t.is(error.code, 'TNET_E_OVERRUN');
  t.true(most <= limitBytes + 20_000, `${most} bytes waited`);
  t.is(stalled.waitingBytes, 0);
  sameBytes(t, reader.bytes(), sent);
});

test('small chunks count with what they cost', (t) => {
  const broadcast = new Broadcast({ limitBytes: 100_000 });
  const stalled = broadcast.addBranch();
  stalled.on('error', () => undefined);
  let chunks = 0;
  for (; !stalled.destroyed && chunks < 100_000; chunks++) broadcast.send(Buffer.from('x'));
  t.true(chunks < 300, `${chunks} chunks`);
});

test('a source waits while every branch is full', async (t) => {
  const broadcast = new Broadcast();
  const branch = broadcast.addBranch();
  const input = broadcast.createInput();
  const taken: number[] = [];
  for (let index = 0; index < 8; index++) input.write(payload(40_000), () => taken.push(index));
  await turn();
  const waiting = taken.length;
  t.true(waiting < 8);
  branch.resume();
  if (taken.length < 8) await once(input, 'drain');
  await turn();
  t.is(taken.length, 8);
});

test('a source that is to wait for a branch loses nothing before the first comes', async (t) => {
  const broadcast = new Broadcast({ waitForBranch: true });
  const input = broadcast.createInput();
  input.write('early ');
  input.write('late');
  await turn();
  const branch = broadcast.addBranch();
  const reader = read(branch);
  await once(branch, 'data');
  await turn();
  t.is(reader.bytes().toString(), 'early late');
});

test('a source whose only branch goes away waits for the next', async (t) => {
  const broadcast = new Broadcast({ waitForBranch: true });
  const first = broadcast.addBranch();
  const input = broadcast.createInput();
  first.destroy();
  await once(first, 'close');
  input.write('for the next');
  await turn();
  const second = broadcast.addBranch();
  const [chunk] = (await once(second, 'data')) as [Buffer];
  t.is(chunk.toString(), 'for the next');
});

test('a source without listeners goes on when it need not wait', async (t) => {
  const input = new Broadcast().createInput();
  for (let index = 0; index < 100; index++) input.write(payload(10_000));
  input.end();
  await once(input, 'finish');
  t.pass();
});

test('a branch that comes after the end ends at once', async (t) => {
  const broadcast = new Broadcast();
  broadcast.end();
  const branch = broadcast.addBranch().resume();
  await once(branch, 'end');
  t.pass();
});
