import { readFileSync } from 'node:fs';
import test from 'ava';
import { errorTable } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';

function readDoc(name: string): string {
  return readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
}

/** The cells of a Markdown table's rows, without its head. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => /^\| *`/.test(line))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test('docs/errors.md has every code with its exit status and meaning', (t) => {
  const rows = rowsOf(readDoc('docs/errors.md'));
  const wanted = Object.entries(errorTable).map(([code, { exit, meaning }]) => [
    `\`${code}\``,
    String(exit),
    meaning,
  ]);
  t.deepEqual(rows, wanted);
});

test('docs/events.md has every event of src/report/events.ts with its members', (t) => {
  const source = readDoc('src/report/events.ts');
  const body = source.slice(source.indexOf('export type Event ='), source.indexOf('export type EventName'));
  const inCode = body
    .split(/\n {2}\| /)
    .slice(1)
    .map((part) => {
      const names = [...part.matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name!);
      const event = /event: '([^']+)'/.exec(part)![1]!;
      return [event, names.filter((name) => name !== 'event').sort()] as const;
    });
  const inDoc = rowsOf(readDoc('docs/events.md')).map(([event, members]) => {
    const names = [...members!.matchAll(/`(\w+)`/g)].map(([, name]) => name!);
    return [event!.replaceAll('`', ''), names.sort()] as const;
  });
  t.deepEqual(Object.fromEntries(inDoc), Object.fromEntries(inCode));
});

test('the README lists every exit status', (t) => {
  const readme = readDoc('README.md');
  for (const status of Object.values(exitCodes))
    t.regex(readme, new RegExp(`^\\| [\\d/]*\\b${status}\\b`, 'm'), String(status));
});

test('no file that npm reads names where packages come from', (t) => {
  t.notRegex(readDoc('package-lock.json'), /"resolved"/);
});
