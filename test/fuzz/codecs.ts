/**
 * Random and mutated inputs against every codec: `node test/fuzz/codecs.ts [count] [codec] [seed]`. Each input is
 * given whole and cut at random; a finding is an error that is not the codec's own, a difference between the two, a
 * buffer over its limit, or an input that takes more than a second of processor time. Exit status 1 when there is any.
 */
import { isDeepStrictEqual } from 'node:util';
import {
  applyEdits,
  cutAt,
  editKinds,
  type CodecTarget,
  type Edit,
} from '../helpers/protocol/codec-target.ts';
import { codecTargets } from './codecs/index.ts';

const SLOW_MS = 1000;
const SHOWN_FINDINGS = 5;
const SHOWN_HEX_LIMIT = 2000;

/** Processor time, not the clock: a busy machine must not look like a slow codec. */
function readCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** mulberry32: 32 bits of state, so that a run can be repeated from the seed it prints. */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

type Random = ReturnType<typeof createRandom>;

function makeInput(target: CodecTarget, random: Random): Buffer {
  if (random(5) === 0) {
    const bytes = Buffer.allocUnsafe(random(64));
    for (let index = 0; index < bytes.length; index += 1) bytes[index] = random(256);
    return bytes;
  }
  const edits = Array.from({ length: random(6) }, (): Edit => {
    return { kind: editKinds[random(editKinds.length)]!, at: random(0x10000), value: random(0x10000) };
  });
  const mutated = applyEdits(target.seeds[random(target.seeds.length)]!, edits);
  const isSpliced = random(8) === 0;
  return isSpliced ? Buffer.concat([mutated, target.seeds[random(target.seeds.length)]!]) : mutated;
}

/** What is wrong with the codec's answer to `input`, or undefined. */
function tryInput(target: CodecTarget, input: Buffer, cuts: readonly number[]): string | undefined {
  const startedMs = readCpuMs();
  try {
    if (!isDeepStrictEqual(target.run(cutAt(input, cuts)), target.run([input]))) return 'differs by chunking';
  } catch (error) {
    return String(error instanceof Error ? error.stack : error);
  }
  return readCpuMs() - startedMs > SLOW_MS ? 'takes over a second' : undefined;
}

function fuzz(target: CodecTarget, count: number, seed: number): number {
  const random = createRandom(seed);
  const startedMs = performance.now();
  let findings = 0;
  let slowestMs = 0;
  for (let run = 0; run < count; run += 1) {
    const input = makeInput(target, random);
    const cuts = Array.from({ length: random(7) }, () => random(0x10000));
    const inputStartedMs = readCpuMs();
    const finding = tryInput(target, input, cuts);
    slowestMs = Math.max(slowestMs, readCpuMs() - inputStartedMs);
    if (finding === undefined) continue;
    findings += 1;
    if (findings <= SHOWN_FINDINGS) {
      console.log(
        `${target.name}: ${finding}\n  cuts ${cuts.join(',')}\n  input ${input.toString('hex').slice(0, SHOWN_HEX_LIMIT)}`,
      );
    }
  }
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  console.log(
    `${target.name}: ${count} inputs, seed ${seed}, ${seconds} s, slowest ${slowestMs.toFixed(1)} ms of processor time, findings ${findings}`,
  );
  return findings;
}

const [count = '1000000', codec, seed = String(Date.now() % 2 ** 31)] = process.argv.slice(2);
const chosen = codecTargets.filter(({ name }) => codec === undefined || name.startsWith(codec));
if (chosen.length === 0) console.error(`no codec is called ${codec ?? ''}`);
const findings = chosen.map((target) => fuzz(target, Number(count), Number(seed)));
process.exitCode = chosen.length === 0 || findings.some((found) => found > 0) ? 1 : 0;
