import test, { type ExecutionContext } from 'ava';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { clientScenes } from '../helpers/coming-from/client-scenes.ts';
import type { Outcome } from '../helpers/coming-from/command.ts';
import { datagramScenes } from '../helpers/coming-from/datagram-scenes.ts';
import { listenerScenes } from '../helpers/coming-from/listener-scenes.ts';
import { relayScenes } from '../helpers/coming-from/relay-scenes.ts';
import type { Scene } from '../helpers/coming-from/scene.ts';
import { parts, readRows, readShortTable, type Row } from '../helpers/coming-from/table.ts';
import { findProgram } from '../helpers/programs.ts';

const scenes: Readonly<Record<string, Scene>> = {
  ...clientScenes,
  ...listenerScenes,
  ...datagramScenes,
  ...relayScenes,
};

const rows = readRows();

/** So many rows run at once: all together would wait for each other. */
const lanes = 6;
let running = 0;
const waiting: (() => void)[] = [];

async function inLane<T>(run: () => Promise<T>): Promise<T> {
  if (running >= lanes) await new Promise<void>((resolve) => waiting.push(resolve));
  running += 1;
  try {
    return await run();
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

/** Two commands that have both failed are the same too: what the scene is about has to be there. */
function checkProof(
  t: ExecutionContext,
  { proof }: Scene,
  { stdout, wire, file, exit, stderr }: Outcome,
): void {
  if (typeof proof === 'number') {
    t.is(exit, proof, stderr.toString());
    return;
  }
  const bytes = Buffer.concat([stdout, wire, file]);
  const found = proof.some((text) => bytes.includes(text));
  t.true(
    found,
    `${bytes.toString('latin1').slice(0, 400)}
${stderr.toString()}`,
  );
}

function compare(t: ExecutionContext, { same, apart }: Row, theirs: Outcome, ours: Outcome): void {
  const show = (outcome: Outcome) =>
    JSON.stringify(outcome, (_, value: unknown) =>
      (value as { type?: string } | null)?.type === 'Buffer'
        ? Buffer.from((value as { data: number[] }).data)
            .toString('latin1')
            .slice(0, 400)
        : value,
    );
  for (const part of parts) {
    const [one, other] = [Buffer.from(String(theirs[part])), Buffer.from(String(ours[part]))];
    if (same.includes(part)) {
      if (one.equals(other)) t.pass();
      else t.fail(`${part} is not the same:\n${show(theirs)}\n${show(ours)}`);
    } else if (part !== 'file') {
      t.false(one.equals(other), `${part} is the same, which the row does not say: ${show(ours)}`);
    }
  }
  if (same.length < 3 || parts.slice(0, 3).some((part) => !same.includes(part)))
    t.not(apart, '', 'a difference needs its reason');
}

for (const row of rows) {
  const scene = scenes[row.scene];
  const programs = [row.peer === 'nc' ? 'nc.openbsd' : row.peer, ...(scene?.needs ?? [])];
  const missing = programs.filter((name) => findProgram(name) === undefined);
  if (scene?.needsAddon && !loadNativeAddon()) missing.push('the addon');
  if (missing.length > 0) console.log(`skipped: ${missing.join(', ')} is not there`);
  (missing.length > 0 ? test.skip : test)(`${row.theirs} is ${row.ours} (${row.scene})`, async (t) => {
    if (!scene) throw new Error(`no scene is called ${row.scene}`);
    await inLane(async () => {
      const theirs = await scene.run(t, row.theirs);
      const ours = await scene.run(t, row.ours);
      checkProof(t, scene, ours);
      compare(t, row, theirs, ours);
    });
  });
}

test('the short table of the README is taken from the long one, which has at least forty rows', (t) => {
  const pairs = rows.map(({ theirs, ours }) => `${theirs} is ${ours}`);
  const short = readShortTable().map(({ theirs, ours }) => `${theirs} is ${ours}`);
  t.true(pairs.length >= 40);
  t.true(short.length >= 8);
  t.deepEqual(
    short.filter((pair) => !pairs.includes(pair)),
    [],
  );
});
