import test from 'ava';
import fc from 'fast-check';
import { readToxic, readToxicChange, showToxic, showToxics } from '../../../src/control/toxiproxy/toxics.ts';
import { LiveFaults, type PairFault } from '../../../src/handlers/relay/faults/live-faults.ts';
import type { Fault } from '../../../src/transform/faults/fault.ts';

const meanings: readonly [type: string, attributes: object, fault: Fault][] = [
  ['latency', { latency: 100, jitter: 20 }, { kind: 'latency', delayMs: 100, jitterMs: 20 }],
  ['bandwidth', { rate: 64 }, { kind: 'bandwidth', bytesPerSecond: 64_000 }],
  ['slow_close', { delay: 300 }, { kind: 'slow-close', delayMs: 300 }],
  ['timeout', { timeout: 400 }, { kind: 'timeout', afterMs: 400 }],
  ['reset_peer', { timeout: 500 }, { kind: 'reset', afterMs: 500, from: 'first-byte' }],
  [
    'slicer',
    { average_size: 60, size_variation: 6, delay: 700 },
    { kind: 'slice', bytes: 60, variationBytes: 6, delayMs: 0.7 },
  ],
  ['limit_data', { bytes: 800 }, { kind: 'limit', bytes: 800 }],
  ['corrupt', { share: 0.25 }, { kind: 'corrupt', share: 0.25 }],
  ['blackhole', {}, { kind: 'blackhole' }],
];

for (const [type, attributes, fault] of meanings) {
  test(`a toxic of type ${type} is a fault, and is shown as it was given`, (t) => {
    const read = readToxic({ type, attributes, stream: 'upstream', toxicity: 0.5 });
    t.deepEqual(read, { name: `${type}_upstream`, direction: 'up', toxicity: 0.5, fault });
    t.deepEqual(showToxic(read), {
      attributes: attributes as Record<string, number>,
      name: `${type}_upstream`,
      type,
      stream: 'upstream',
      toxicity: 0.5,
    });
  });
}

test('whatever attributes a toxic has, it is shown as it was given', (t) => {
  const number = fc.integer({ min: 0, max: 1_000_000 });
  const given = fc.oneof(
    ...meanings
      .filter(([type]) => type !== 'corrupt')
      .map(([type, attributes]) =>
        fc.record({
          type: fc.constant(type),
          name: fc.string({ minLength: 1 }),
          stream: fc.constantFrom('upstream', 'downstream', 'both'),
          toxicity: fc.double({ min: 0, max: 1, noNaN: true }),
          attributes: fc.record(
            Object.fromEntries(
              Object.keys(attributes).map((name) => [
                name,
                name === 'average_size' ? fc.integer({ min: 1, max: 9_999 }) : number,
              ]),
            ),
          ),
        }),
      ),
  );
  fc.assert(
    fc.property(given, (toxic) => {
      const live = new LiveFaults();
      live.add(readToxic(toxic));
      t.deepEqual(showToxics(live.list), [JSON.parse(JSON.stringify(toxic))]);
    }),
  );
});

test('a toxic has the defaults of toxiproxy', (t) => {
  t.deepEqual(readToxic({ type: 'latency', name: null, stream: null, toxicity: null }), {
    name: 'latency_downstream',
    direction: 'down',
    toxicity: 1,
    fault: { kind: 'latency', delayMs: 0, jitterMs: 0 },
  });
});

test('a rate of 0 lets nothing pass, and a piece of 0 bytes is one of 1', (t) => {
  t.deepEqual(readToxic({ type: 'bandwidth' }).fault, { kind: 'bandwidth', bytesPerSecond: 0 });
  t.like(readToxic({ type: 'slicer' }).fault, { kind: 'slice', bytes: 1 });
});

test('a share beyond 0 to 1 of the connections is the nearest that can be', (t) => {
  t.is(readToxic({ type: 'latency', toxicity: 2 }).toxicity, 1);
  t.is(readToxic({ type: 'latency', toxicity: -1 }).toxicity, 0);
});

for (const [what, body] of Object.entries({
  'a list': [],
  'a number as its type': { type: 5 },
  'a text as its toxicity': { type: 'latency', toxicity: '1' },
  'a list of attributes': { type: 'latency', attributes: [] },
  'part of a millisecond': { type: 'latency', attributes: { latency: 0.5 } },
  'a time below 0': { type: 'timeout', attributes: { timeout: -1 } },
  'no stream that there is': { type: 'latency', stream: '' },
  'a type of an object itself': { type: 'toString' },
})) {
  test(`a toxic that is ${what} is refused`, (t) => {
    t.throws(() => readToxic(body), { name: 'ToxiproxyError' });
  });
}

const made: readonly PairFault[] = [
  { name: 'latency', direction: 'both', toxicity: 1, fault: { kind: 'latency', delayMs: 50 } },
  { name: 'reset', direction: 'up', toxicity: 1, fault: { kind: 'reset', afterMs: 9_000 } },
  { name: 'narrow', direction: 'down', fault: { kind: 'bandwidth', bytesPerSecond: 65_536 } },
  { name: 'dead', fault: { kind: 'blackhole' } },
];

test('faults that were made elsewhere are shown with what toxiproxy has no word for', (t) => {
  t.deepEqual(showToxics(made), [
    { attributes: { latency: 50, jitter: 0 }, name: 'latency', type: 'latency', stream: 'both', toxicity: 1 },
    {
      attributes: { timeout: 9_000, from: 'start' },
      name: 'reset',
      type: 'reset_peer',
      stream: 'upstream',
      toxicity: 1,
    },
    { attributes: { rate: 65.536 }, name: 'narrow', type: 'bandwidth', stream: 'downstream', toxicity: 1 },
    { attributes: {}, name: 'dead', type: 'blackhole', stream: 'both', toxicity: 1 },
  ]);
});

test('toxics of upstream are listed first, each stream in its order', (t) => {
  const live = new LiveFaults();
  for (const [name, stream] of Object.entries({
    a: 'downstream',
    b: 'upstream',
    c: 'downstream',
    d: 'upstream',
  }))
    live.add(readToxic({ type: 'latency', name, stream }));
  t.deepEqual(
    showToxics(live.list).map(({ name }) => name),
    ['b', 'd', 'a', 'c'],
  );
});

test('a change of a fault that was made elsewhere leaves what it does not name as it is', (t) => {
  const live = new LiveFaults();
  for (const fault of made) live.add(fault);
  const change = (name: string, body: unknown) =>
    live.change(
      name,
      readToxicChange(
        live.list.find((fault) => fault.name === name)!,
        body,
      ),
    );
  change('reset', { attributes: { timeout: 5 } });
  change('narrow', { toxicity: 0.5 });
  change('latency', { stream: 'upstream', attributes: { jitter: 5 } });
  t.deepEqual(live.list, [
    { ...made[0]!, fault: { kind: 'latency', delayMs: 50, jitterMs: 5 } },
    { ...made[1]!, fault: { kind: 'reset', afterMs: 5, from: 'start' } },
    { ...made[2]!, toxicity: 0.5 },
    made[3],
  ]);
});
