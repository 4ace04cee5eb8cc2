// The flow engine against netcat, socat and haproxy, quickly: node bench/engine.mjs [GB] [ROUNDS] [WORK…]
// One table a work: seconds (median, spread) and for the relays CPU-seconds per GB of the relaying process.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const gigabytes = Number(process.argv[2] ?? 2);
const rounds = Number(process.argv[3] ?? 5);
const wanted = process.argv.slice(4);
const bytes = gigabytes * 1e9;
const folder = mkdtempSync(join(tmpdir(), 'tnet-bench-'));
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const load = join(folder, 'load');
const file = join(folder, 'zeros');
execFileSync('cc', ['-O2', '-o', load, here('engine-load.c')]);
const peer = `${process.execPath} ${here('engine-peer.ts')}`;
const ticks = 100;
let nextPort = 10000 + (process.pid % 2000) * 10;

const has = (program) => (process.env.PATH ?? '').split(':').some((at) => existsSync(join(at, program)));
const sh = (command, env = {}) =>
  spawn('sh', ['-c', `exec ${command}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
const quiet = (command) =>
  spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'pipe'], env: process.env });

/** Asks the kernel's table, as a connection would count as the one that is measured. */
async function listening(port) {
  const pattern = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} 0+:0000 0A`);
  for (let i = 0; i < 1000; i++) {
    if (pattern.test(readFileSync('/proc/net/tcp', 'utf8'))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`nothing listens on ${port}`);
}

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

async function timed(child) {
  const start = process.hrtime.bigint();
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${child.spawnargs.join(' ')}: exit ${code}`);
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function haproxy(port, target, splice) {
  const config = join(folder, `haproxy-${port}.cfg`);
  const option = splice ? 'option splice-auto' : 'no option splice-auto';
  writeFileSync(
    config,
    `global
  nbthread 1
  maxconn 4000
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen relay
  bind 127.0.0.1:${port}
  ${option}
  server target 127.0.0.1:${target}
`,
  );
  return `haproxy -db -q -f ${config}`;
}

const relays = {
  'tnet lane': (port, target) => sh(`${peer} lane ${port} ${target}`),
  'tnet native': (port, target) => sh(`${peer} relay ${port} ${target}`),
  'node pipe()': (port, target) => sh(`${peer} relay ${port} ${target}`, { TNET_NATIVE: '0' }),
  'socat 8 KiB': (port, target) =>
    sh(`socat TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr TCP:127.0.0.1:${target}`),
  'socat 64 KiB': (port, target) =>
    sh(`socat -b65536 TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr TCP:127.0.0.1:${target}`),
  haproxy: (port, target) => sh(haproxy(port, target, false)),
  'haproxy splice': (port, target) => sh(haproxy(port, target, true)),
};

/** Starts `name`'s relay in front of `target`, runs `work` with its port, gives the CPU time it used. */
async function relayed(name, target, work) {
  const port = nextPort++;
  const child = relays[name](port, target);
  await listening(port);
  const before = cpuSeconds(child.pid);
  const result = await work(port, () => cpuSeconds(child.pid) - before);
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  return result;
}

async function relayStream(name) {
  const target = nextPort++;
  const sink = quiet(`${load} take ${target}`);
  await listening(target);
  return relayed(name, target, async (port, cpu) => {
    const sender = quiet(`${load} send ${port} ${bytes}`);
    // socat ends by itself when both directions have, so its last tick is read while it still stands.
    let used = 0;
    const watch = setInterval(() => {
      try {
        used = cpu();
      } catch {
        clearInterval(watch);
      }
    }, 20);
    const seconds = await timed(sender);
    clearInterval(watch);
    sink.kill();
    return { seconds, cpu: used / gigabytes };
  });
}

/** Runs the load's `command` through `name`'s relay to an echo server; its two figures. */
async function throughRelay(name, command) {
  const target = nextPort++;
  const echo = quiet(`exec ${load} serve ${target}`);
  await listening(target);
  try {
    return await relayed(name, target, async (port) => {
      const child = quiet(`${load} ${command(port)}`);
      let text = '';
      child.stdout.on('data', (chunk) => (text += chunk));
      const seconds = await timed(child);
      return { seconds, figures: text.trim().split(' ').map(Number) };
    });
  } finally {
    echo.kill();
  }
}

const manyAtOnce = Object.fromEntries(Object.entries(relays).filter(([name]) => !name.startsWith('socat')));

const senders = {
  'tnet native': (port) => `${peer} send ${port}`,
  'node pipe()': (port) => `TNET_NATIVE=0 ${peer} send ${port}`,
  'nc.openbsd': (port) => `nc.openbsd -N 127.0.0.1 ${port}`,
  'socat 64 KiB': (port) => `socat -u -b65536 STDIN TCP:127.0.0.1:${port}`,
};

/** The time from the start of the sender to the end of the data at the receiver. */
async function send(name, input) {
  const port = nextPort++;
  const sink = quiet(`${load} take ${port}`);
  await listening(port);
  const child = quiet(input(senders[name](port)));
  const seconds = await timed(sink);
  child.kill();
  return { seconds };
}

const takers = {
  'tnet native': (port) => `${peer} take ${port}`,
  'node pipe()': (port) => `TNET_NATIVE=0 ${peer} take ${port}`,
  'nc.openbsd': (port) => `nc.openbsd -l 127.0.0.1 ${port}`,
  'socat 64 KiB': (port) => `socat -u -b65536 TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr STDOUT`,
};

async function take(name) {
  const port = nextPort++;
  const pipeline = quiet(`${takers[name](port)} | ${load} drain`);
  await listening(port);
  const sender = quiet(`${load} send ${port} ${bytes}`);
  const seconds = await timed(sender);
  if (pipeline.exitCode === null) await once(pipeline, 'exit');
  return { seconds };
}

const works = {
  'relay, one stream': [relays, relayStream],
  'ping-pong on 1 connection': [
    relays,
    (name) => throughRelay(name, (port) => `pings ${port} 20000 1`),
    pingCells,
  ],
  'ping-pong on 64 connections': [
    manyAtOnce,
    (name) => throughRelay(name, (port) => `pings ${port} 1000 64`),
    pingCells,
  ],
  'connections per second': [
    manyAtOnce,
    (name) => throughRelay(name, (port) => `rate ${port} 10000 64`),
    rateCells,
  ],
  'pipe to socket': [senders, (name) => send(name, (command) => `${load} feed ${bytes} | ${command}`)],
  'file to socket': [senders, (name) => send(name, (command) => `${command} < ${file}`)],
  'socket to pipe': [takers, take],
};

const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];

function pingCells(list) {
  const [p50, p99] = [0, 1].map((at) => median(list.map(({ figures }) => figures[at])));
  return [`p50 ${p50.toFixed(1)} us`, `p99 ${p99.toFixed(1)} us`];
}

function rateCells(list) {
  const rates = list.map(({ figures }) => figures[0]);
  return [`${median(rates).toFixed(0)} per second (${Math.min(...rates)}–${Math.max(...rates)})`];
}

function timeCells(list) {
  const seconds = list.map((result) => result.seconds);
  const cells = [
    `${median(seconds).toFixed(2)} s (${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)})`,
    `${(gigabytes / median(seconds)).toFixed(2)} GB/s`,
  ];
  if (list[0].cpu !== undefined) cells.push(`${median(list.map((one) => one.cpu)).toFixed(2)} CPU-s/GB`);
  return cells;
}

function print(title, results, toCells) {
  process.stdout.write(`\n${title} (${gigabytes} GB, ${rounds} rounds)\n`);
  for (const [name, list] of results) {
    const cells = [name.padEnd(16), ...toCells(list)];
    process.stdout.write(`  ${cells.join('  ')}\n`);
  }
}

execFileSync(load, ['feed', String(bytes)], { stdio: ['ignore', openSync(file, 'w'), 'inherit'] });
try {
  for (const [title, [programs, run, toCells = timeCells]] of Object.entries(works)) {
    if (wanted.length && !wanted.some((word) => title.includes(word))) continue;
    const names = Object.keys(programs).filter(
      (name) => /^(tnet|node)/.test(name) || has(name.split(' ')[0]),
    );
    const results = new Map(names.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++) {
      for (const name of names) results.get(name).push(await run(name));
    }
    print(title, results, toCells);
  }
} finally {
  rmSync(folder, { recursive: true });
}
