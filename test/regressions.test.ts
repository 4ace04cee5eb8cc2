import { readFileSync } from 'node:fs';
import test from 'ava';
import ts from 'typescript';

function read(name: string): string {
  return readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
}

/** A row of docs/regressions.md: what was seen, and the test that shows the right result. */
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

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** The texts that a test file writes down, as patterns: what it puts into a title may be anything. */
function textsOf(file: string): RegExp[] {
  const texts: RegExp[] = [];
  const note = (parts: readonly string[]) => {
    const isTelling = parts.join('').length > 12;
    if (isTelling) texts.push(new RegExp(`^${parts.map(escapePattern).join('.*')}$`, 's'));
  };
  const visit = (node: ts.Node) => {
    if (ts.isStringLiteral(node) || ts.isNoSubstitutionTemplateLiteral(node)) note([node.text]);
    else if (ts.isTemplateExpression(node))
      note([node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)]);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest));
  return texts;
}

test('every row of docs/regressions.md names a test that is there', (t) => {
  const rows = readRows();
  t.true(rows.length > 0);
  const texts = new Map([...new Set(rows.map(({ file }) => file))].map((file) => [file, textsOf(file)]));
  const missing = rows.filter(({ title, file }) => !texts.get(file)?.some((text) => text.test(title)));
  t.deepEqual(missing, []);
});

test('docs/regressions.md names each symptom once', (t) => {
  const symptoms = readRows().map(({ symptom }) => symptom);
  t.deepEqual(
    symptoms.filter((symptom, index) => symptoms.indexOf(symptom) !== index),
    [],
  );
});
