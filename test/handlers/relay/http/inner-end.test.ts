import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import test from 'ava';
import { createInnerEnd } from '../../../../src/handlers/relay/http/inner-end.ts';
import { collect, collectUntilClose, payload, sameBytes } from '../../../helpers/bytes.ts';

/** Waits for the close of a stream, whatever ends it. */
function closed(stream: Duplex): Promise<void> {
  return new Promise((resolve) => stream.once('close', () => resolve()));
}

test('bytes go both ways and each side ends on its own', async (t) => {
  const { inner, outer } = createInnerEnd();
  const sent = payload(500_000);
  outer.end(sent);
  sameBytes(t, await collect(inner), sent);
  inner.end(sent);
  sameBytes(t, await collect(outer), sent);
});

test('a write is done when it has been read, and not while the side is held', async (t) => {
  const end = createInnerEnd();
  let done = 0;
  end.outer.write('one', () => (done += 1));
  end.hold(true);
  end.outer.write('two', () => (done += 1));
  const first = once(end.inner, 'data');
  t.is(String((await first)[0]), 'one');
  await new Promise(setImmediate);
  t.is(done, 0);
  const second = once(end.inner, 'data');
  end.hold(false);
  t.is(String((await second)[0]), 'two');
  await new Promise(setImmediate);
  t.is(done, 2);
});

test('what was written before a break is given out before it', async (t) => {
  const end = createInnerEnd();
  const error = new Error('broken');
  const sent = payload(200_000);
  end.inner.write(sent);
  end.breakOff(error);
  const got = await collectUntilClose(end.outer);
  sameBytes(t, got.bytes, sent);
  t.is(got.error, error);
  t.true(end.inner.destroyed);
});

test('a break does not wait for a reader that takes nothing for longer than the time for last words', async (t) => {
  const end = createInnerEnd();
  end.inner.write(payload(200_000));
  end.breakOff(new Error('broken'));
  await closed(end.outer);
  t.pass();
});

test('destroying one side breaks the other, unless both had ended', async (t) => {
  for (const side of ['inner', 'outer'] as const) {
    const end = createInnerEnd();
    const other = side === 'inner' ? end.outer : end.inner;
    end[side].destroy();
    await closed(other);
    t.is((other.errored as NodeJS.ErrnoException).code, 'ECONNRESET');
  }
  const end = createInnerEnd();
  end.inner.end();
  end.outer.end();
  await Promise.all([collect(end.outer), collect(end.inner)]);
  end.outer.destroy();
  if (!end.outer.closed) await closed(end.outer);
  if (!end.inner.closed) await closed(end.inner.destroy());
  t.is(end.inner.errored, null);
});
