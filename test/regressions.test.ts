import { readFileSync } from 'node:fs';
import test from 'ava';

function read(name: string): string {
  return readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
}

/** A row of docs/regressions.md: what was seen, what was behind it, and the test that now shows the right result. */
interface Row {
  readonly symptom: string;
  readonly title: string;
  readonly file: string;
}

function readRows(): Row[] {
  return read('docs/regressions.md')
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (symptom|-+) /.test(line))
    .map((line) => {
      const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\|', '|'));
      const [, symptom = '', , title = '', file = ''] = cells;
      return { symptom, title: unquote(title), file: unquote(file) };
    });
}

/** Without the back-quotes of code. */
function unquote(cell: string): string {
  return /^(`+) ?(.*?) ?\1$/.exec(cell)?.[2] ?? cell;
}

/** Titles stand in single or back quotes, in the source and in the table. */
function plain(text: string): string {
  return text.replaceAll('\\', '').replace(/\s+/g, ' ');
}

test('every row of docs/regressions.md names a test that is there', (t) => {
  const rows = readRows();
  t.true(rows.length > 0);
  const missing = rows.filter(({ title, file }) => title === '' || !plain(read(file)).includes(plain(title)));
  t.deepEqual(missing, []);
});

test('docs/regressions.md names each symptom once', (t) => {
  const symptoms = readRows().map(({ symptom }) => symptom);
  t.deepEqual(
    symptoms.filter((symptom, index) => symptoms.indexOf(symptom) !== index),
    [],
  );
});
