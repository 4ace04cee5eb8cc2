import test from 'ava';
import fc from 'fast-check';
import { LiveRates, type LiveConnection, type LiveSample } from '../../src/report/live-rates.ts';
import { renderLive, renderTotals, type LiveNames } from '../../src/report/live-table.ts';
import { formatSize, formatSpan } from '../../src/report/table.ts';

const names: LiveNames = {
  title: 'tnet proxy 127.0.0.1:8080',
  received: 'up',
  sent: 'down',
  remote: 'client',
  target: 'target',
};

function connection(id: number, receivedBytes: number, sentBytes = 0): LiveConnection {
  return {
    id,
    remote: `192.0.2.1:${4000 + id}`,
    target: '198.51.100.2:80',
    receivedBytes,
    sentBytes,
    startedAt: 0,
  };
}

function sampleOf(...connections: LiveConnection[]): LiveSample {
  const sum = (key: 'receivedBytes' | 'sentBytes') =>
    connections.reduce((total, each) => total + each[key], 0);
  const totals = {
    connections: 9,
    open: connections.length,
    receivedBytes: sum('receivedBytes'),
    sentBytes: sum('sentBytes'),
  };
  return { totals, connections };
}

function frameOf(sample: LiveSample, messages: string[] = []) {
  const rates = new LiveRates(0);
  rates.update(sample, 1_000);
  return { sample, rates, now: 61_000, startedAt: 0, messages };
}

for (const [bytes, text] of [
  [0, '0'],
  [1_023, '1023'],
  [1_024, '1.0k'],
  [10_240, '10k'],
  [1_048_575, '1.0M'],
  [1_610_612_736, '1.5G'],
] as const) {
  test(`${bytes} bytes are shown as ${text}`, (t) => t.is(formatSize(bytes), text));
}

for (const [spanMs, text] of [
  [0, '0s'],
  [59_999, '59s'],
  [125_000, '2m05s'],
  [3_600_000, '1h00m'],
  [360_000_000, '4d04h'],
] as const) {
  test(`${spanMs} ms are shown as ${text}`, (t) => t.is(formatSpan(spanMs), text));
}

test('no size takes more than five characters, and no time span more than six', (t) => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 52 }), fc.nat({ max: 80_000_000_000 }), (bytes, spanMs) => {
      return formatSize(bytes).length <= 5 && formatSpan(spanMs).length <= 6;
    }),
  );
  t.pass();
});

test('a rate comes near to what moves each second, and fades to nothing', (t) => {
  const rates = new LiveRates(0);
  for (let second = 1; second <= 10; second++)
    rates.update(sampleOf(connection(1, second * 1_000)), second * 1_000);
  const { received, sent } = rates.of(connection(1, 0));
  t.true(Math.abs(received - 1_000) < 10, String(received));
  t.is(sent, 0);
  for (let second = 11; second <= 40; second++) rates.update(sampleOf(connection(1, 10_000)), second * 1_000);
  t.is(rates.of(connection(1, 0)).received, 0);
  t.is(rates.total.received, 0);
});

test('the table has the busiest connection first, and an idle one by its number', (t) => {
  const lines = renderLive(
    names,
    frameOf(sampleOf(connection(1, 0), connection(2, 500), connection(3, 0, 9_000))),
    {
      columns: 80,
      rows: 24,
    },
  );
  t.deepEqual(
    lines.slice(4).map(({ text }) => Number(text.slice(0, 5))),
    [3, 2, 1],
  );
  t.deepEqual(
    lines.map(({ style }) => style),
    ['title', 'totals', 'totals', 'head', 'busy', 'busy', 'idle'],
  );
  t.regex(lines[1]!.text, /^3 open, 9 in all, up 500 \d+\/s, down 8\.8k \S+\/s$/);
});

test('what does not fit is counted, and messages stand at the bottom without their colours', (t) => {
  const connections = Array.from({ length: 40 }, (_, index) => connection(index + 1, 0));
  const messages = Array.from({ length: 20 }, (_, index) => `\x1b[31mmessage ${index}\x1b[39m`);
  const lines = renderLive(names, frameOf(sampleOf(...connections), messages), { columns: 80, rows: 24 });
  t.is(lines.length, 24);
  t.is(lines.at(-7)!.text, 'and 27 more');
  t.is(lines.at(-1)!.text, 'message 19');
  t.is(lines.at(-6)!.text, 'message 14');
});

