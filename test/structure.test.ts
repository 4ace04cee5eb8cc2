import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import test from 'ava';
import ts from 'typescript';
import { layers } from '../scripts/layers.mjs';

const root = join(import.meta.dirname, '..');

/** Circles that are still there, as the files of each: to be broken, never to be added to. */
const knownCircles: readonly (readonly string[])[] = [];

/** Functions with more parameters than that, as `file name`: to be mended, never to be added to. */
const parametersMost = 4;

const sources = new Map(
  globSync(['src/**/*.ts', 'commands/**/*.ts'], { cwd: root })
    .sort()
    .map((file) => [
      file,
      ts.createSourceFile(file, readFileSync(join(root, file), 'utf8'), ts.ScriptTarget.Latest, true),
    ]),
);

/** The files that each file imports, in any way: by value, for types alone, later, or to export them again. */
const imports = new Map([...sources].map(([file, source]) => [file, listImports(file, source)]));

function listImports(file: string, source: ts.SourceFile): string[] {
  const found = new Set<string>();
  const add = (node: ts.Node | undefined) => {
    if (node && ts.isStringLiteral(node) && node.text.startsWith('.')) {
      found.add(normalize(join(dirname(file), node.text)));
    }
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0]);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...found];
}

/** Files that import each other, directly or not. Source: Tarjan's strongly connected components. */
function findCircles(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const numbers = new Map<string, number>();
  const lowest = new Map<string, number>();
  const stack: string[] = [];
  const circles: string[][] = [];
  const visit = (file: string): number => {
    const number = numbers.size;
    numbers.set(file, number);
    lowest.set(file, number);
    stack.push(file);
    for (const other of graph.get(file) ?? []) {
      const low = numbers.has(other)
        ? stack.includes(other)
          ? numbers.get(other)!
          : Infinity
        : visit(other);
      lowest.set(file, Math.min(lowest.get(file)!, low));
    }
    if (lowest.get(file) === number) {
      const circle = stack.splice(stack.indexOf(file));
      if (circle.length > 1 || graph.get(file)?.includes(file)) circles.push(circle.sort());
    }
    return lowest.get(file)!;
  };
  for (const file of graph.keys()) if (!numbers.has(file)) visit(file);
  return circles.sort();
}

/** Its place among the layers, from the top; what lies in src itself is below them all. */
function layerOf(file: string): number {
  const index = layers.findIndex((layer) => file.startsWith(`${layer}/`));
  return index < 0 ? layers.length : index;
}

test('a circle of imports is found, whatever its length, and what is only shared is none', (t) => {
  const graph = new Map([
    ['a', ['b', 'd']],
    ['b', ['c']],
    ['c', ['a', 'd']],
    ['d', []],
    ['e', ['e', 'd']],
  ]);
  t.deepEqual(findCircles(graph), [['a', 'b', 'c'], ['e']]);
});

test('imports of every kind are found', (t) => {
  const text = `import a from './a.ts'; import type { B } from './b.ts'; export * from './c.ts';
    const d = await import('../d.ts'); type E = typeof import('./e.ts'); import fs from 'node:fs';`;
  const source = ts.createSourceFile('src/x/y.ts', text, ts.ScriptTarget.Latest, true);
  t.deepEqual(listImports('src/x/y.ts', source), [
    'src/x/a.ts',
    'src/x/b.ts',
    'src/x/c.ts',
    'src/d.ts',
    'src/x/e.ts',
  ]);
});

test('no files import each other in a circle', (t) => {
  const isKnown = (circle: string[]) =>
    knownCircles.some((known) => circle.every((file) => known.includes(file)));
  t.deepEqual(
    findCircles(imports).filter((circle) => !isKnown(circle)),
    [],
  );
});

test('every folder of src and commands is one of the layers', (t) => {
  const isPlaced = (file: string) => layerOf(file) < layers.length || /^src\/[^/]+\.ts$/.test(file);
  t.deepEqual(
    [...sources.keys()].filter((file) => !isPlaced(file)),
    [],
  );
});

test('no file imports what is above it in the list of layers', (t) => {
  const upward = [...imports].flatMap(([file, others]) =>
    others.filter((other) => layerOf(other) < layerOf(file)).map((other) => `${file} imports ${other}`),
  );
  t.deepEqual(upward, []);
});

test(`no function has more than ${parametersMost} parameters`, (t) => {
  const long: string[] = [];
  for (const [file, source] of sources) {
    const visit = (node: ts.Node): void => {
      // `this` is a type there, and no parameter.
      const count = ts.isFunctionLike(node)
        ? node.parameters.filter((one) => one.name.getText() !== 'this').length
        : 0;
      if (count > parametersMost) long.push(`${file} ${nameOf(node)}`);
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  t.deepEqual(long, []);
});

function nameOf(node: ts.Node): string {
  const named = 'name' in node && node.name ? node : node.parent;
  return 'name' in named && named.name ? (named.name as ts.Node).getText() : 'function';
}
