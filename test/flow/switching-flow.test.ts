import { once } from 'node:events';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { ExecutionContext } from 'ava';
import { startRelay, type Relay } from '../../src/flow/relay.ts';
import { createRandom } from '../../src/transform/random.ts';
import { collectUntilClose, sameBytes } from '../helpers/bytes.ts';
import { createBytes, createSocketPair, listDescriptors, nativeTest, until } from '../native/ends.ts';

interface Rig {
  readonly client: Socket;
  readonly target: Socket;
  readonly relay: Relay;
  /** What has passed the transform of each direction. */
  readonly passed: Readonly<Record<'up' | 'down', () => Buffer>>;
  readonly transforms: Readonly<Record<'up' | 'down', PassThrough>>;
  /** Which directions went on, once it has been switched. */
  readonly goOn: () => { readonly up: boolean; readonly down: boolean } | undefined;
}

/** A relay between two pairs of sockets whose transforms are not needed at first. */
async function createRig(
  t: ExecutionContext,
  kind: 'tcp' | 'unix' = 'tcp',
  early: Partial<Record<'up' | 'down', Buffer>> = {},
): Promise<Rig> {
  const [client, front] = await createSocketPair(t, kind);
  const [target, back] = await createSocketPair(t, kind);
  const chunks: Record<'up' | 'down', Buffer[]> = { up: [], down: [] };
  const create = (way: 'up' | 'down') =>
    new PassThrough().on('data', (chunk: Buffer) => void chunks[way].push(chunk));
  const transforms = { up: create('up'), down: create('down') };
  let goOn: { readonly up: boolean; readonly down: boolean } | undefined;
  if (early.up) back.write(early.up);
  if (early.down) front.write(early.down);
  const relay = startRelay({
    client: front,
    target: back,
    upTransforms: [transforms.up],
    downTransforms: [transforms.down],
    later: { onSwitch: (which) => (goOn = which) },
  });
  const passed = { up: () => Buffer.concat(chunks.up), down: () => Buffer.concat(chunks.down) };
  return { client, target, relay, passed, transforms, goOn: () => goOn };
}

/** What passed a transform is the end of what was sent. */
function endsWith(t: ExecutionContext, sent: Buffer, passed: Buffer): void {
  sameBytes(t, passed, sent.subarray(sent.length - passed.length));
}

for (const kind of ['tcp', 'unix'] as const) {
  nativeTest(`${kind}: whenever transforms are needed, every byte arrives once and in order`, async (t) => {
    t.timeout(100_000);
    for (let seed = 0; seed < 25; seed++) {
      const random = createRandom(seed, 'switch', kind);
      const { client, target, relay, passed } = await createRig(t, kind);
      const [up, down] = [random, random].map((next) => createBytes(1 + Math.floor(next() * 6_000_000)));
      const received = [collectUntilClose(client), collectUntilClose(target)] as const;
      client.end(up!);
      target.end(down!);
      const enough = random() * up!.length;
      while (relay.up.bytesRead < enough) await new Promise(setImmediate);
      relay.useTransforms();
      relay.useTransforms();
      const ending = await relay.ended;
      t.deepEqual(
        [ending.up, ending.down].map(({ reason, bytes, unsentBytes }) => [reason, bytes, unsentBytes]),
        [
          ['eof', up!.length, 0],
          ['eof', down!.length, 0],
        ],
      );
      t.is(relay.up.bytesRead, up!.length);
      const [atClient, atTarget] = await Promise.all(received);
      sameBytes(t, atTarget.bytes, up!);
      sameBytes(t, atClient.bytes, down!);
      endsWith(t, up!, passed.up());
      endsWith(t, down!, passed.down());
    }
  });
}

nativeTest('transforms that are needed at once get every byte', async (t) => {
  const { client, target, relay, passed, goOn } = await createRig(t);
  client.end('question');
  target.end('answer');
  relay.useTransforms();
  t.deepEqual(goOn(), { up: true, down: true });
  client.resume();
  target.resume();
  await relay.ended;
  t.is(passed.up().toString(), 'question');
  t.is(passed.down().toString(), 'answer');
});

nativeTest('bytes that neither side takes are kept when transforms are needed, and go first', async (t) => {
  const before = listDescriptors();
  const { client, target, relay, passed } = await createRig(t);
  const sent = createBytes(24_000_000);
  client.end(sent);
  target.end(sent);
  await until(() => relay.up.blocked && relay.down.blocked);
  const { bytesRead, bytes } = relay.up;
  relay.useTransforms();
  t.is(relay.up.bytesRead, bytesRead);
  t.true(relay.up.bytes >= bytes);
  t.true(relay.up.untakenBytes > 0);
  const [atClient, atTarget] = [collectUntilClose(client), collectUntilClose(target)];
  await relay.ended;
  sameBytes(t, (await atTarget).bytes, sent);
  sameBytes(t, (await atClient).bytes, sent);
  t.is(passed.up().length, sent.length - bytesRead);
  await until(() => listDescriptors().length <= before.length + 4);
});

