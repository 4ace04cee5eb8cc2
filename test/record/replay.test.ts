import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { errorCode } from '../../src/errors.ts';
import { Player } from '../../src/record/player.ts';
import { parseRecording } from '../../src/record/read-recording.ts';
import type { RecordedConnection, RecordedEnding, RecordFormatName } from '../../src/record/record-format.ts';
import { createRecording } from '../../src/record/recording.ts';
import type { Script, ScriptStep, Side } from '../../src/record/script.ts';
import { startRelay } from '../../src/flow/relay.ts';
import { chunksOf } from '../helpers/chunks.ts';
import { tempDir } from '../helpers/temp.ts';

/** One chunk of a conversation. */
interface Word {
  readonly side: Side;
  readonly bytes: Buffer;
}

const words: fc.Arbitrary<Word[]> = fc.array(
  fc.record({
    side: fc.constantFrom<Side>('client', 'server'),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
  }),
  { maxLength: 12 },
);

const roles = ['dialled', 'accepted', 'relayed'] as const satisfies RecordedConnection['role'][];

/** Records conversations in one file, their words in turn, and gives the file's bytes. */
async function record(
  t: ExecutionContext,
  format: RecordFormatName,
  conversations: readonly {
    words: readonly Word[];
    role: RecordedConnection['role'];
    ending?: RecordedEnding;
  }[],
): Promise<Buffer> {
  const file = join(tempDir(t), 'record');
  const recording = await createRecording(file, format, (error) => t.fail(error.message));
  const running = conversations.map(({ role, words: all, ending = 'eof' }, index) => {
    const connection: RecordedConnection = {
      id: index + 1,
      local: { host: '192.0.2.1', port: 1_000 + index },
      remote: { host: '198.51.100.2', port: 80 },
      role,
      transport: 'tcp',
    };
    const opened = recording.open({ connection, hasEnded: () => ending === 'eof' });
    const [client, server] =
      role === 'accepted' ? [opened.received, opened.sent] : [opened.sent, opened.received];
    client.resume();
    server.resume();
    return { words: all, taps: { client, server }, opened, ending };
  });
  const longest = Math.max(...running.map((each) => each.words.length));
  for (let index = 0; index < longest; index++) {
    for (const each of running) {
      const word = each.words[index];
      if (word) await new Promise((resolve) => each.taps[word.side].write(word.bytes, resolve));
    }
  }
  for (const { taps, opened, ending } of running) {
    for (const tap of [taps.client, taps.server]) {
      if (ending === 'eof') await new Promise((resolve) => tap.once('end', resolve).end());
    }
    opened.closed(ending);
  }
  await recording.flush();
  return readFileSync(file);
}

/** What both sides did, in order: neighbours of one side are one, as chunks are no part of a stream. */
function summarise(steps: readonly ScriptStep[]): string[] {
  const parts: string[] = [];
  let last: Side | undefined;
  for (const step of steps) {
    const text = 'bytes' in step ? step.bytes.toString('hex') : ` ${step.end}`;
    if (step.side === last && 'bytes' in step) parts.push(`${parts.pop()!}${text}`);
    else parts.push(`${step.side} ${text}`);
    last = 'bytes' in step ? step.side : undefined;
  }
  return parts;
}

const stepsOf = (all: readonly Word[]): ScriptStep[] => all.map((word) => ({ ...word, atMicros: 0 }));

