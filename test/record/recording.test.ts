import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { errorCode } from '../../src/errors.ts';
import type { RecordedConnection, RecordedEnding, RecordFormatName } from '../../src/record/record-format.ts';
import { createRecording, type ConnectionRecord } from '../../src/record/recording.ts';
import { payload, sameBytes } from '../helpers/bytes.ts';
import { testWith } from '../helpers/programs.ts';
import { tempDir } from '../helpers/temp.ts';

const dialled: RecordedConnection = {
  id: 1,
  local: { host: '192.0.2.1', port: 40_000 },
  remote: { host: '198.51.100.2', port: 7 },
  role: 'dialled',
  transport: 'tcp',
};

interface Exchange {
  readonly sent: readonly Buffer[];
  readonly received: readonly Buffer[];
}

/** Puts an exchange through a connection's record, the directions in turn, and gives what came out of the taps. */
async function pass(record: ConnectionRecord, { sent, received }: Exchange, ending: RecordedEnding = 'eof') {
  const out = { sent: [] as Buffer[], received: [] as Buffer[] };
  for (const direction of ['sent', 'received'] as const) {
    record[direction].on('data', (chunk: Buffer) => out[direction].push(chunk));
  }
  for (let index = 0; index < Math.max(sent.length, received.length); index++) {
    if (sent[index]) record.sent.write(sent[index]);
    if (received[index]) record.received.write(received[index]);
    await turn();
  }
  await Promise.all(
    [record.sent, record.received].map(
      (tap) => new Promise<void>((resolve) => void tap.end().once('end', resolve)),
    ),
  );
  record.closed(ending);
  return { sent: Buffer.concat(out.sent), received: Buffer.concat(out.received) };
}

/** Records one exchange in a new file, and waits until the file has it. */
async function recordExchange(
  t: ExecutionContext,
  format: RecordFormatName,
  exchange: Exchange,
  connection = dialled,
  ending?: RecordedEnding,
): Promise<{ file: string; out: { sent: Buffer; received: Buffer } }> {
  const file = join(tempDir(t), 'record');
  const recording = await createRecording(file, format, (error) => t.fail(error.message));
  const record = recording.open({ connection, hasEnded: (way) => way === 'sent' || ending !== 'reset' });
  const out = await pass(record, exchange, ending);
  await recording.flush();
  return { file, out };
}

const chunks = fc.array(
  fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  { maxLength: 8 },
);

for (const format of ['hex', 'raw', 'json', 'pcapng'] as const) {
  test(`recording as ${format} changes no byte and no order, in any chunks`, async (t) => {
    const file = join(tempDir(t), 'record');
    const recording = await createRecording(file, format, (error) => t.fail(error.message));
    let id = 0;
    await fc.assert(
      fc.asyncProperty(chunks, chunks, async (sent, received) => {
        const record = recording.open({ connection: { ...dialled, id: ++id }, hasEnded: () => true });
        const out = await pass(record, { sent, received });
        return out.sent.equals(Buffer.concat(sent)) && out.received.equals(Buffer.concat(received));
      }),
      { numRuns: 50 },
    );
    t.pass();
  });
}

const exchange: Exchange = {
  sent: [payload(1), payload(70_000), payload(200_001)],
  received: [payload(33), payload(131_072), payload(5)],
};

