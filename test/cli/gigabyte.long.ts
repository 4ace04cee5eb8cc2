import { spawn } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { startCli, type Cli } from '../helpers/cli.ts';
import { toTarget, type Family } from '../helpers/peers.ts';
import { tempDir } from '../helpers/temp.ts';

const manyBytes = Number(process.env.TNET_TEST_BYTES ?? 1024 ** 3);
/** Half of it is more than what a process may hold, and a stall is over before the whole would be through. */
const stalledBytes = Math.min(manyBytes, 512 * 1024 ** 2);
/** Says that it hangs, and nothing of how fast it is. */
const hangMs = 300_000;
const limitBytes = 150 * 1024 * 1024;

async function writeRandomFile(path: string, totalBytes: number): Promise<string> {
  const hash = createHash('sha256');
  const file = createWriteStream(path);
  const chunk = Buffer.alloc(8 * 1024 * 1024);
  for (let left = totalBytes; left > 0; left -= chunk.length) {
    const piece = randomFillSync(chunk).subarray(0, Math.min(left, chunk.length));
    hash.update(piece);
    await new Promise<void>((resolve, reject) => {
      file.write(piece, (error) => (error ? reject(error) : resolve()));
    });
  }
  file.end();
  await once(file, 'finish');
  return hash.digest('hex');
}

/** The most memory that a process has ever had in use. Source: proc_pid_status(5), VmHWM. */
function peakBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  // A process that has ended but not yet been waited for has no memory.
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
}

async function hashOf(stream: Readable, stallAtBytes: number, stallMs: number): Promise<string> {
  const hash = createHash('sha256');
  let bytes = 0;
  let hasStalled = stallMs === 0;
  stream.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
    if (hasStalled || bytes < stallAtBytes) return;
    hasStalled = true;
    stream.pause();
    setTimeout(() => stream.resume(), stallMs);
  });
  await once(stream, 'end');
  return hash.digest('hex');
}

async function words(cli: Cli): Promise<string> {
  const target = toTarget(await cli.address());
  return 'path' in target ? target.path : `${target.host ?? ''}:${target.port}`;
}

/** cat f | tnet connect | tnet proxy | tnet listen > g */
async function pipeThrough(
  t: ExecutionContext,
  family: Family,
  totalBytes: number,
  stallMs: number,
): Promise<void> {
  const dir = tempDir(t);
  const file = join(dir, 'f');
  const sent = await writeRandomFile(file, totalBytes);
  const at = (name: string) => (family === 'unix' ? join(dir, name) : '127.0.0.1:0');
  // The null device as stdin, as in a script's background job: to the listener it is no input.
  const listener = startCli(t, ['listen', at('l')], { stdin: 'null' });
  const proxy = startCli(t, ['proxy', at('p'), await words(listener)]);
  const client = startCli(t, ['connect', await words(proxy)], { stdin: 'pipe' });
  const cat = spawn('cat', [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  cat.stdout.pipe(client.stdin);
  client.stdout.resume();
  let peak = 0;
  const look = setInterval(() => {
    for (const { child } of [listener, proxy, client]) {
      if (child.exitCode === null) peak = Math.max(peak, peakBytes(child.pid!));
    }
  }, 100);
  t.teardown(() => clearInterval(look));
  const received = await hashOf(listener.stdout, totalBytes / 2, stallMs);
  clearInterval(look);
  t.is(received, sent);
  t.is((await client.exit).code, 0, client.stderr());
  t.is((await listener.exit).code, 0, listener.stderr());
  t.log(`peak resident memory of a process: ${Math.round(peak / 1024 / 1024)} MiB`);
  t.true(peak > 0 && peak < limitBytes, `${peak} bytes`);
}

for (const family of ['tcp', 'unix'] as const) {
  test.serial(
    `a gigabyte goes through connect, proxy and listen on ${family} unchanged, in bounded memory`,
    async (t) => {
      t.timeout(hangMs);
      await pipeThrough(t, family, manyBytes, 0);
    },
  );

  test.serial(`half a gigabyte on ${family} survives a reader that stalls 5 s in the middle`, async (t) => {
    t.timeout(hangMs);
    await pipeThrough(t, family, stalledBytes, 5000);
  });
}
