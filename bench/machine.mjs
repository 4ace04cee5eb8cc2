// What a benchmark needs of the system: programs, ports, processor time, memory.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const tnet = fileURLToPath(new URL('../bin/tnet.js', import.meta.url));
export const folder = mkdtempSync(join(tmpdir(), 'tnet-bench-'));
export const load = join(folder, 'load');

const running = new Set();
process.on('exit', () => {
  for (const child of running) killTree(child.pid);
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

/** Compiles the load generator. Returns why it cannot be, or undefined. */
export function prepare() {
  try {
    execFileSync('cc', ['-O2', '-o', load, fileURLToPath(new URL('load.c', import.meta.url))]);
    return undefined;
  } catch (error) {
    return `the load generator needs a C compiler: ${error.message}`;
  }
}

const path = ['/usr/sbin', '/sbin', ...(process.env.PATH ?? '').split(':')];
export const findProgram = (name) => path.map((at) => join(at, name)).find((file) => existsSync(file));

let nextPort = 10_000 + (process.pid % 100) * 200;
/** A port that nobody listens on. Not one of those that connections are given. */
export function takePort() {
  do nextPort = nextPort >= 32_000 ? 10_000 : nextPort + 1;
  while (isListening(nextPort));
  return nextPort;
}

/** Asks the kernel's tables: a connection would count as the one that is measured. */
function isListening(port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return [
    ['tcp', '0A'],
    ['udp', '07'],
  ].some(([protocol, state]) =>
    new RegExp(`:${hex} 0+:0000 ${state}`).test(readFileSync(`/proc/net/${protocol}`, 'utf8')),
  );
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function waitListening(address, child) {
  for (let tries = 0; tries < 1000; tries++) {
    if (String(address).startsWith('/') ? existsSync(address) : isListening(address)) return;
    if (child && (child.exitCode !== null || child.signalCode !== null)) break;
    await sleep(10);
  }
  throw new Error(`nothing listens on ${address}: ${child?.spawnargs.at(-1) ?? ''}`);
}

/** Only root may go over the hard limit. */
const raiseLimit = 'ulimit -n 65536 2>/dev/null || ulimit -n $(ulimit -Hn)';

/** How many descriptors each program may have. */
export const descriptorLimit = Number(
  execFileSync('sh', ['-c', `${raiseLimit}; ulimit -n`], { encoding: 'utf8' }),
);

/** Starts a shell's command in a process group of its own. Its stdin is the null device unless `stdin` says `pipe`. */
export function start(command, { stdin = 'ignore' } = {}) {
  const child = spawn('sh', ['-c', `${raiseLimit}; ${command}`], {
    stdio: [stdin, 'pipe', 'ignore'],
    detached: true,
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

function killTree(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has gone by itself.
  }
}

export async function stop(child) {
  const exit = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
  killTree(child.pid);
  await exit;
}

/** Waits for the end; gives the seconds since the call and what was written to stdout. */
export async function finish(child, limitMs = 120_000) {
  const startedAt = process.hrtime.bigint();
  let text = '';
  child.stdout.on('data', (chunk) => (text += chunk));
  const timer = setTimeout(() => killTree(child.pid), limitMs);
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  clearTimeout(timer);
  const seconds = Number(process.hrtime.bigint() - startedAt) / 1e9;
  if (child.exitCode !== 0)
    throw new Error(`${child.spawnargs.at(-1)}: exit ${child.exitCode ?? child.signalCode}`);
  return { seconds, text };
}

/** The processes of a group: what start() has started, and what that has, orphans included. */
export function findGroup(pid) {
  return readdirSync('/proc').filter((one) => {
    if (!/^\d+$/.test(one)) return false;
    try {
      return Number(readFileSync(`/proc/${one}/stat`, 'latin1').split(') ').at(-1).split(' ')[2]) === pid;
    } catch {
      return false;
    }
  });
}

/** Seconds of processor time of each task of these processes that is there, to the nanosecond. */
export function readTasks(pids) {
  const tasks = new Map();
  for (const pid of pids) {
    try {
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        const [nanoseconds] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ');
        tasks.set(task, Number(nanoseconds) / 1e9);
      }
    } catch {
      // It has just ended.
    }
  }
  return tasks;
}

/** How many descriptors a group's processes have open. */
export const countDescriptors = (pid) =>
  findGroup(pid).reduce((sum, one) => sum + readdirSync(`/proc/${one}/fd`).length, 0);

export function residentKb(pid) {
  const sizes = findGroup(pid).map((one) => {
    const [, size] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${one}/status`, 'utf8')) ?? [];
    return Number(size ?? 0);
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

export function describeMachine() {
  const [{ model }] = cpus();
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return { processors: cpus().length, model, kernel, node: process.versions.node };
}
