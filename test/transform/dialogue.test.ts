import { once } from 'node:events';
import test from 'ava';
import fc from 'fast-check';
import { compilePattern } from '../../src/transform/byte-pattern.ts';
import { Dialogue, type Miss, type Step } from '../../src/transform/dialogue.ts';
import { chunksOf } from '../helpers/chunks.ts';

function expectStep(text: string): Step {
  return { kind: 'expect', text, pattern: compilePattern(text) };
}
function sendStep(text: string): Step {
  return { kind: 'send', bytes: Buffer.from(text) };
}

function start(steps: readonly Step[], stepMs = 5_000) {
  let sent = '';
  let passed = '';
  const misses: Miss[] = [];
  const dialogue = new Dialogue(steps, { stepMs, onMiss: (miss) => misses.push(miss) });
  dialogue.gate.on('data', (chunk: Buffer) => (sent += chunk.toString('latin1')));
  dialogue.tap.on('data', (chunk: Buffer) => (passed += chunk.toString('latin1')));
  dialogue.start();
  return { dialogue, misses, sent: () => sent, passed: () => passed };
}

test('steps are gone through in order, then the input follows', async (t) => {
  const run = start([expectStep('^220 '), sendStep('HELO\r\n'), expectStep('250'), sendStep('QUIT\r\n')]);
  run.dialogue.gate.end('input');
  run.dialogue.tap.write('220 host');
  run.dialogue.tap.write(' ready\r\n250 ok\r\n');
  run.dialogue.tap.end();
  await Promise.all([once(run.dialogue.gate, 'end'), once(run.dialogue.tap, 'end')]);
  t.is(run.sent(), 'HELO\r\nQUIT\r\ninput');
  t.is(run.passed(), '220 host ready\r\n250 ok\r\n');
  t.deepEqual(run.misses, []);
});

test('what one step has matched is not matched again', async (t) => {
  const run = start([expectStep('ok'), expectStep('ok')]);
  run.dialogue.tap.end('ok');
  await once(run.dialogue.tap, 'end');
  t.deepEqual(
    run.misses.map(({ step, received }) => [step, received.toString()]),
    [[2, '']],
  );
});

test('a step that nothing matches in time is a miss, with what came instead', async (t) => {
  const { promise, resolve } = Promise.withResolvers<Miss>();
  const dialogue = new Dialogue([expectStep('yes'), sendStep('x')], { stepMs: 50, onMiss: resolve });
  dialogue.start();
  dialogue.tap.resume().write('no');
  const { step, text, reason, received } = await promise;
  t.deepEqual([step, text, reason, received.toString()], [1, 'yes', 'timeout', 'no']);
});

test('the end of the peer before a match is a miss', async (t) => {
  const run = start([sendStep('x'), expectStep('yes')]);
  run.dialogue.tap.end('no');
  await once(run.dialogue.tap, 'end');
  t.is(run.misses[0]?.reason, 'ended');
  t.is(run.misses[0]?.step, 2);
});

test('a match is found wherever the chunks are cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      chunksOf(fc.constant(Buffer.from('\xff\0 220 ready\r\n250 fine\r\n', 'latin1'))),
      async (chunks) => {
        const run = start([expectStep('220 .*\\r\\n'), sendStep('a'), expectStep('fine'), sendStep('b')]);
        run.dialogue.gate.end();
        const ended = once(run.dialogue.gate, 'end');
        for (const chunk of chunks) run.dialogue.tap.write(chunk);
        run.dialogue.tap.end();
        await ended;
        t.is(run.sent(), 'ab');
        t.deepEqual(run.misses, []);
      },
    ),
  );
});

test('what is kept for a match is bounded', async (t) => {
  const run = start([expectStep('never')]);
  for (let sent = 0; sent < 40; sent++) run.dialogue.tap.write(Buffer.alloc(64 * 1024, 'x'));
  run.dialogue.tap.end();
  await once(run.dialogue.tap, 'end');
  t.is(run.misses[0]?.received.length, 64 * 1024);
});

for (const [title, patterns, chunks, step] of [
  ['$ is no line end because nothing more has come yet', ['OK\\r?$'], ['OK', 'AY\r\n'], 1],
  ['$ is the end of a line that has come', ['OK\\r?$'], ['OK', '\r', '\n'], undefined],
  ['$ is the end of a line before a LF alone', ['OK$'], ['OK', '\n'], undefined],
  ['$ takes the CR before the LF', ['bye$', '^next'], ['bye\r', '\nnext'], undefined],
  ['$ is the end of what the peer has sent', ['OK$'], ['OK'], undefined],
  ['$ of two steps is the end of what the peer has sent', ['O$', '$'], ['O'], undefined],
  ['\\b is no word edge because nothing more has come yet', ['OK\\b'], ['OK', 'AY'], 1],
  ['\\b is the edge of a word before a blank', ['OK\\b'], ['OK', ' '], undefined],
  ['^ is no line start in the middle of what the last step left', ['a', '^b'], ['ab\n'], 2],
  ['^ is a line start after a LF that the last step has used up', ['a\\n', '^b'], ['a\n', 'b'], undefined],
] as const) {
  test(title, async (t) => {
    const run = start(patterns.map(expectStep));
    for (const chunk of chunks) run.dialogue.tap.write(Buffer.from(chunk));
    run.dialogue.tap.end();
    await once(run.dialogue.tap, 'end');
    t.is(run.misses[0]?.step, step);
  });
}
