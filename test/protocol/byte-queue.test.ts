import test from 'ava';
import fc from 'fast-check';
import { ByteQueue, HandshakeState } from '../../src/protocol/handshake-state.ts';
import { violation } from '../../src/protocol/protocol-error.ts';
import { latin1 } from '../helpers/protocol/hex.ts';

test('gives back the bytes in order, however they are put in and taken out', (t) => {
  const chunk = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const act = fc.oneof(
    chunk.map((bytes) => ({ append: bytes, count: 0 })),
    fc.nat(400).map((count) => ({ append: undefined, count })),
  );
  const property = fc.property(fc.array(act, { maxLength: 20 }), fc.boolean(), (acts, isTaking) => {
    const queue = new ByteQueue();
    let expected = Buffer.alloc(0);
    const taken: [Buffer, Buffer][] = [];
    for (const { append, count } of acts) {
      if (append) {
        queue.append(append);
        expected = Buffer.concat([expected, append]);
      } else {
        if (isTaking) taken.push([queue.take(count), expected.subarray(0, count)]);
        else queue.drop(count);
        expected = expected.subarray(count);
      }
      t.is(queue.length, expected.length);
      t.deepEqual(queue.peek(), expected);
    }
    for (const [got, wanted] of taken) t.deepEqual(got, wanted);
  });
  fc.assert(property, { numRuns: 2000 });
});

test('never writes into a chunk of the caller', (t) => {
  const chunk = Buffer.alloc(10, 1);
  const queue = new ByteQueue();
  queue.append(chunk.subarray(0, 2));
  queue.append(latin1('xy'));
  t.deepEqual(chunk, Buffer.alloc(10, 1));
});

test('takes everything out once', (t) => {
  const queue = new ByteQueue();
  queue.append(latin1('ab'));
  t.deepEqual(queue.takeAll(), latin1('ab'));
  t.is(queue.takeAll().length, 0);
});

test('a handshake that failed keeps its error and lets go of its bytes', (t) => {
  const state = new HandshakeState('smtp');
  const error = violation('smtp', 'x', 'x');
  const fail = () => {
    throw error;
  };
  t.is(
    t.throws(() => state.receive(latin1('abc'), fail)),
    error,
  );
  t.is(state.queue.length, 0);
  t.is(
    t.throws(() => state.receive(latin1('d'), () => undefined)),
    error,
  );
});
