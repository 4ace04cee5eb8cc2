import test from 'ava';
import { Reporter, type ReporterOptions } from '../../src/report/reporter.ts';

function report(options: Partial<ReporterOptions> = {}): { reporter: Reporter; lines: string[] } {
  const lines: string[] = [];
  const write = (line: string) => lines.push(line.trimEnd());
  return { reporter: new Reporter({ name: 'x', verbosity: 0, json: false, write, ...options }), lines };
}

const failure = (code: string) => Object.assign(new Error('it broke'), { code });

test('a failure that repeats is one line at once, and one line with the count of the rest at the end', (t) => {
  const { reporter, lines } = report();
  for (let n = 0; n < 2000; n++) reporter.fail('h:80', failure('E_ONE'));
  t.deepEqual(lines, ['x: h:80: it broke (E_ONE)']);
  reporter.flush();
  t.deepEqual(lines.slice(1), ['x: h:80: it broke (E_ONE) (and 1999 more within 1 s)']);
});

test('another subject or another code is another failure', (t) => {
  const { reporter, lines } = report();
  reporter.fail('h:80', failure('E_ONE'));
  reporter.fail('h:80', failure('E_TWO'));
  reporter.fail('h:81', failure('E_ONE'));
  t.is(lines.length, 3);
});

test('a failure that came twice is told twice, without a count', (t) => {
  const { reporter, lines } = report();
  reporter.fail('h:80', failure('E_ONE'));
  reporter.fail('h:80', failure('E_ONE'));
  reporter.flush();
  t.deepEqual(lines, ['x: h:80: it broke (E_ONE)', 'x: h:80: it broke (E_ONE)']);
});

test('the count is told when its time is over, and again while they go on coming', async (t) => {
  let tell: () => void = () => undefined;
  const { reporter, lines } = report({ repeatMs: 20 });
  reporter.write = (line) => {
    lines.push(line.trimEnd());
    tell();
  };
  const nextLine = () => new Promise<void>((resolve) => (tell = resolve));
  // The reporter's own clock keeps no process.
  const keep = setInterval(() => undefined, 1_000);
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 5; n++) reporter.fail('h:80', failure('E_ONE'));
    await nextLine();
  }
  clearInterval(keep);
  t.deepEqual(lines, [
    'x: h:80: it broke (E_ONE)',
    'x: h:80: it broke (E_ONE) (and 4 more within 0.02 s)',
    'x: h:80: it broke (E_ONE) (and 5 more within 0.02 s)',
  ]);
});

test('the totals stand behind all that led to them', (t) => {
  const { reporter, lines } = report();
  for (let n = 0; n < 3; n++) reporter.fail('h:80', failure('E_ONE'));
  reporter.emit({
    event: 'totals',
    ...{ connections: 3, open: 0, failed: 0, probes: 0, refused: {} },
    ...{ sentBytes: 0, receivedBytes: 0, durationMs: 1 },
  });
  t.regex(lines[1]!, /and 2 more within 1 s/);
  t.regex(lines[2]!, /3 connections/);
});

test('programs get every event', (t) => {
  const { reporter, lines } = report({ json: true });
  for (let n = 0; n < 100; n++) reporter.fail('h:80', failure('E_ONE'), n);
  t.is(lines.length, 100);
  t.is((JSON.parse(lines[99]!) as { id: number }).id, 99);
});

test('a listener hears every event, also those that are not printed, until it is taken away', (t) => {
  const { reporter, lines } = report();
  const heard: string[] = [];
  t.false(reporter.hears('attempt'));
  const stop = reporter.listen(({ event }) => heard.push(event));
  t.true(reporter.hears('attempt'));
  reporter.emit({ event: 'attempt', address: 'h:80' });
  reporter.fail('h:80', failure('E_ONE'));
  t.deepEqual(heard, ['attempt', 'error']);
  stop();
  reporter.fail('h:81', failure('E_ONE'));
  t.deepEqual(heard, ['attempt', 'error']);
  t.deepEqual(lines, ['x: h:80: it broke (E_ONE)', 'x: h:81: it broke (E_ONE)']);
});
