// The native engine under a sanitizer: npm run soak -- [OPTIONS]
//
//   --minutes N          how long it runs; default 10
//   --sanitizer NAME     address (with undefined behaviour, the default), thread, or none
//   --delays             builds delays into the engine: at random up to 60 ms before it obeys commands and up to 30 ms
//                        before JavaScript takes what it is told
//   --pin                on one processor (taskset)
//   --seed N             replays the choices of an earlier run
//   --tests              the flow and engine tests under the sanitizer first
//   --chaos              the chaos run through every kind of proxy under it too (some minutes; wants `npm run build`)
//
// What is to be run before a release, on a machine with nothing else to do:
//
//   npm run soak -- --delays --minutes 10 --chaos
//   npm run soak -- --delays --pin --minutes 10
//   npm run soak -- --delays --sanitizer thread --minutes 2
//
// Runs in a network namespace of its own where one can be made (root on Linux): a connection of somebody else's to one of
// its ports would be taken for one of its own.
//
// Builds the addon with the sanitizer in it. The exit status is 1 when the soak finds a wrong byte or a descriptor
// left open, when a test fails, or when a sanitizer's report names the addon: Node itself is built without, so its own do not count.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildNative } from './build-native.mjs';

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '10' },
    sanitizer: { type: 'string', default: 'address' },
    delays: { type: 'boolean', default: false },
    pin: { type: 'boolean', default: false },
    seed: { type: 'string' },
    tests: { type: 'boolean', default: false },
    chaos: { type: 'boolean', default: false },
  },
});
const libraries = { address: ['libasan.so', 'libubsan.so'], thread: ['libtsan.so'], none: [] };
const names = libraries[values.sanitizer];
if (!names) throw new Error(`--sanitizer is one of ${Object.keys(libraries).join(', ')}`);

const root = fileURLToPath(new URL('..', import.meta.url));
const logs = mkdtempSync(join(tmpdir(), 'tnet-soak-'));
const find = (name) => execFileSync('cc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
const sanitize = values.sanitizer === 'none' ? undefined : values.sanitizer;
const addon = buildNative({ sanitize, delays: values.delays, strict: true });
if (!addon) throw new Error('the addon cannot be built here');
const options = `log_path=${join(logs, 'report')}:exitcode=0:detect_leaks=0:handle_segv=0`;
const env = {
  ...process.env,
  TNET_NATIVE: addon,
  ASAN_OPTIONS: options,
  TSAN_OPTIONS: options.replace(':detect_leaks=0', ''),
  UBSAN_OPTIONS: `${options.replace(':detect_leaks=0', '')}:print_stacktrace=1`,
};

const apart = ['unshare', '--net', 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh'];
const canBeApart = spawnSync(apart[0], [...apart.slice(1), 'true'], { stdio: 'ignore' }).status === 0;
if (!canBeApart)
  console.log('no network namespace can be made: nothing else may connect to ports of loopback meanwhile');

function run(...args) {
  const pinned = values.pin ? ['taskset', '-c', '0'] : [];
  // For Node alone: the programs before it do not start with every sanitizer.
  const preloaded = ['env', `LD_PRELOAD=${names.map(find).join(' ')}`, process.execPath];
  const command = [...(canBeApart ? apart : []), ...pinned, ...preloaded, ...args];
  const { status, signal } = spawnSync(command[0], command.slice(1), { cwd: root, env, stdio: 'inherit' });
  if (status === 0) return true;
  console.error(`${args.join(' ')}: ${signal ?? `exit ${status}`}`);
  return false;
}

const ava = 'node_modules/.bin/ava';
const results = [];
if (values.tests) {
  results.push(run(ava, '--timeout=300s', 'test/flow/splice*.test.ts', 'test/native/*.test.ts'));
}
if (values.chaos) results.push(run(ava, '--config', 'long.config.mjs', 'test/cli/proxy/chaos.long.ts'));
const concurrency = '24';
const seed = values.seed === undefined ? [] : [concurrency, values.seed];
results.push(run('test/native/soak.ts', String(Number(values.minutes) * 60), ...seed));
// One file a process, with all of its reports.
const reports = readdirSync(logs)
  .flatMap((name) => readFileSync(join(logs, name), 'utf8').split(/^={10,}$/m))
  // Races with V8's own workers are V8's: nothing of the engine runs there.
  .filter((text) => text.includes(basename(addon)) && !text.includes("'V8Worker'"));
for (const report of reports) console.error(report.slice(0, 20_000));
rmSync(logs, { recursive: true });
console.log(`${values.sanitizer}: ${reports.length} reports that name the addon`);
process.exitCode = results.every(Boolean) && reports.length === 0 ? 0 : 1;
