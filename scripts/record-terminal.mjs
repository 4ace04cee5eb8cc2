// Types commands in a real terminal (tmux) and draws what it shows: docs/terminal.svg. Run it after a build, when what
// the commands print has changed: node scripts/record-terminal.mjs
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { drawTerminal } from './terminal-svg.mjs';

const columns = 96;
/** The rows of the terminals, one above the other. */
const panes = [
  { name: 'echo', rows: 3 },
  { name: 'proxy', rows: 9 },
  { name: 'client', rows: 17 },
];
const root = fileURLToPath(new URL('..', import.meta.url));

/** What is typed where, and what must be on that screen before the next is. */
const story = [
  { pane: 0, type: 'tnet echo 8124', until: /listening on/ },
  { pane: 2, type: 'echo "every byte comes back" | tnet connect localhost 8124', until: /^every byte/m },
  { pane: 2, type: 'tnet connect -zv localhost 8123-8124', until: /8124 .*open/ },
  { pane: 1, type: 'tnet proxy --tap=text --latency 200ms 9000 localhost:8124', until: /listening on/ },
  { pane: 2, type: 'echo slowly, but whole | tnet connect --timing localhost 9000', until: /^total .*█$/m },
  { pane: 2, type: 'tnet isip --explain 010.0.0.1', until: /leading zero/ },
  { pane: 0, type: 'C-c', until: /in \d.* s/ },
];

/** How long a key, a command's output and the end are looked at, in milliseconds of the drawing. */
const pace = { keyMs: 45, beforeEnterMs: 400, readMs: 1_500, endMs: 4_000 };
/** A pause of the real run that is longer is shortened to this. */
const longestMs = 700;

const dir = mkdtempSync(join(tmpdir(), 'tnet-record-'));
const tmux = (pane, ...args) =>
  execFileSync('tmux', ['-S', join(dir, panes[pane].name), ...args], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });

const frames = [];
let clock = 0;

/** Takes what the screens show now; the same as before is no new picture. */
function take() {
  const lines = panes.flatMap(({ rows }, pane) => {
    const shown = tmux(pane, 'capture-pane', '-p', '-e').split('\n').slice(0, rows);
    return pane === 0 ? shown : [rule, ...shown];
  });
  if (JSON.stringify(lines) === JSON.stringify(frames.at(-1)?.lines)) return false;
  frames.push({ at: Math.round(clock), lines });
  return true;
}

const rule = `\x1b[90m${'─'.repeat(columns)}\x1b[0m`;

async function type(pane, text) {
  for (const key of text) {
    tmux(pane, 'send-keys', '-l', key);
    await delay(20);
    take();
    clock += pace.keyMs;
  }
  clock += pace.beforeEnterMs;
}

/** Watches until the pattern stands below what was typed. */
async function watch(pane, typed, pattern) {
  const deadline = Date.now() + 30_000;
  let last = Date.now();
  for (;;) {
    await delay(20);
    const now = Date.now();
    clock += Math.min(now - last, longestMs);
    if (take()) last = now;
    else clock -= Math.min(now - last, longestMs);
    const text = tmux(pane, 'capture-pane', '-p');
    if (pattern.test(text.slice(Math.max(0, text.lastIndexOf(`$ ${typed}`))))) return;
    if (now > deadline) throw new Error(`no ${String(pattern)} in:\n${text}`);
  }
}

try {
  writeFileSync(join(dir, 'tnet'), `#!/bin/sh\nexec '${process.execPath}' '${root}bin/tnet.js' "$@"\n`, {
    mode: 0o755,
  });
  const shell = `env -i PATH='${dir}:/usr/bin:/bin' HOME='${dir}' TERM=xterm-256color LC_ALL=C.UTF-8 PS1='$ ' bash --norc --noprofile`;
  for (const [pane, { rows }] of panes.entries())
    tmux(pane, '-f', '/dev/null', 'new-session', '-d', '-x', String(columns), '-y', String(rows), shell);
  await delay(1_000);
  for (const { pane, type: text, until } of story) {
    if (text === 'C-c') tmux(pane, 'send-keys', text);
    else {
      await type(pane, text);
      tmux(pane, 'send-keys', 'Enter');
    }
    await watch(pane, text, until);
    clock += pace.readMs;
  }
  const rowCount = panes.reduce((sum, { rows }) => sum + rows, panes.length - 1);
  const title = `A terminal: ${story.map(({ type: text }) => text).join('; ')}`;
  const lengthMs = clock + pace.endMs;
  writeFileSync(
    join(root, 'docs/terminal.svg'),
    drawTerminal(frames, { columns, rows: rowCount, lengthMs, title }),
  );
  console.log(`docs/terminal.svg: ${frames.length} pictures, ${(lengthMs / 1000).toFixed(1)} s`);
} finally {
  for (const pane of panes.keys()) tmux(pane, 'kill-server');
  // tmux removes its own sockets a moment later.
  rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
