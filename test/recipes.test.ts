import { spawn } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { tnetPath } from './helpers/cli.ts';
import { testWith } from './helpers/programs.ts';
import {
  mapPorts,
  outputPattern,
  readRecipes,
  readSetups,
  type Recipe,
  type Setup,
} from './helpers/recipes.ts';
import { tempDir } from './helpers/temp.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
const recipes = readRecipes(read('../docs/recipes.md'));
const steps = readRecipes(read('../docs/tour.md'));
const setups = readSetups(read('recipe-setups.md'));
const nothing: Setup = { needs: [], before: '' };

/** What has not come by then never will; the test then fails with what is there. */
const patienceMs = 40_000;

test('docs/recipes.md has at least 30 recipes, each with its intent, what to type and what one sees', (t) => {
  t.true(recipes.length >= 30, String(recipes.length));
  for (const { title, intent, blocks } of recipes) {
    t.not(intent, '', title);
    t.true(
      blocks.some(({ kind }) => kind === 'run'),
      title,
    );
    t.true(
      blocks.some(({ kind }) => kind === 'output'),
      title,
    );
  }
});

test('every set-up is that of a recipe', (t) => {
  const titles = new Set(recipes.map(({ title }) => title));
  t.deepEqual(
    [...setups.keys()].filter((title) => !titles.has(title)),
    [],
  );
});

test('the tour goes through all five commands, and needs nothing but what it types itself', (t) => {
  const typed = steps
    .flatMap(({ blocks }) => blocks)
    .filter(({ kind }) => kind === 'run')
    .map(({ text }) => text)
    .join('');
  for (const command of ['listen', 'connect', 'echo', 'proxy', 'isip'])
    t.true(typed.includes(`tnet ${command} `), command);
});

for (const recipe of recipes) {
  const setup = setups.get(recipe.title) ?? nothing;
  testWith('bash', ...setup.needs)(`recipe: ${recipe.title}`, async (t) => {
    t.timeout(120_000);
    await cook(t, recipe, setup);
    t.pass();
  });
}

for (const step of steps) {
  testWith('bash')(`tour: ${step.title}`, async (t) => {
    t.timeout(120_000);
    await cook(t, step, nothing);
    t.pass();
  });
}

/** A shell in the recipe's folder, with what it has shown so far. */
interface Terminal {
  readonly text: () => string;
  /** Settles when the shell is gone. */
  readonly exit: Promise<number | null>;
  readonly shows: (pattern: RegExp) => Promise<void>;
}

async function cook(t: ExecutionContext, { blocks }: Recipe, { before }: Setup): Promise<void> {
  const dir = tempDir(t);
  const ports = await choosePorts([before, ...blocks.map(({ text }) => text)].join('\n'));
  const fill = (text: string) => mapPorts(text, (written) => ports.get(written)!);
  makeBin(dir);
  const terminals = new Map<string, Terminal>();
  let shown = '';
  if (before !== '') await runToEnd(openTerminal(t, dir, fill(before)), before);
  for (const [index, { kind, terminal: name, text }] of blocks.entries()) {
    if (kind === 'run' && name === undefined) {
      shown = await runToEnd(openTerminal(t, dir, fill(text)), text);
    } else if (kind === 'run') {
      const terminal = openTerminal(t, dir, fill(text));
      terminals.set(name!, terminal);
      const isShown = blocks[index + 1]?.kind === 'output' && blocks[index + 1]?.terminal === name;
      if (!isShown) await terminal.shows(/listening on/);
    } else if (name === undefined) {
      t.regex(tidy(shown), outputPattern(fill(text)));
    } else {
      await terminals.get(name)!.shows(outputPattern(fill(text)));
    }
  }
}

async function runToEnd(terminal: Terminal, text: string): Promise<string> {
  const status = await withinPatience(terminal);
  if (status !== 0) throw new Error(`status ${status} of:\n${text}\n${terminal.text()}`);
  return terminal.text();
}

async function withinPatience(terminal: Terminal): Promise<number | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => (timer = setTimeout(() => resolve(null), patienceMs)));
  const status = await Promise.race([terminal.exit, late]);
  clearTimeout(timer);
  return status;
}

function tidy(text: string): string {
  return text.replaceAll('\r', '').replace(/ +$/gm, '');
}

function openTerminal(t: ExecutionContext, dir: string, text: string): Terminal {
  // One pipe for both streams, so that what is shown has the order in which it was written, as on a terminal.
  const child = spawn('bash', ['-c', `exec 2>&1\n${text}`], {
    cwd: dir,
    // A group of its own, so that all of it can be ended.
    detached: true,
    // Standard input stays open and silent, as at a terminal where nobody types.
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      PATH: `${join(dir, '.bin')}:${process.env.PATH ?? ''}:/usr/sbin:/sbin`,
      HOME: dir,
      LC_ALL: 'C.UTF-8',
      TZ: 'UTC',
      NO_COLOR: '1',
      CHECKOUT: root,
    },
  });
  let shown = '';
  const watchers = new Set<() => void>();
  const onText = (chunk: string) => {
    shown += chunk;
    for (const watcher of watchers) watcher();
  };
  child.stdout.setEncoding('utf8').on('data', onText);
  const endGroup = (signal: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, signal);
    } catch {
      // It is gone already.
    }
  };
  t.teardown(() => endGroup('SIGKILL'));
  const exit = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  exit.catch(() => undefined);
  const shows = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`no ${String(pattern)} in:\n${tidy(shown)}`));
      }, patienceMs);
      const look = () => {
        if (!pattern.test(tidy(shown))) return;
        clearTimeout(timer);
        watchers.delete(look);
        resolve();
      };
      watchers.add(look);
      look();
    });
  return { text: () => shown, exit, shows };
}

/** A folder with `tnet` in it, run by the Node that runs the tests. */
function makeBin(dir: string): void {
  const bin = join(dir, '.bin');
  const file = join(bin, 'tnet');
  mkdirSync(bin, { recursive: true });
  writeFileSync(file, `#!/bin/sh\nexec '${process.execPath}' '${tnetPath}' "$@"\n`);
  chmodSync(file, 0o755);
}

/**
 * A free port for every number that stands for one. Numbers that follow each other in the text stay neighbours, as a
 * range needs; all are below the ports that systems give to clients.
 */
async function choosePorts(text: string): Promise<Map<string, number>> {
  const written = new Set<string>();
  mapPorts(text, (port) => {
    written.add(port);
    return 0;
  });
  const order = [...written].sort((one, other) => Number(one) - Number(other));
  for (;;) {
    const base = 20_000 + Math.floor(Math.random() * 10_000);
    const span = order.map((port, index) => [port, base + index] as const);
    if ((await Promise.all(span.map(([, port]) => isFree(port)))).every(Boolean)) return new Map(span);
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = net.createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
