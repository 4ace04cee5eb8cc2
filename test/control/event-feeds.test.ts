import { once } from 'node:events';
import test from 'ava';
import { createSteeredWorld } from '../helpers/steering.ts';

test('a reader of events who does not keep up is cut off, and hears no more', async (t) => {
  const { feeds, emit } = createSteeredWorld(t);
  const feed = feeds.open();
  const closed = once(feed, 'close');
  const text = 'x'.repeat(10_000);
  for (let nth = 0; nth < 150; nth++) emit({ event: 'warning', message: text });
  await closed;
  t.true(feed.destroyed);
  t.true(feed.readableLength < 1.1 * 1024 * 1024);
});

test('a reader of events who keeps up hears all of them, each in one line', async (t) => {
  const { feeds, emit } = createSteeredWorld(t);
  const feed = feeds.open();
  feed.setEncoding('utf8');
  const read = (async () => {
    let text = '';
    for await (const part of feed) text += String(part);
    return text;
  })();
  for (let nth = 0; nth < 1_000; nth++) {
    emit({ event: 'warning', message: `${nth}\n\u001b[31m` });
    await new Promise((resolve) => setImmediate(resolve));
  }
  feeds.close();
  const lines = (await read).split('\n\n').filter((line) => line.startsWith('data: '));
  t.is(lines.length, 1_000);
  t.true(lines.every((line) => !line.includes('\n') && !line.includes('\u001b')));
  t.like(JSON.parse(lines[999]!.slice(6)), { event: 'warning', message: '999\n\u001b[31m' });
});

test('there are so many readers of events, and another one is told to wait', async (t) => {
  const { ask, feeds } = createSteeredWorld(t);
  const open = Array.from({ length: 32 }, () => feeds.open());
  const { status, headers } = await ask('GET', '/v1/events');
  t.is(status, 429);
  t.is(headers?.['retry-after'], '10');
  open[0]!.destroy();
  await once(open[0]!, 'close');
  t.is((await ask('GET', '/v1/events')).status, 200);
});

test('a proxy that is ending may be looked at, and is not changed any more', async (t) => {
  const { ask } = createSteeredWorld(t, { isEnding: () => true });
  t.is((await ask('GET', '/v1/pairs')).status, 200);
  t.is((await ask('DELETE', '/v1/pairs/a')).status, 503);
});