for (const format of ['json', 'hex', 'pcapng'] as const) {
  test(`what is recorded as ${format} is read back, of several connections and in any chunks`, async (t) => {
    const conversations = fc.array(fc.record({ words, role: fc.constantFrom(...roles) }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(conversations, async (all) => {
        const scripts = parseRecording(await record(t, format, all), 'record');
        const [read, wanted] = [scripts, all].map((list) =>
          list.map((each) => summarise('steps' in each ? each.steps : stepsOf(each.words))),
        );
        const ends = scripts.map(({ steps }) => steps.filter((step) => 'end' in step).length);
        const data = read!.map((parts) => parts.filter((part) => !part.endsWith('eof')));
        return JSON.stringify(data) === JSON.stringify(wanted) && ends.every((count) => count === 2);
      }),
      { numRuns: 30 },
    );
    t.pass();
  });

  test(`who broke off is read back from ${format}`, async (t) => {
    const word: Word = { side: 'client', bytes: Buffer.from('x') };
    const cases = [
      ['dialled', 'reset', 'server'],
      ['dialled', 'aborted', 'client'],
      ['accepted', 'reset', 'client'],
      ['relayed', 'reset', 'client'],
      ['relayed', 'aborted', 'server'],
    ] as const;
    const all = cases.map(([role, ending]) => ({ role, ending, words: [word] }));
    const scripts = parseRecording(await record(t, format, all), 'record');
    t.deepEqual(
      scripts.map(({ steps }) => steps.at(-1)!).map((step) => [step.side, 'end' in step && step.end]),
      cases.map(([, , side]) => [side, 'reset']),
    );
  });

  test(`a recording as ${format} that was cut off anywhere is read up to there, or refused with a reason`, async (t) => {
    const all = [
      { role: 'relayed' as const, words: [{ side: 'client' as const, bytes: Buffer.from('hello') }] },
    ];
    const whole = await record(t, format, all);
    for (let length = 0; length < whole.length; length++) {
      try {
        const [script] = parseRecording(whole.subarray(0, length), 'record');
        t.true(script!.steps.length <= 3);
      } catch (error) {
        if (errorCode(error) !== 'TNET_E_RECORDING') throw error;
      }
    }
    t.pass();
  });
}

test('any bytes are a recording or a reason why not, and never another failure', (t) => {
  const starts = ['', '{', '2026-11-23T07:20:57.123456Z 1 > ', '\n\r\r\n'];
  fc.assert(
    fc.property(fc.constantFrom(...starts), fc.uint8Array({ maxLength: 200 }), (start, rest) => {
      try {
        parseRecording(Buffer.concat([Buffer.from(start), rest]), 'record');
      } catch (error) {
        return errorCode(error) === 'TNET_E_RECORDING';
      }
      return true;
    }),
    { numRuns: 500 },
  );
  t.pass();
});

for (const [what, bytes] of [
  ['raw bytes', 'GET / HTTP/1.1\r\n'],
  ['an empty file', ''],
  [
    'datagrams',
    '{"time":"2026-11-23T07:20:57.123456Z","id":1,"event":"open","role":"dialled","transport":"udp"}\n',
  ],
  ['a connection without its beginning', '2026-11-23T07:20:57.123456Z 1 > 00000000 41 |A|\n'],
] as const) {
  test(`${what} cannot be replayed, and the error names the file`, (t) => {
    const error = t.throws(() => parseRecording(Buffer.from(bytes), 'FILE'));
    t.is(errorCode(error), 'TNET_E_RECORDING');
    t.is((error as { subject?: string }).subject, 'FILE');
  });
}

function scriptOf(steps: readonly (readonly [side: Side, what: string, atMs?: number])[]): Script {
  return {
    id: 1,
    openedMicros: 0,
    closedMicros: 0,
    steps: steps.map(([side, what, atMs = 0]): ScriptStep => {
      const atMicros = atMs * 1000;
      return what === 'eof' || what === 'reset'
        ? { side, atMicros, end: what }
        : { side, atMicros, bytes: Buffer.from(what) };
    }),
  };
}

/** Joins the two sides of scripts to each other, and gives what each says of the other. */
/** `patienceMs` is short only where the server stays silent: on a busy machine it is late. */
async function playBoth(
  client: Script,
  server: Script,
  { pace = Infinity, patienceMs = 10_000 } = {},
): Promise<(string | undefined)[]> {
  const players = [
    new Player({ script: client, side: 'client', pace, patienceMs }),
    new Player({ script: server, side: 'server', pace }),
  ] as const;
  const relay = startRelay({ client: players[0], target: players[1] });
  await relay.ended;
  for (const player of players) player.on('error', () => undefined).destroy();
  return Promise.all(players.map(({ played }) => played));
}

test('two players of one recording agree, whatever was said in which order and chunks', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      words,
      chunksOf(fc.uint8Array({ maxLength: 50 }).map((bytes) => Buffer.from(bytes))),
      async (all, tail) => {
        const steps: ScriptStep[] = [
          ...stepsOf(all),
          ...tail
            .filter(({ length }) => length > 0)
            .map((bytes) => ({ side: 'server' as const, atMicros: 0, bytes })),
          { side: 'client', atMicros: 0, end: 'eof' },
          { side: 'server', atMicros: 0, end: 'eof' },
        ];
        const script = { id: 1, openedMicros: 0, closedMicros: 0, steps };
        const differences = await playBoth(script, script);
        return differences.every((difference) => difference === undefined);
      },
    ),
    { numRuns: 60 },
  );
  t.pass();
});

const ends = [
  ['server', 'eof'],
  ['client', 'eof'],
] as const;
const asked = [['client', 'ask'], ['server', 'answer'], ...ends] as const;

for (const [what, server, difference] of [
  [
    'another byte',
    [['client', 'ask'], ['server', 'anSwer'], ...ends],
    "byte 2 is 0x53 'S', and was 0x73 's'",
  ],
  ['an early end', [['client', 'ask'], ['server', 'ans'], ...ends], 'ended after 3 of 6 bytes'],
  [
    'more bytes',
    [['client', 'ask'], ['server', 'answers'], ...ends],
    'goes on after the 6 bytes that were recorded',
  ],
  [
    'a break',
    [
      ['client', 'ask'],
      ['server', 'answer'],
      ['server', 'reset'],
    ],
    'broke off, and had ended in the recording',
  ],
  ['silence', [['client', 'ask'], ['client', 'more'], ...ends], 'fell silent after 0 of 6 bytes'],
  ['no difference', asked, undefined],
] as const) {
  test(`a client's player tells ${what}`, async (t) => {
    const [found] = await playBoth(scriptOf(asked), scriptOf(server), { patienceMs: 300 });
    t.is(found, difference);
  });
}

test('the pace is the recorded one, or so many times as fast, and nothing is sent before its time', async (t) => {
  const script = scriptOf([
    ['client', 'a', 0],
    ['client', 'b', 400],
    ['server', 'c', 800],
    ['client', 'eof', 800],
    ['server', 'eof', 800],
  ]);
  for (const [pace, atLeastMs] of [
    [1, 799],
    [4, 199],
  ] as const) {
    const startedAt = performance.now();
    t.deepEqual(await playBoth(script, script, { pace }), [undefined, undefined]);
    t.true(performance.now() - startedAt >= atLeastMs);
  }
});

test('a reset is replayed after every byte before it', async (t) => {
  const script = scriptOf([
    ['client', 'ask'],
    ['server', 'x'.repeat(100_000)],
    ['server', 'reset'],
  ]);
  const player = new Player({ script, side: 'server', pace: Infinity });
  let bytes = 0;
  player.on('data', (chunk: Buffer) => (bytes += chunk.length));
  player.write('ask');
  const error = await new Promise((resolve) => player.once('error', resolve));
  t.is(errorCode(error), 'ECONNRESET');
  t.is(bytes, 100_000);
});
