// npm run bench [-- OPTIONS]: tnet against the real peers, side by side, on a machine that should have nothing else to
// do. Writes bench/results/results.json, results.md and chart.svg, or bench/out/ when not everything was run.
//
//   --only WORDS    only works whose id has one of these words: relay, relay-rate, start, isip, …; commas between them
//   --quick         one round and small sizes, to try it
//   --rounds N      default 5
//   --out FOLDER
//   --update         puts the works that were run into the results that are there, each with its own command and date
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { measureGoals, summarise } from './figures.mjs';
import { describeMachine, prepare } from './machine.mjs';
import { findReason } from './peers.mjs';
import { renderChart, renderMarkdown } from './report.mjs';
import { createWorks } from './works.mjs';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    out: { type: 'string' },
    update: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 1 : 5));
const sizes = values.quick
  ? {
      bytes: { relay: 2e8, oneWay: 2e8, transforms: 1e8 },
      trips: 2_000,
      connections: 1_000,
      idle: 1_000,
      lines: 100_000,
    }
  : {
      bytes: { relay: 1e9, oneWay: 2e9, transforms: 5e8 },
      trips: 10_000,
      connections: 5_000,
      idle: 10_000,
      lines: 1_000_000,
    };
const wanted = values.only?.split(',');
const isWhole = (!wanted && !values.quick) || values.update;
const out = values.out ?? fileURLToPath(new URL(isWhole ? 'results' : 'out', import.meta.url));

const obstacle = prepare();
if (obstacle) {
  console.error(obstacle);
  process.exit(1);
}

const command = ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(
  ' ',
);
const date = new Date().toISOString().slice(0, 10);
const machine = describeMachine();

/** A slow row has as many rounds as fit into this; the first always. */
const rowSeconds = 10;

/** Round by round, and in each round every program once: a busy moment of the machine falls on all. */
async function runWork(work) {
  const names = Object.keys(work.programs);
  const reasons = names.map(findReason);
  const left = new Set(reasons.filter(Boolean));
  const samples = new Map(names.filter((_, i) => !reasons[i]).map((name) => [name, []]));
  const spent = new Map();
  const count = Math.min(rounds * (work.roundsFactor ?? 1), work.roundsMost ?? Infinity);
  for (let round = work.warm ? -1 : 0; round < count; round++) {
    for (const [name, list] of samples) {
      if ((spent.get(name) ?? 0) > rowSeconds) continue;
      const begunAt = performance.now();
      try {
        const sample = await work.run(work.programs[name], name);
        if (round >= 0) list.push(sample);
      } catch (error) {
        left.add(`${name}: ${error.message}`);
        samples.delete(name);
      }
      spent.set(name, (spent.get(name) ?? 0) + (performance.now() - begunAt) / 1000);
    }
  }
  work.after?.();
  const rows = summarise(samples, work.metrics);
  const { id, title, note, metrics } = work;
  return { id, title, note, date, command, metrics, rounds: count, rows, left: [...left] };
}

const all = await createWorks(sizes);
const file = join(out, 'results.json');
const earlier = values.update && existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).works : [];

/** Writes what has been measured. Returns how far the goals are met. */
function writeResults(run) {
  const works = all.flatMap(({ id }) => [...run, ...earlier].find((work) => work.id === id) ?? []);
  const results = { machine, works, goals: measureGoals(works) };
  mkdirSync(out, { recursive: true });
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
  writeFileSync(join(out, 'results.md'), renderMarkdown(results));
  const chart = renderChart(results);
  if (chart) writeFileSync(join(out, 'chart.svg'), chart);
  return results.goals;
}

const startedAt = performance.now();
const works = [];
let goals = [];
for (const work of all) {
  if (wanted && !wanted.some((word) => work.id.includes(word))) continue;
  const result = await runWork(work);
  works.push(result);
  console.log(`\n${result.title}`);
  for (const [name, figures] of Object.entries(result.rows)) {
    const cells = result.metrics.map(({ key, label, digits }) =>
      figures[key] ? `${figures[key].median.toFixed(digits)} ${label}` : '',
    );
    console.log(`  ${name.padEnd(26)}${cells.join('   ')}`);
  }
  for (const reason of result.left) console.log(`  left out: ${reason}`);
  // After each work, so that a run that is broken off has not been for nothing.
  goals = writeResults(works);
}

console.log('');
for (const { title, limit, better, unit, ratio, isMet } of goals) {
  const sign = better === 'more' ? '≥' : '≤';
  console.log(`${isMet ? 'met ' : 'NOT '} ${title}: ${ratio.toFixed(2)}${unit} (${sign} ${limit})`);
}
console.log(`\n${Math.round((performance.now() - startedAt) / 1000)} s, written to ${out}`);
process.exit(works.every(({ rows }) => Object.keys(rows).length > 0) ? 0 : 1);
