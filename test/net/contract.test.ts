import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';

const folder = new URL('./', import.meta.url);
const sources = readdirSync(folder)
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => readFileSync(new URL(name, folder), 'utf8'));
const scenes = readFileSync(new URL('same-as-node.test.ts', folder), 'utf8');

/** Every title in the sources; a template's holes match anything, so one without a word of its own is no proof. */
const titles = sources
  .flatMap((source) => [...source.matchAll(/\btest(?:\.\w+)?\(\s*(['`])(.*?)\1,/gs)])
  .map(([, , title = '']) => title)
  .filter((title) => /\w/.test(title.replace(/\$\{[^}]*\}/g, '')))
  .map((title) => {
    const parts = title.split(/\$\{[^}]*\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.+')}$`);
  });

const rows = readFileSync(new URL('../../docs/net-contract.md', folder), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| ---') && !line.startsWith('| Promise'))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim()));

const sameAsNode = 'the same as node:net: ';

function exists(title: string): boolean {
  if (title.startsWith(sameAsNode)) {
    const name = title.slice(sameAsNode.length);
    return scenes.includes(`'${name}'(net`) || scenes.includes(` ${name}(net`);
  }
  return titles.some((pattern) => pattern.test(title));
}

test('the contract has a row for every promise', (t) => {
  t.true(rows.length >= 60, String(rows.length));
  for (const row of rows) t.is(row.length, 4, row.join(' | '));
});

test('every row of the contract names a test that exists', (t) => {
  for (const [promise, , , cell = ''] of rows) {
    t.regex(cell, /^`.+`$/, promise);
    t.true(exists(cell.slice(1, -1)), `${promise ?? ''}: ${cell}`);
  }
  t.false(exists('no such test'));
  t.false(exists(`${sameAsNode}no such scene`));
});