test('the lines of json give back every byte of each direction, with offsets, in order', async (t) => {
  const { file } = await recordExchange(t, 'json', exchange);
  const lines = readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string | number>);
  t.deepEqual(
    [lines[0]!['event'], lines[0]!['local'], lines[0]!['remote'], lines[0]!['role']],
    ['open', '192.0.2.1:40000', '198.51.100.2:7', 'dialled'],
  );
  for (const direction of ['sent', 'received'] as const) {
    let whole = Buffer.alloc(0);
    for (const line of lines.filter(
      (entry) => entry['event'] === 'data' && entry['direction'] === direction,
    )) {
      t.is(line['offset'], whole.length);
      whole = Buffer.concat([whole, Buffer.from(String(line['data']), 'base64')]);
    }
    sameBytes(t, whole, Buffer.concat(exchange[direction]));
  }
  t.deepEqual(
    lines.slice(-3).map(({ event, direction, reason }) => [event, direction ?? reason]),
    [
      ['end', 'sent'],
      ['end', 'received'],
      ['close', 'eof'],
    ],
  );
  const times = lines.map(({ time }) => String(time));
  t.deepEqual(times, times.toSorted());
  for (const time of times) t.regex(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test('the lines of hex give back every byte of each direction', async (t) => {
  const { file } = await recordExchange(t, 'hex', exchange);
  const found = { '>': '', '<': '' };
  for (const line of readFileSync(file, 'latin1').split('\n')) {
    const match = /^\S+ 1 ([<>]) ([0-9a-f]{8,}) ((?:[0-9a-f]{2} )+) *\|.{1,16}\|$/.exec(line);
    if (!match) continue;
    const direction = match[1] as '<' | '>';
    t.is(Number.parseInt(match[2]!, 16), found[direction].length / 2);
    found[direction] += match[3]!.replaceAll(' ', '');
  }
  sameBytes(t, Buffer.from(found['>'], 'hex'), Buffer.concat(exchange.sent));
  sameBytes(t, Buffer.from(found['<'], 'hex'), Buffer.concat(exchange.received));
});

test('raw is the bytes alone, in the order in which they went', async (t) => {
  const { file } = await recordExchange(t, 'raw', exchange);
  const inTurn = exchange.sent.flatMap((chunk, index) => [chunk, exchange.received[index]!]);
  sameBytes(t, readFileSync(file), Buffer.concat(inTurn));
});

const connections: readonly (readonly [string, RecordedConnection])[] = [
  ['IPv4, called', dialled],
  ['IPv4, accepted', { ...dialled, role: 'accepted' }],
  [
    'IPv6',
    { ...dialled, local: { host: '2001:db8::1', port: 1 }, remote: { host: '2001:db8::2', port: 65_535 } },
  ],
  ['a Unix socket', { ...dialled, local: { path: '' }, remote: { path: '/run/x.sock' } }],
];

/** Everything that Wireshark finds wrong, with the checksums checked. */
const checks = ['-o', 'tcp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];

function tshark(file: string, ...args: string[]): string {
  return execFileSync('tshark', ['-r', file, ...checks, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 26,
  }).toString();
}

/** What `follow` gives of one connection: the first direction's lines begin at the margin, the other's with a tab. */
function follow(file: string, stream: number): [Buffer, Buffer] {
  const text = tshark(file, '-q', '-z', `follow,tcp,raw,${stream}`);
  const lines = text.split('\n').filter((line) => /^\t?[0-9a-f]+$/.test(line));
  const join = (part: string[]) => Buffer.from(part.join('').replaceAll('\t', ''), 'hex');
  return [
    join(lines.filter((line) => !line.startsWith('\t'))),
    join(lines.filter((line) => line.startsWith('\t'))),
  ];
}

for (const [what, connection] of connections) {
  testWith('tshark')(
    `tshark reads the packets of ${what} without a complaint, and finds every byte`,
    async (t) => {
      const { file } = await recordExchange(t, 'pcapng', exchange, connection);
      const [caller, called] = follow(file, 0);
      const isOurs = connection.role === 'dialled';
      sameBytes(t, isOurs ? caller : called, Buffer.concat(exchange.sent));
      sameBytes(t, isOurs ? called : caller, Buffer.concat(exchange.received));
      const faults = tshark(
        file,
        '-Y',
        '_ws.malformed || tcp.analysis.flags || ip.checksum.status == 0 || tcp.checksum.status == 0',
      );
      t.is(faults, '');
      t.is(tshark(file, '-T', 'fields', '-e', 'tcp.checksum.status').replaceAll('1\n', ''), '');
      const [first = ''] = tshark(
        file,
        '-T',
        'fields',
        '-e',
        'frame.comment',
        '-e',
        'tcp.flags.syn',
        '-e',
        'tcp.flags.ack',
      ).split('\n');
      t.regex(first, /^connection 1.*\t(1\t0|True\tFalse)$/);
      if (what === 'a Unix socket') t.regex(first, /Unix socket \/run\/x\.sock/);
    },
  );
}

testWith('tshark')('tshark sees a reset where the peer broke off, and times in their order', async (t) => {
  const { file } = await recordExchange(t, 'pcapng', exchange, dialled, 'reset');
  t.is(tshark(file, '-Y', 'tcp.flags.reset == 1', '-T', 'fields', '-e', 'ip.src').trim(), '198.51.100.2');
  const times = tshark(file, '-T', 'fields', '-e', 'frame.time_epoch').trim().split('\n').map(Number);
  t.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  t.true(Math.abs(times[0]! - Date.now() / 1000) < 60);
});

test('a recording goes to a new file or an empty one, which only this user can read', async (t) => {
  const dir = tempDir(t);
  const [full, empty, fresh] = [join(dir, 'full'), join(dir, 'empty'), join(dir, 'fresh')];
  writeFileSync(full, 'precious');
  writeFileSync(empty, '');
  const ignore = () => undefined;
  const error = await t.throwsAsync(createRecording(full, 'hex', ignore));
  t.is(errorCode(error), 'TNET_E_USAGE');
  t.is(readFileSync(full, 'utf8'), 'precious');
  await createRecording(empty, 'hex', ignore);
  await createRecording(fresh, 'hex', ignore);
  t.is(statSync(fresh).mode & 0o777, 0o600);
  t.is(
    errorCode(await t.throwsAsync(createRecording(join(dir, 'no', 'file'), 'hex', ignore))),
    'TNET_E_USAGE',
  );
});

test('a reader of the recording that takes nothing stops the connection; when it is gone, the bytes go on', async (t) => {
  const fifo = join(tempDir(t), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const reader = spawn('sh', ['-c', 'exec sleep 30 < "$0"', fifo]);
  t.teardown(() => reader.kill('SIGKILL'));
  const failures: (string | undefined)[] = [];
  const recording = await createRecording(fifo, 'raw', (error) => failures.push(errorCode(error)));
  const { sent } = recording.open({ connection: dialled, hasEnded: () => true });
  let passed = 0;
  sent.on('data', (chunk: Buffer) => (passed += chunk.length));
  const chunk = payload(65_536);
  const chunkCount = 200;
  for (let index = 0; index < chunkCount; index++) sent.write(chunk);
  await new Promise((resolve) => setTimeout(resolve, 200));
  t.true(passed < 2_000_000, `${passed} bytes went on`);
  reader.kill('SIGKILL');
  await new Promise<void>((resolve) => void sent.end().once('end', resolve));
  t.is(passed, chunkCount * chunk.length);
  t.deepEqual(failures, ['EPIPE']);
  t.true(existsSync(fifo));
});

testWith('tshark')('datagrams are packets of their own, also those without bytes', async (t) => {
  const datagrams = [Buffer.from('one'), Buffer.alloc(0), payload(65_507)];
  const udp: RecordedConnection = { ...dialled, transport: 'udp' };
  const { file, out } = await recordExchange(t, 'pcapng', { sent: datagrams, received: [payload(3)] }, udp);
  sameBytes(t, out.sent, Buffer.concat(datagrams));
  const fields = ['-T', 'fields', '-e', 'udp.length', '-e', 'udp.srcport', '-e', 'udp.checksum.status'];
  const lines = tshark(file, '-o', 'udp.check_checksum:TRUE', ...fields)
    .trim()
    .split('\n');
  t.deepEqual(lines, ['11\t40000\t1', '11\t7\t1', '8\t40000\t1', '65515\t40000\t1']);
});
