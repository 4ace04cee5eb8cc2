import { once } from 'node:events';
import type { Readable } from 'node:stream';
import test from 'ava';
import { errorCode } from '../../src/errors.ts';
import { TapFeeds } from '../../src/control/v1/tap-feeds.ts';
import { tapHere } from '../../src/record/connection-taps.ts';
import { LiveTaps } from '../../src/record/live-taps.ts';
import { readPcapng } from '../../src/record/pcapng-blocks.ts';
import type { RecordedConnection } from '../../src/record/record-format.ts';
import type { ConnectionRecord } from '../../src/record/recording.ts';
import { ScriptBuilder } from '../../src/record/script.ts';
import { payload, sameBytes } from '../helpers/bytes.ts';

const relayed: RecordedConnection = {
  id: 7,
  local: { host: '192.0.2.1', port: 40_000 },
  remote: { host: '198.51.100.2', port: 7 },
  role: 'relayed',
  transport: 'tcp',
  target: '203.0.113.3:80',
};

/** A connection that can be tapped, with what has come through it. */
function openConnection(taps: LiveTaps) {
  const record = taps.open({ connection: relayed, hasEnded: () => true });
  const through = { sent: [] as Buffer[], received: [] as Buffer[] };
  for (const way of ['sent', 'received'] as const)
    record[way].on('data', (chunk: Buffer) => through[way].push(chunk));
  const pass = async (way: 'sent' | 'received', bytes: Buffer) => {
    const passed = once(record[way], 'data');
    record[way].write(bytes);
    await passed;
  };
  return { record, through, pass };
}

async function end(record: ConnectionRecord, way: 'sent' | 'received'): Promise<void> {
  const over = once(record[way], 'end');
  record[way].end();
  await over;
}

async function readEvents(feed: Readable): Promise<Record<string, unknown>[]> {
  let text = '';
  for await (const part of feed) text += String(part);
  return text
    .split('\n\n')
    .filter((part) => part.startsWith('data: '))
    .map((part) => JSON.parse(part.slice('data: '.length)) as Record<string, unknown>);
}

const pick = (event: Record<string, unknown>, ...names: string[]) => names.map((name) => event[name]);

test('a tap tells what passes from its beginning on: bytes with their offsets, both ends, and the close', async (t) => {
  const taps = new LiveTaps();
  const { record, pass } = openConnection(taps);
  await pass('sent', Buffer.from('before'));
  const events = readEvents(await new TapFeeds(tapHere(taps)).open(7));
  await pass('sent', Buffer.from('question'));
  await pass('received', Buffer.from([0, 255, 10]));
  await end(record, 'sent');
  await end(record, 'received');
  record.closed('eof');
  const [open = {}, up = {}, down = {}, ...rest] = await events;
  t.deepEqual(pick(open, 'event', 'id', 'client', 'address', 'target', 'offsets', 'ended'), [
    ...['open', 7, '192.0.2.1:40000', '198.51.100.2:7', '203.0.113.3:80'],
    ...[{ up: 6, down: 0 }, []],
  ]);
  t.deepEqual(pick(up, 'event', 'direction', 'offset'), ['data', 'up', 6]);
  t.is(Buffer.from(String(up['base64']), 'base64').toString(), 'question');
  t.deepEqual(pick(down, 'event', 'direction', 'offset', 'base64'), ['data', 'down', 0, 'AP8K']);
  t.true(Math.abs(Number(down['atMs']) - performance.timeOrigin - performance.now()) < 60_000);
  t.deepEqual(
    rest.map((event) => pick(event, 'event', 'direction', 'reason')),
    [
      ['end', 'up', undefined],
      ['end', 'down', undefined],
      ['close', undefined, 'eof'],
    ],
  );
});

test('a reader of a tap that does not keep up misses bytes and is told how many, and the connection does not wait', async (t) => {
  const taps = new LiveTaps();
  const { record, through, pass } = openConnection(taps);
  const feed = await new TapFeeds(tapHere(taps)).open(7);
  const chunk = payload(64 * 1024);
  for (let count = 0; count < 100; count++) await pass(count % 2 ? 'received' : 'sent', chunk);
  t.true(feed.readableLength <= 1024 * 1024 + 4096);
  record.closed('eof');
  const events = await readEvents(feed);
  const got = { up: 0, down: 0 };
  const missed = { up: 0, down: 0 };
  for (const event of events) {
    if (event['event'] === 'data')
      got[event['direction'] as 'up' | 'down'] += Buffer.from(String(event['base64']), 'base64').length;
    if (event['event'] === 'missed') {
      missed.up += Number(event['up']);
      missed.down += Number(event['down']);
    }
  }
  t.true(missed.up > 0);
  t.deepEqual([got.up + missed.up, got.down + missed.down], [50 * chunk.length, 50 * chunk.length]);
  t.is(events.at(-1)?.['event'], 'close');
  t.is(Buffer.concat([...through.sent, ...through.received]).length, 100 * chunk.length);
});

