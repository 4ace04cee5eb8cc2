import { randomBytes } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { DatagramCheck, StreamCheck } from '../../src/protocol/echo-check/checks.ts';
import { noiseBytes, PayloadMaker, type EchoCheck } from '../../src/protocol/echo-check/echo-check.ts';

const makeMaker = (size: number) => new PayloadMaker(0xcafe_f00d, size, randomBytes(noiseBytes(size)));

function sendMany(check: EchoCheck, count: number): Buffer[] {
  return Array.from({ length: count }, (_, at) => check.send(at));
}

test('a payload has the number of the run and its own, and no two have the same bytes behind them', (t) => {
  const payloads = sendMany(new StreamCheck(makeMaker(64)), 4093);
  t.is(payloads[7]!.readUInt32BE(0), 0xcafe_f00d);
  t.is(payloads[7]!.readUInt32BE(4), 7);
  t.is(new Set(payloads.map((one) => one.toString('hex', 8))).size, payloads.length);
});

test('a stream echo is right in whatever chunks it comes', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 8, max: 40 }),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 60 }),
      (size, cuts) => {
        const check = new StreamCheck(makeMaker(size));
        const bytes = Buffer.concat(sendMany(check, 20));
        const sequences: number[] = [];
        for (let at = 0, cut = 0; at < bytes.length; cut++) {
          const end = at + cuts[cut % cuts.length]!;
          sequences.push(...check.receive(bytes.subarray(at, end), 100).map(({ sequence }) => sequence));
          at = end;
        }
        t.deepEqual(
          sequences,
          Array.from({ length: 20 }, (_, at) => at),
        );
        const { received, receivedBytes, wrong } = check.counts;
        t.deepEqual(
          { received, receivedBytes, wrong },
          { received: 20, receivedBytes: bytes.length, wrong: 0 },
        );
      },
    ),
    { numRuns: 50 },
  );
});

test('every single wrong byte of a stream is found, counted, and told by its place', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 319 }), fc.integer({ min: 1, max: 255 }), (place, mask) => {
      const check = new StreamCheck(makeMaker(32));
      const bytes = Buffer.concat(sendMany(check, 10));
      bytes[place]! ^= mask;
      check.receive(bytes, 1);
      const { wrong, wrongBytes, firstWrong, received } = check.counts;
      t.deepEqual(
        { wrong, wrongBytes, firstWrong, received },
        {
          wrong: 1,
          wrongBytes: 1,
          firstWrong: { sequence: Math.floor(place / 32), offset: place % 32 },
          received: 10,
        },
      );
    }),
    { numRuns: 50 },
  );
});

test('a byte that a stream lost makes the rest wrong, and the last payload missing', (t) => {
  const check = new StreamCheck(makeMaker(32));
  const bytes = Buffer.concat(sendMany(check, 10));
  check.receive(Buffer.concat([bytes.subarray(0, 100), bytes.subarray(101)]), 1);
  t.is(check.counts.received, 9);
  t.true(check.counts.wrong >= 6);
  t.is(check.counts.firstWrong!.sequence, 3);
});

test('more than was sent is wrong, and what is sent afterwards is checked in its own place', (t) => {
  const check = new StreamCheck(makeMaker(32));
  const [first] = sendMany(check, 1);
  check.receive(Buffer.concat([first!, Buffer.from('more')]), 1);
  t.is(check.counts.wrongBytes, 4);
  t.deepEqual(check.counts.firstWrong, { offset: 32 });
  const replies = check.receive(check.send(5), 7);
  t.deepEqual(replies, [{ sequence: 1, roundTripMs: 2, isWrong: false }]);
});

test('a round trip lasts from the sending to the last byte', (t) => {
  const check = new StreamCheck(makeMaker(16));
  const payload = check.send(1000);
  t.deepEqual(check.receive(payload.subarray(0, 15), 1001), []);
  t.deepEqual(check.receive(payload.subarray(15), 1004.5), [
    { sequence: 0, roundTripMs: 4.5, isWrong: false },
  ]);
});

test('datagrams may come in any order, and each that a later one overtook is out of order', (t) => {
  const check = new DatagramCheck(makeMaker(16));
  const datagrams = sendMany(check, 5);
  for (const at of [0, 3, 1, 2, 4]) check.receive(datagrams[at]!, 10);
  const { received, reordered, duplicates, wrong } = check.counts;
  t.deepEqual(
    { received, reordered, duplicates, wrong },
    { received: 5, reordered: 2, duplicates: 0, wrong: 0 },
  );
});

test('a datagram that comes again is a duplicate and no answer', (t) => {
  const check = new DatagramCheck(makeMaker(16));
  const [datagram] = sendMany(check, 1);
  t.is(check.receive(datagram!, 1).length, 1);
  t.is(check.receive(datagram!, 2).length, 0);
  t.is(check.counts.duplicates, 1);
  t.is(check.counts.received, 1);
});

for (const [what, change, wrongBytes] of [
  [
    'with a wrong byte',
    (one: Buffer) => Buffer.from(one.map((byte, at) => (at === 12 ? byte ^ 1 : byte))),
    1,
  ],
  ['that is cut short', (one: Buffer) => one.subarray(0, 13), 3],
  ['that is too long', (one: Buffer) => Buffer.concat([one, Buffer.from('xy')]), 2],
] as const) {
  test(`a datagram ${what} is an answer, and wrong`, (t) => {
    const check = new DatagramCheck(makeMaker(16));
    const [datagram] = sendMany(check, 1);
    t.true(check.receive(change(datagram!), 1)[0]!.isWrong);
    t.is(check.counts.wrongBytes, wrongBytes);
    t.is(check.counts.received, 1);
  });
}

for (const [what, datagram] of [
  ['without a number', Buffer.from('short')],
  ['of another run', Buffer.alloc(16)],
  ['with a number that was not sent', Buffer.from('cafef00d00000009aabbccddeeff0011', 'hex')],
] as const) {
  test(`a datagram ${what} is wrong and no answer`, (t) => {
    const check = new DatagramCheck(makeMaker(16));
    sendMany(check, 1);
    t.deepEqual(check.receive(datagram, 1), []);
    t.is(check.counts.wrong, 1);
    t.is(check.counts.received, 0);
  });
}

test('a lost datagram makes room for another after a while, and is pending as long as it may come', (t) => {
  const check = new DatagramCheck(makeMaker(16));
  const datagrams = sendMany(check, 3);
  check.receive(datagrams[1]!, 10);
  t.is(check.inFlight(100), 3);
  t.is(check.inFlight(1000), 0);
  t.is(check.pending(1000, 5000), 2);
  t.is(check.pending(10_000, 5000), 0);
});

test('numbers go on over 32 bits, and memory stays what it was', (t) => {
  const check = new DatagramCheck(makeMaker(8));
  const first = check.send(0);
  for (let count = 0; count < 200_000; count++) check.receive(check.send(count), count);
  t.is(check.counts.received, 200_000);
  t.is(check.receive(first, 0).length, 0);
  t.is(check.counts.wrong, 1);
});
