import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import test from 'ava';
import fc from 'fast-check';
import { LiveFaults } from '../../../../src/handlers/relay/faults/live-faults.ts';
import { createLiveFaults } from '../../../../src/handlers/relay/faults/pair-faults.ts';
import { createRandom } from '../../../../src/transform/random.ts';
import { checkFault, type Fault } from '../../../../src/transform/faults/fault.ts';
import {
  anyChange,
  changeUnderLoad,
  makeChange,
  openFaithful,
  startLoad,
} from '../../../helpers/live-faults.ts';

/** Faults of one connection, with what they did to it. */
function openOne(live: LiveFaults, connection = 1) {
  const done: string[] = [];
  const faults = live.open(connection, {
    close: (direction) => void done.push(`closed ${direction}`),
    reset: () => void done.push('reset'),
  });
  return { ...faults, done };
}

/** What has come out of a chain so far. */
function watch(chain: Duplex): { text: () => string; hasEnded: () => boolean } {
  let text = '';
  let hasEnded = false;
  chain.on('data', (chunk: Buffer) => (text += chunk.toString('latin1'))).on('end', () => (hasEnded = true));
  return { text: () => text, hasEnded: () => hasEnded };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const turns = async () => {
  for (let count = 0; count < 5; count++) await turn();
};
const long = 60_000;

test('10,000 changes of faults under load leave every byte right', async (t) => {
  t.timeout(120_000);
  t.true((await changeUnderLoad(10_000, 4, 7)) > 1_000_000);
});

test('random faults, changed at random places of a stream, leave every byte right', async (t) => {
  t.timeout(120_000);
  const steps = fc.array(fc.tuple(fc.nat(30_000), anyChange), { maxLength: 25 });
  await fc.assert(
    fc.asyncProperty(steps, fc.nat(400_000), fc.nat(), async (changes, size, seed) => {
      const live = new LiveFaults({ seed });
      const faults = openFaithful(live, 1);
      const load = startLoad(faults.up, createRandom(seed), size);
      faults.down.resume().end();
      let place = 0;
      for (const [distance, change] of changes) {
        place += distance;
        while (load.bytes() < Math.min(place, size)) {
          const before = load.bytes();
          await turn();
          // A reset from the first byte on, or a slow line, is not waited for.
          if (load.bytes() === before) break;
        }
        makeChange(live, change);
      }
      live.clear();
      t.is(await load.ended, size);
      faults.close();
    }),
    { numRuns: 60 },
  );
});

test('a latency that is lowered lets what it holds go by the new time, and in order', async (t) => {
  const live = new LiveFaults();
  live.add({ name: 'slow', fault: { kind: 'latency', delayMs: long } });
  const { up } = openOne(live);
  const out = watch(up);
  up.write('a');
  up.write('b');
  await turns();
  t.is(out.text(), '');
  t.deepEqual(live.change('slow', { fault: { kind: 'latency', delayMs: 0 } }), { connections: 1 });
  up.write('c');
  await turns();
  t.is(out.text(), 'abc');
});

test('a latency that is raised holds back what it has, so that nothing overtakes it', async (t) => {
  const live = new LiveFaults();
  live.add({ name: 'slow', fault: { kind: 'latency', delayMs: long } });
  const { up } = openOne(live);
  const out = watch(up);
  up.write('a');
  live.change('slow', { fault: { kind: 'latency', delayMs: 2 * long } });
  live.add({ name: 'more', fault: { kind: 'latency', delayMs: 1 } }, { before: 'slow' });
  up.write('b');
  live.remove('slow');
  up.write('c');
  while (out.text().length < 3) await once(up, 'data');
  t.is(out.text(), 'abc');
});

const holding: Fault[] = [
  { kind: 'latency', delayMs: long },
  { kind: 'bandwidth', bytesPerSecond: 1 },
  { kind: 'slice', bytes: 1, delayMs: long },
  { kind: 'reset', afterMs: long, from: 'first-byte' },
];
for (const fault of holding) {
  test(`what a fault of ${fault.kind} holds goes on when it is removed, with the end behind it`, async (t) => {
    const live = new LiveFaults();
    live.add({ name: 'x', fault });
    const { up, done } = openOne(live);
    const out = watch(up);
    up.write('abc');
    up.end('def');
    await turns();
    t.not(out.text(), 'abcdef');
    t.false(out.hasEnded());
    t.deepEqual(live.remove('x'), { connections: 1 });
    await turns();
    t.is(out.text(), 'abcdef');
    t.true(out.hasEnded());
    t.deepEqual(done, []);
  });
}

test('a line of 0 bytes a second holds everything, and goes on by the rate that it is given', async (t) => {
  const live = new LiveFaults();
  live.add({ name: 'stopped', fault: { kind: 'bandwidth', bytesPerSecond: 0 } });
  const { up } = openOne(live);
  const out = watch(up);
  up.end('abcdef');
  await turns();
  t.is(out.text(), '');
  live.change('stopped', { fault: { kind: 'bandwidth', bytesPerSecond: 1_000_000 } });
  await once(up, 'end');
  t.is(out.text(), 'abcdef');
});

test('what waits before a full line does not overtake what the line holds when it is removed', async (t) => {
  const live = new LiveFaults();
  live.add({ name: 'slow', fault: { kind: 'latency', delayMs: long } });
  live.add({ name: 'next', fault: { kind: 'corrupt', share: 0 } });
  const { up } = openOne(live);
  const received: Buffer[] = [];
  up.on('data', (chunk: Buffer) => received.push(chunk));
  const blocks = Array.from({ length: 80 }, (_, at) => Buffer.alloc(64 * 1024, at));
  for (const block of blocks) up.write(block);
  up.end();
  await turns();
  t.is(received.length, 0);
  live.remove('slow');
  await once(up, 'end');
  t.true(Buffer.concat(received).equals(Buffer.concat(blocks)));
});

test('what a full line holds is taken by the next fault when it is removed, also with a reader that takes nothing', async (t) => {
  const live = new LiveFaults();
  live.add({ name: 'slow', fault: { kind: 'latency', delayMs: long } });
  live.add({ name: 'narrow', fault: { kind: 'bandwidth', bytesPerSecond: 2 ** 40 } });
  const { up } = openOne(live);
  const block = Buffer.alloc(64 * 1024, 'x');
  let written = 0;
  while (up.write(block)) written += block.length;
  written += block.length;
  await turns();
  live.remove('slow');
  await turns();
  live.remove('narrow');
  let received = 0;
  up.end();
  for await (const chunk of up) received += (chunk as Buffer).length;
  t.is(received, written);
});

test('the end that a slow close holds goes on when it is removed, and by the new time when it is changed', async (t) => {
  for (const act of ['remove', 'change'] as const) {
    const live = new LiveFaults();
    live.add({ name: 'late', fault: { kind: 'slow-close', delayMs: long } });
    const { up } = openOne(live);
    const out = watch(up);
    up.end('abc');
    await turns();
    t.is(out.text(), 'abc');
    t.false(out.hasEnded());
    if (act === 'remove') live.remove('late');
    else live.change('late', { fault: { kind: 'slow-close', delayMs: 1 } });
    if (!out.hasEnded()) await once(up, 'end');
    t.true(out.hasEnded());
  }
});

test('faults act in the order of the list: a limit before a slow line closes behind what is under way', async (t) => {
  const live = new LiveFaults();
  live.add({ name: 'cut', fault: { kind: 'limit', bytes: 5 } });
  live.add({ name: 'slow', fault: { kind: 'latency', delayMs: long } });
  const { up, done } = openOne(live);
  const out = watch(up);
  up.write('abcdefgh');
  await turns();
  t.deepEqual(done, []);
  live.remove('slow');
  await turns();
  t.is(out.text(), 'abcde');
  t.true(out.hasEnded());
  t.deepEqual(done, ['closed up']);
});

test('a limit counts what has passed before it was changed', async (t) => {
  const live = new LiveFaults();
  live.add({ name: 'cut', direction: 'up', fault: { kind: 'limit', bytes: 100 } });
  const { up, done } = openOne(live);
  const out = watch(up);
  up.write('abc');
  await turns();
  live.change('cut', { fault: { kind: 'limit', bytes: 5 } });
  up.write('defgh');
  await turns();
  t.is(out.text(), 'abcde');
  t.deepEqual(done, ['closed up']);
});

test('a timeout drops bytes and passes the end; after its time, and when it is removed, the connection is closed', async (t) => {
  for (const way of ['time', 'removal', 'change'] as const) {
    const live = new LiveFaults();
    live.add({ name: 'dead', direction: 'up', fault: { kind: 'timeout', afterMs: way === 'time' ? 5 : 0 } });
    const { up, done } = openOne(live);
    const out = watch(up);
    up.write('abc');
    if (way !== 'time') {
      await turns();
      t.deepEqual(done, []);
    }
    if (way === 'removal') live.remove('dead');
    if (way === 'change') live.change('dead', { fault: { kind: 'timeout', afterMs: 1 } });
    if (!out.hasEnded()) await once(up, 'end');
    t.is(out.text(), '');
    t.deepEqual(done, ['closed up']);
  }
  const live = new LiveFaults();
  live.add({ name: 'dead', direction: 'up', fault: { kind: 'timeout', afterMs: 0 } });
  const { up, done } = openOne(live);
  const out = watch(up);
  up.end('abc');
  await once(up, 'end');
  t.deepEqual([out.text(), done], ['', []]);
});

test('a reset comes after its time, since the fault was added or since the first byte', async (t) => {
  for (const from of ['start', 'first-byte'] as const) {
    const live = new LiveFaults();
    const reset = Promise.withResolvers<undefined>();
    const { up } = live.open(1, { close: () => undefined, reset: () => reset.resolve(undefined) });
    const out = watch(up);
    live.add({ name: 'break', direction: 'up', fault: { kind: 'reset', afterMs: 5, from } });
    up.write('abc');
    await reset.promise;
    t.is(out.text(), from === 'start' ? 'abc' : '');
  }
});

test('a black hole that has swallowed bytes resets the connection when it is removed, and else leaves no trace', async (t) => {
  const live = new LiveFaults();
  live.add({ name: 'hole', direction: 'up', fault: { kind: 'blackhole' } });
  const [hit, spared] = [openOne(live, 1), openOne(live, 2)];
  const out = watch(spared.up);
  hit.up.write('abc');
  await turns();
  t.deepEqual(live.remove('hole'), { connections: 2 });
  t.deepEqual([hit.done, spared.done], [['reset'], []]);
  spared.up.end('abc');
  await once(spared.up, 'end');
  t.is(out.text(), 'abc');
});

test('corruption can be switched on and off within a stream', async (t) => {
  const live = new LiveFaults();
  const { up } = openOne(live);
  const out = watch(up);
  up.write('aaaa');
  live.add({ name: 'noise', fault: { kind: 'corrupt', share: 1 } });
  up.write('bbbb');
  live.change('noise', { fault: { kind: 'corrupt', share: 0 } });
  up.write('cccc');
  live.remove('noise');
  up.write('dddd');
  await turns();
  t.regex(out.text(), /^aaaa[^b]{4}ccccdddd$/s);
});

test('a fault of another kind takes the place of the one before', async (t) => {
  const live = new LiveFaults();
  for (const name of ['a', 'b', 'c']) live.add({ name, fault: { kind: 'latency', delayMs: long } });
  const { up, down } = openOne(live);
  const out = watch(up);
  up.write('xyz');
  live.change('b', { fault: { kind: 'bandwidth', bytesPerSecond: 5 }, direction: 'up' });
  live.add({ name: 'first', fault: { kind: 'corrupt', share: 0 } }, { before: 'a' });
  t.deepEqual(
    up.faults.map(({ name, fault }) => `${name} ${fault.kind}`),
    ['first corrupt', 'a latency', 'b bandwidth', 'c latency'],
  );
  t.deepEqual(
    down.faults.map(({ name }) => name),
    ['first', 'a', 'c'],
  );
  live.clear();
  await turns();
  t.is(out.text(), 'xyz');
  t.deepEqual([live.list, up.faults, down.faults], [[], [], []]);
});

test('each change says to how many open connections it applied', (t) => {
  const live = new LiveFaults({ seed: 5 });
  const open = Array.from({ length: 100 }, (_, at) => openOne(live, at));
  const fault: Fault = { kind: 'latency', delayMs: 1 };
  t.deepEqual(live.add({ name: 'all', fault }), { connections: 100 });
  const { connections: some } = live.add({ name: 'some', toxicity: 0.3, fault });
  t.true(some > 10 && some < 60, String(some));
  t.deepEqual(live.add({ name: 'none', toxicity: 0, fault }), { connections: 0 });
  open[0]!.close();
  t.deepEqual(live.change('all', { fault: { kind: 'latency', delayMs: 2 } }), { connections: 99 });
  t.deepEqual(live.clear(), { connections: 99 });
  t.deepEqual(live.clear(), { connections: 0 });
});

test('which connections a fault hits is drawn once: a higher toxicity adds some, a lower one spares some', (t) => {
  const live = new LiveFaults({ seed: 5 });
  const open = Array.from({ length: 60 }, (_, at) => openOne(live, at));
  const hit = () => open.map(({ up }) => up.faults.length);
  live.add({ name: 'x', toxicity: 0.2, fault: { kind: 'latency', delayMs: 1 } });
  const few = hit();
  live.change('x', { toxicity: 0.7 });
  const many = hit();
  t.true(few.every((count, at) => count <= many[at]!));
  t.true(few.reduce((sum, one) => sum + one, 0) < many.reduce((sum, one) => sum + one, 0));
  live.change('x', { toxicity: 0.2 });
  t.deepEqual(hit(), few);
  // A connection that comes now is judged in the same way.
  t.is(openOne(live, 3).up.faults.length, few[3]!);
});

const wrong: [what: string, act: (live: LiveFaults) => unknown, message: RegExp, code?: string][] = [
  [
    'a name that is taken',
    (live) => live.add({ name: 'x', fault: { kind: 'blackhole' } }),
    /another fault/,
    'TNET_E_NAME_TAKEN',
  ],
  ['an empty name', (live) => live.add({ name: '', fault: { kind: 'blackhole' } }), /at least one character/],
  ['a change of nothing', (live) => live.change('y', {}), /no fault of this name/, 'TNET_E_UNKNOWN_NAME'],
  ['a removal of nothing', (live) => live.remove('y'), /no fault of this name/, 'TNET_E_UNKNOWN_NAME'],
  ['a toxicity over 1', (live) => live.change('x', { toxicity: 2 }), /from 0 to 1/],
  [
    'a negative time',
    (live) => live.change('x', { fault: { kind: 'latency', delayMs: -1 } }),
    /^expected a number from 0 to \d+$/,
  ],
];
for (const [what, act, message, code = 'TNET_E_USAGE'] of wrong) {
  test(`${what} is refused, and nothing changes`, (t) => {
    const live = new LiveFaults();
    live.add({ name: 'x', fault: { kind: 'latency', delayMs: 1 } });
    const before = live.list;
    t.throws(() => act(live), { code, message });
    t.deepEqual(live.list, before);
  });
}

test('settings that come from outside are checked one by one', (t) => {
  const bad: unknown[] = [
    { kind: 'nothing' },
    { kind: 'toString' },
    { kind: 'latency' },
    { kind: 'latency', delayMs: '5' },
    { kind: 'latency', delayMs: Number.NaN },
    { kind: 'latency', delayMs: 1, jitterMs: -1 },
    { kind: 'latency', delayMs: 2 ** 31 },
    { kind: 'bandwidth', bytesPerSecond: -1 },
    { kind: 'slice', bytes: 0 },
    { kind: 'limit', bytes: 1.5 },
    { kind: 'corrupt', share: 1.1 },
    { kind: 'limit', bytes: Infinity },
  ];
  for (const fault of bad) t.throws(() => checkFault(fault as Fault), { code: 'TNET_E_USAGE' });
  t.notThrows(() => checkFault({ kind: 'slice', bytes: 1 }));
});

test("a pair's options become faults of the names of their kinds, in the order in which they always act", (t) => {
  const live = createLiveFaults({
    ...{ corrupt: 0.1, bandwidth: 5, latency: { mean: 3, spread: 1 }, sliceSize: { mean: 2, spread: 0 } },
    ...{ dropAfter: 9, slowClose: 4, resetAfter: 7, direction: 'up', probability: 0.5, seed: 3 },
  });
  t.deepEqual(
    live.list.map(({ name, direction = 'both', toxicity }) => [name, direction, toxicity]),
    [
      ...['corrupt', 'bandwidth', 'latency', 'slice', 'limit', 'slow-close'].map((name) => [name, 'up', 0.5]),
      ['reset', 'both', 0.5],
    ],
  );
  // --probability is drawn once for a connection.
  for (let at = 0; at < 40; at++) {
    const { up, down } = openOne(live, at);
    t.true(['0 0', '7 1'].includes(`${up.faults.length} ${down.faults.length}`));
  }
});