nativeTest('a direction that has ended stays so, and the other one goes on', async (t) => {
  const { client, target, relay, passed, transforms, goOn } = await createRig(t);
  client.end('question');
  target.resume();
  await once(target, 'end');
  await relay.up.ended;
  relay.useTransforms();
  t.deepEqual(goOn(), { up: false, down: true });
  t.true(transforms.up.destroyed);
  const received = collectUntilClose(client);
  target.end('answer');
  t.like(await relay.ended, { up: { reason: 'eof', bytes: 8 }, down: { reason: 'eof', bytes: 6 } });
  t.is((await received).bytes.toString(), 'answer');
  t.is(passed.down().toString(), 'answer');
});

nativeTest('transforms that are never needed are destroyed with their flows', async (t) => {
  const { client, target, relay, transforms, goOn } = await createRig(t);
  client.resume().end('question');
  target.resume().end('answer');
  await relay.ended;
  t.true(transforms.up.destroyed && transforms.down.destroyed);
  relay.useTransforms();
  t.deepEqual(goOn(), { up: false, down: false });
});

nativeTest('a flow that was finished ends with what it had read, with its transforms too', async (t) => {
  const { client, target, relay } = await createRig(t);
  client.write(createBytes(24_000_000));
  await until(() => relay.up.blocked);
  relay.up.finish();
  relay.useTransforms();
  const { bytesRead } = relay.up;
  const received = collectUntilClose(target);
  target.end();
  t.like(await relay.up.ended, { reason: 'eof', bytes: bytesRead, unsentBytes: 0 });
  t.is((await received).bytes.length, bytesRead);
});

nativeTest('a flow that is stopped after the switch counts what was not taken', async (t) => {
  const { client, relay } = await createRig(t);
  client.write(createBytes(24_000_000));
  await until(() => relay.up.blocked);
  relay.useTransforms();
  relay.stop('aborted');
  const { up } = await relay.ended;
  t.is(up.reason, 'aborted');
  t.true(up.unsentBytes > 0);
  t.true(up.bytes + up.unsentBytes <= relay.up.bytesRead);
});

for (const when of ['before', 'after'] as const) {
  nativeTest(`a reset ${when} the switch is one of the client for both directions`, async (t) => {
    const { client, target, relay } = await createRig(t);
    client.write('question');
    target.resume();
    await once(target, 'data');
    if (when === 'after') relay.useTransforms();
    client.resetAndDestroy();
    if (when === 'before') relay.useTransforms();
    t.like(await relay.ended, { broken: 'client', error: { code: 'ECONNRESET' } });
  });
}

nativeTest(
  'a reset while both directions are full ends both within a second or two, switched or not',
  async (t) => {
    const { client, target, relay } = await createRig(t);
    for (const socket of [client, target]) socket.pause().write(Buffer.alloc(24_000_000));
    await until(() => relay.up.blocked && relay.down.blocked);
    client.resetAndDestroy();
    await until(() => !relay.down.blocked);
    relay.useTransforms();
    t.like(await relay.ended, { broken: 'client', error: { code: 'ECONNRESET' } });
  },
);

for (const way of ['up', 'down'] as const) {
  nativeTest(
    `a sink that still takes what JavaScript wrote, ${way}, keeps no direction from its transforms`,
    async (t) => {
      const early = createBytes(24_000_000);
      const { client, target, relay, passed, goOn } = await createRig(t, 'tcp', { [way]: early });
      await new Promise(setImmediate);
      relay.useTransforms();
      t.deepEqual(goOn(), { up: true, down: true });
      client.end('question');
      target.end('answer');
      const received = [collectUntilClose(client), collectUntilClose(target)] as const;
      t.like(await relay.ended, { up: { reason: 'eof', bytes: 8 }, down: { reason: 'eof', bytes: 6 } });
      t.deepEqual([passed.up().toString(), passed.down().toString()], ['question', 'answer']);
      const [atClient, atTarget] = await Promise.all(received);
      sameBytes(
        t,
        atTarget.bytes,
        Buffer.concat([way === 'up' ? early : Buffer.alloc(0), Buffer.from('question')]),
      );
      sameBytes(
        t,
        atClient.bytes,
        Buffer.concat([way === 'down' ? early : Buffer.alloc(0), Buffer.from('answer')]),
      );
    },
  );
}

nativeTest(
  'what a target sent that has left passes the transforms, although nothing reaches it',
  async (t) => {
    const { client, target, relay, passed, goOn } = await createRig(t, 'unix');
    const write = (bytes: Buffer) => new Promise<void>((done) => void target.write(bytes, () => done()));
    const sent: Buffer[] = [];
    let sentBytes = 0;
    const send = (length: number) => {
      const bytes = createBytes(length);
      sent.push(bytes);
      sentBytes += length;
      return write(bytes);
    };
    while (!relay.down.blocked) {
      // Its own queue must not be full: what is sent last has to fit.
      await send(16_000);
      await until(() => relay.down.blocked || relay.down.bytesRead === sentBytes);
    }
    await send(64_000);
    target.destroy();
    client.write('question');
    t.like(await relay.up.ended, { reason: 'reset', side: 'sink', error: { code: 'EPIPE' } });
    relay.useTransforms();
    t.deepEqual(goOn(), { up: false, down: true });
    const { bytesRead } = relay.down;
    const received = collectUntilClose(client);
    client.end();
    const whole = Buffer.concat(sent);
    t.like((await relay.ended).down, { reason: 'eof', bytes: whole.length });
    sameBytes(t, (await received).bytes, whole);
    t.true(passed.down().length >= 64_000);
    t.is(passed.down().length, whole.length - bytesRead);
  },
);
