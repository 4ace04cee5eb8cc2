import test from 'ava';
import { OutgoingTap } from '../../../../commands/proxy/steering/outgoing-tap.ts';
import type { TapNews } from '../../../../commands/proxy/steering/worker-messages.ts';

const chunk = (direction: 'sent' | 'received', length: number) => ({
  ...{ direction, bytes: Buffer.alloc(length, 'a'), offset: 0, atMicros: 1 },
});

/** What has been told, without what does not matter here. */
const brief = (news: readonly TapNews[]) =>
  news.map((one) => {
    if (one.tell === 'data') return `${one.direction} ${Buffer.from(one.base64, 'base64').length}`;
    return one.tell === 'missed' ? `missed ${one.direction} ${one.bytes}` : one.tell;
  });

test('of what passes more bytes than may be under way are counted as missed, until half of them have arrived', (t) => {
  const news: TapNews[] = [];
  const tap = new OutgoingTap(1, 100, (one) => news.push(one));
  tap.data(chunk('sent', 60));
  tap.data(chunk('received', 40));
  tap.data(chunk('sent', 1));
  tap.taken(40);
  // There would be room, but a gap in each message would tell less than one.
  tap.data(chunk('received', 2));
  t.deepEqual(brief(news), ['sent 60', 'received 40']);
  tap.taken(60);
  tap.data(chunk('sent', 100));
  t.deepEqual(brief(news).slice(2), ['missed sent 1', 'missed received 2', 'sent 100']);
});

test('what was missed is told before an end', (t) => {
  const news: TapNews[] = [];
  const tap = new OutgoingTap(1, 10, (one) => news.push(one));
  tap.data(chunk('sent', 11));
  tap.ended('sent', 2);
  tap.data(chunk('received', 12));
  tap.closed('eof', 3);
  t.deepEqual(brief(news), ['missed sent 11', 'ended', 'missed received 12', 'closed']);
  t.true(news.every(({ tap: number }) => number === 1));
});