const workers = [1, 2, 3, 4].map((number) => ({
  number,
  pid: 4_000_000 + number,
  connections: 10 * number,
  open: number,
  receivedBytes: number === 2 ? 2_048 : 0,
  sentBytes: 0,
  startedAt: 0,
}));

test('with workers, each has a row above the connections, in the same columns', (t) => {
  const sample = { ...sampleOf(connection(1, 2_048)), workers };
  const lines = renderLive(names, frameOf(sample), { columns: 80, rows: 24 });
  t.deepEqual(
    lines.slice(2).map(({ text, style }) => `${style.padEnd(7)}|${text}`.replaceAll(/\d\.\dk/g, 'Nk')),
    [
      'totals |',
      'head   |   ID  WORKER           OPEN / ALL           UP    UP/S    DOWN  DOWN/S     AGE',
      'idle   |    1  pid 4000001      1 / 10                0       0       0       0   1m01s',
      'busy   |    2  pid 4000002      2 / 20             Nk    Nk       0       0   1m01s',
      'idle   |    3  pid 4000003      3 / 30                0       0       0       0   1m01s',
      'idle   |    4  pid 4000004      4 / 40                0       0       0       0   1m01s',
      'totals |',
      'head   |   ID  CLIENT           TARGET               UP    UP/S    DOWN  DOWN/S     AGE',
      'busy   |    1  192.0.2.1:4001   198.51.100.2:80    Nk    Nk       0       0   1m01s',
    ],
  );
});

test('workers that have no room are counted, and without targets their connections stand beside their name', (t) => {
  const server: LiveNames = { title: 'tnet echo', received: 'in', sent: 'out', remote: 'client' };
  const sample = { ...sampleOf(), workers };
  const lines = renderLive(server, frameOf(sample), { columns: 80, rows: 9 });
  t.deepEqual(
    lines.slice(3, 7).map(({ text }) => text.slice(0, 38).trimEnd()),
    ['   ID  WORKER, OPEN / ALL', '    1  pid 4000001, 1 / 10', '    2  pid 4000002, 2 / 20', 'and 2 more'],
  );
});

test('every frame fits its window, whatever its size and the length of the addresses', (t) => {
  const size = fc.record({
    columns: fc.integer({ min: 1, max: 250 }),
    rows: fc.integer({ min: 1, max: 60 }),
  });
  fc.assert(
    fc.property(size, fc.nat({ max: 80 }), fc.nat({ max: 30 }), fc.string(), (window, count, said, text) => {
      const connections = Array.from({ length: count }, (_, index) => ({
        ...connection(index, 3 ** (index % 30)),
        remote: text,
      }));
      const lines = renderLive(
        names,
        frameOf(
          { ...sampleOf(...connections), ...(count % 2 === 0 && { workers }) },
          Array<string>(said).fill(text),
        ),
        window,
      );
      return (
        lines.length <= window.rows && lines.every((line) => Array.from(line.text).length <= window.columns)
      );
    }),
  );
  t.pass();
});

test('the totals name failures and refusals only where there are some', (t) => {
  const totals = {
    connections: 5,
    open: 1,
    receivedBytes: 2_048,
    sentBytes: 0,
    failed: 2,
    refused: { a: 1, b: 2 },
  };
  t.is(
    renderTotals(names, totals, new LiveRates(0)),
    '1 open, 5 in all, 2 failed, 3 refused, up 2.0k 0/s, down 0 0/s',
  );
});

test('no control character of an address or a message reaches the screen', (t) => {
  const hostile = '\x1b[2J\u009b\u202e\n';
  const sample = sampleOf({ ...connection(1, 5), remote: hostile, target: hostile });
  const lines = renderLive({ ...names, title: hostile }, frameOf(sample, [hostile]), {
    columns: 200,
    rows: 9,
  });
  for (const { text } of lines) t.notRegex(text, /[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
});