test('a reader that has caught up is told what it missed, and goes on', async (t) => {
  const taps = new LiveTaps();
  const { record, pass } = openConnection(taps);
  const feed = await new TapFeeds(tapHere(taps)).open(7);
  for (let count = 0; count < 20; count++) await pass('sent', payload(64 * 1024));
  let text = '';
  feed.on('data', (part) => (text += String(part)));
  while (!text.includes('"missed"')) await once(feed, 'data');
  await pass('sent', Buffer.from('again'));
  while (!text.includes(Buffer.from('again').toString('base64'))) await once(feed, 'data');
  record.closed('eof');
  await once(feed, 'close');
  t.regex(text, /"missed","up":\d+,"down":0/);
});

/** What a recording says that the client has sent, and the other steps. */
function readRecording(file: Buffer) {
  const builder = new ScriptBuilder('recording');
  readPcapng(file, builder);
  return builder.scripts.map(({ id, steps }) => ({
    id,
    sent: Buffer.concat(steps.map((step) => ('bytes' in step ? step.bytes : Buffer.alloc(0)))),
    ends: steps.flatMap((step) => ('end' in step ? [`${step.side} ${step.end}`] : [])),
  }));
}

test('a recording of what passes from now on is a pcapng file that says how much had passed before', async (t) => {
  const taps = new LiveTaps();
  const { record, pass } = openConnection(taps);
  await pass('sent', Buffer.from('before'));
  await end(record, 'received');
  const feed = await new TapFeeds(tapHere(taps)).record(7);
  const bytes = payload(100_000);
  await pass('sent', bytes);
  await end(record, 'sent');
  record.closed('eof');
  const file = Buffer.concat((await feed.toArray()) as Buffer[]);
  t.true(file.includes('recorded after 6 bytes from the client and 0 from the target'));
  t.deepEqual(readRecording(file), [{ id: 7, sent: bytes, ends: ['server eof', 'client eof'] }]);
});

test('a recording ends after its time, and what passes later goes on without it', async (t) => {
  const taps = new LiveTaps();
  const { through, pass } = openConnection(taps);
  const feed = await new TapFeeds(tapHere(taps)).record(7, 20);
  const file = Buffer.concat((await feed.toArray()) as Buffer[]);
  t.deepEqual(readRecording(file), [{ id: 7, sent: Buffer.alloc(0), ends: [] }]);
  await pass('sent', Buffer.from('later'));
  sameBytes(t, Buffer.concat(through.sent), Buffer.from('later'));
});

test('a reader of a recording that does not keep up is cut off', async (t) => {
  const taps = new LiveTaps();
  const { pass } = openConnection(taps);
  const feed = await new TapFeeds(tapHere(taps)).record(7);
  const closed = once(feed, 'close');
  for (let count = 0; count < 140; count++) await pass('sent', payload(64 * 1024));
  await closed;
  t.false(feed.readableEnded);
  await pass('sent', Buffer.from('later'));
});

test('a connection that is over, or that nobody has joined, cannot be tapped, and too many readers are refused', async (t) => {
  const taps = new LiveTaps();
  const feeds = new TapFeeds(tapHere(taps));
  const codeOf = async (feed: Promise<Readable>) => errorCode(await t.throwsAsync(feed));
  t.is(await codeOf(feeds.open(7)), 'TNET_E_UNKNOWN_NAME');
  const { record } = openConnection(taps);
  const open = await Promise.all(Array.from({ length: 32 }, () => feeds.open(7)));
  t.is(await codeOf(feeds.record(7)), 'TOO_MANY_REQUESTS');
  open[0]?.destroy();
  feeds.close();
  record.closed('eof');
  t.is(await codeOf(feeds.open(7)), 'TNET_E_UNKNOWN_NAME');
});
