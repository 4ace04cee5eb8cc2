// What is measured. A work has metrics, and programs of which each gives one sample a round.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  countDescriptors,
  descriptorLimit,
  findGroup,
  finish,
  folder,
  load,
  readTasks,
  residentKb,
  sleep,
  start,
  stop,
  takePort,
  tnet,
  waitListening,
} from './machine.mjs';
import {
  echoes,
  eventRelays,
  httpRequests,
  httpServers,
  laneless,
  prefaces,
  relays,
  scans,
  senders,
  starts,
  takers,
  tlsIn,
  tlsOut,
  tlsServer,
  transforms,
  udpEchoes,
  udpRelays,
} from './peers.mjs';

/** The load against its own C server, with nothing between: what no row can exceed. */
const ceiling = 'C, direct';

const gbps = { key: 'gbps', label: 'GB/s', better: 'more', digits: 2 };
const cpu = { key: 'cpu', label: 'CPU-s/GB', better: 'less', digits: 3 };
const rate = { key: 'rate', label: 'connections/s', better: 'more', digits: 0 };
const datagrams = [
  { key: 'rate', label: 'datagrams/s', better: 'more', digits: 0 },
  { key: 'share', label: '% back', better: 'more', digits: 1 },
];
const pings = [
  { key: 'p50', label: 'p50 µs', better: 'less', digits: 1 },
  { key: 'p99', label: 'p99 µs', better: 'less', digits: 1 },
];

/** Runs `work` with the port of a relay to a C server of the kind. */
async function behind(program, server, work) {
  const target = takePort();
  const peer = start(`exec ${load} ${server} ${target}`);
  try {
    await waitListening(target, peer);
    if (!program) return await work(target, undefined, target);
    const port = takePort();
    const child = start(program(port, target));
    try {
      await waitListening(port, child);
      return await work(port, child.pid, target);
    } finally {
      await stop(child);
    }
  } finally {
    await stop(peer);
  }
}

/** The processor time that a process group takes, also when parts of it come and go while the work is done. */
function watchCpu(pid) {
  if (pid === undefined) return () => undefined;
  const before = readTasks(findGroup(pid));
  const last = new Map(before);
  let looks = 0;
  let group = [];
  const look = () => {
    if (looks++ % 5 === 0) group = findGroup(pid);
    for (const [task, seconds] of readTasks(group)) last.set(task, seconds);
  };
  const timer = setInterval(look, 20);
  return () => {
    clearInterval(timer);
    look();
    return [...last].reduce((sum, [task, seconds]) => sum + seconds - (before.get(task) ?? 0), 0);
  };
}

const stream = (many) => (size) => (program) =>
  behind(program, 'sink', async (port, pid) => {
    const used = watchCpu(pid);
    const { seconds } = await finish(start(`exec ${load} send ${port} ${size} ${many}`));
    const gigabytes = size / 1e9;
    const spent = used();
    return { gbps: gigabytes / seconds, cpu: spent === undefined ? undefined : spent / gigabytes };
  });

const numbers = (text) => text.trim().split(' ').map(Number);

const rateOf = (count, many) => (program) =>
  behind(program, 'serve', async (port) => {
    const connect = () => finish(start(`exec ${load} rate ${port} ${count} ${many}`));
    await connect(); // What is compiled while it runs, as JavaScript is, is compiled by then.
    const { text } = await connect();
    return { rate: numbers(text)[0] };
  });

const pingsOf = (count, many) => (program) =>
  behind(program, 'serve', async (port) => {
    const { text } = await finish(start(`exec ${load} pings ${port} ${count} ${many}`));
    const [p50, p99] = numbers(text);
    return { p50, p99 };
  });

const holdLimitMs = 60_000;

/** The same with what the program wants to hear first. */
const optionRateOf = (count, many) => (program, name) =>
  behind(program, 'serve', async (port, _pid, target) => {
    const preface = prefaces[name]?.(target).toString('hex') ?? '';
    const connect = () => finish(start(`exec ${load} rate ${port} ${count} ${many} ${preface}`));
    await connect();
    return { rate: numbers((await connect()).text)[0] };
  });

/** One stream over TLS to a relay that ends it: the client's own work does not count. */
const tlsStreamOf = (size) => async (program) => {
  const [target, port] = [takePort(), takePort()];
  const taker = start(`exec ${load} take ${target}`);
  await waitListening(target, taker);
  const child = start(program(port, target));
  try {
    await waitListening(port, child);
    const used = watchCpu(child.pid);
    const sender = start(
      `${load} feed ${size} | exec openssl s_client -connect 127.0.0.1:${port} -quiet -no_ign_eof`,
    );
    const { seconds } = await finish(taker);
    const spent = used();
    await stop(sender);
    return { gbps: size / 1e9 / seconds, cpu: spent / (size / 1e9) };
  } finally {
    await stop(child);
    await stop(taker);
  }
};

/** Full handshakes, one after another, for some seconds. */
const handshakesOf = (seconds) => (program) =>
  behind(program, 'serve', async (port, pid) => {
    const connect = (limit) =>
      finish(start(`openssl s_time -connect 127.0.0.1:${port} -new -time ${limit} 2>&1`));
    await connect(1);
    const used = watchCpu(pid);
    const { text } = await connect(seconds);
    return { perCpu: Number(/^(\d+) connections in \d+ real/m.exec(text)[1]) / used() };
  });

/** A relay that speaks TLS with a server, which hands on to an echo. */
const tlsOutRateOf = (count, many) => (program) =>
  behind(tlsServer, 'serve', async (target) => {
    const port = takePort();
    const child = start(program(port, target));
    try {
      await waitListening(port, child);
      const connect = () => finish(start(`exec ${load} rate ${port} ${count} ${many}`));
      await connect();
      return { rate: numbers((await connect()).text)[0] };
    } finally {
      await stop(child);
    }
  });

const udpRateOf = (count, many) => (program) =>
  behind(program, 'udp-serve', async (port) => {
    const ask = () => finish(start(`exec ${load} udp-rate ${port} ${count} ${many}`));
    await ask();
    const [rate, share] = numbers((await ask()).text);
    return { rate, share: share * 100 };
  });

const descriptorsOf = (count) => (program) =>
  behind(program, 'serve', async (port, pid) => {
    await finish(start(`exec ${load} rate ${port} 200 8`));
    await sleep(300);
    const before = countDescriptors(pid);
    const holder = start(`exec ${load} hold ${port} ${count}`, { stdin: 'pipe' });
    try {
      await once(holder.stdout, 'data', { signal: AbortSignal.timeout(holdLimitMs) });
      await sleep(300);
      return { each: (countDescriptors(pid) - before) / count };
    } finally {
      await stop(holder);
    }
  });

const idleOf = (count) => (program) =>
  behind(program, 'serve', async (port, pid) => {
    // What is loaded and compiled once does not count.
    await finish(start(`exec ${load} rate ${port} 200 8`));
    await sleep(300);
    const before = residentKb(pid);
    const holder = start(`exec ${load} hold ${port} ${count}`, { stdin: 'pipe' });
    try {
      // One that cannot hold so many says nothing, and ends or waits.
      await Promise.race([
        once(holder.stdout, 'data', { signal: AbortSignal.timeout(holdLimitMs) }),
        once(holder, 'exit').then(() =>
          Promise.reject(new Error('the load could not hold so many connections')),
        ),
      ]);
      await sleep(500);
      return { kb: (residentKb(pid) - before) / count };
    } finally {
      await stop(holder);
    }
  });

function newAddress(family) {
  return family === 'tcp' ? takePort() : join(folder, `s${takePort()}`);
}

const sendOf = (family, size, input) => async (program) => {
  const address = newAddress(family);
  const taker = start(`exec ${load} take ${address}`);
  await waitListening(address, taker);
  const sender = start(input(program(address), size));
  try {
    const { seconds } = await finish(taker);
    return { gbps: size / 1e9 / seconds };
  } finally {
    await stop(sender);
  }
};

const takeOf = (family, size, output) => async (program) => {
  const address = newAddress(family);
  const taker = start(output(program(address)));
  try {
    await waitListening(address, taker);
    const sender = start(`exec ${load} send ${address} ${size} 1`);
    const { seconds } = await finish(taker);
    await stop(sender);
    return { gbps: size / 1e9 / seconds };
  } finally {
    await stop(taker);
  }
};

const zeros = join(folder, 'zeros');
function fromFile(command, size) {
  if (!existsSync(zeros)) spawnSync('sh', ['-c', `${load} feed ${size} > ${zeros}`]);
  return `${command} < ${zeros}`;
}

const ways = {
  'pipe to socket': (family, size) => [
    senders,
    sendOf(family, size, (command, bytes) => `${load} feed ${bytes} | ${command}`),
  ],
  'file to socket': (family, size) => [senders, sendOf(family, size, fromFile)],
  'socket to pipe': (family, size) => [
    takers,
    takeOf(family, size, (command) => `${command} | ${load} drain`),
  ],
  'socket to file': (family, size) => [
    takers,
    takeOf(family, size, (command) => `${command} > ${join(folder, 'taken')}`),
  ],
};

function oneWay({ bytes }) {
  return ['tcp', 'unix'].flatMap((family) =>
    Object.entries(ways).map(([way, prepare]) => {
      const [programs, run] = prepare(family, bytes.oneWay);
      const note = `${bytes.oneWay / 1e9} GB, from the start of the program to the last byte`;
      return {
        id: `${way.replaceAll(' ', '-')}-${family}`,
        title: `${way}, ${family === 'tcp' ? 'TCP' : 'Unix'}`,
        note,
        metrics: [gbps],
        programs,
        run,
        after: () => {
          rmSync(zeros, { force: true });
          rmSync(join(folder, 'taken'), { force: true });
        },
      };
    }),
  );
}

/** A server's echo, without a relay. */
const echoOf = (command, read) => async (program) => {
  const port = takePort();
  const child = start(program(port));
  try {
    await waitListening(port, child);
    return read((await finish(start(`exec ${load} ${command(port)}`))).text);
  } finally {
    await stop(child);
  }
};

/** Requests for a second of the server's processor time: `trips` of them on each of 32 connections at a time. */
const requestsOf = (count, trips, head) => async (program) => {
  const port = takePort();
  const child = start(program(port));
  const preface = Buffer.from(head).toString('hex');
  const ask = () => finish(start(`exec ${load} rate ${port} ${count / trips} 32 ${preface} ${trips}`));
  try {
    await waitListening(port, child);
    await ask(); // What is compiled while it runs is compiled by then.
    const used = watchCpu(child.pid);
    await ask();
    return { perCpu: count / used() };
  } finally {
    await stop(child);
  }
};

async function measureStart({ file, args, status }) {
  const startedAt = process.hrtime.bigint();
  const child = spawnSync(file, args, { stdio: 'ignore', timeout: 20_000 });
  const ms = Number(process.hrtime.bigint() - startedAt) / 1e6;
  if (child.status !== status) throw new Error(`${file} ${args.join(' ')}: exit ${child.status}`);
  return Promise.resolve({ ms });
}

/** The exit status says whether somebody listens somewhere; that is not asked here. */
async function measureScan({ file, args, env }) {
  const startedAt = process.hrtime.bigint();
  const child = spawnSync(file, args, {
    stdio: 'ignore',
    timeout: 60_000,
    env: { ...process.env, ...env },
  });
  if (child.error) throw child.error;
  return Promise.resolve({ ms: Number(process.hrtime.bigint() - startedAt) / 1e6 });
}

const isipLoop = `
  const net = require('node:net'), fs = require('node:fs');
  const list = fs.readFileSync(0, 'latin1').split('\\n');
  list.pop();
  let output = '';
  for (const line of list) output += net.isIP(line) + '\\n';
  fs.writeSync(1, output);`;

// Half IPv4, a third IPv6, the rest no addresses.
function isipLine(i) {
  if (i % 6 === 5) return i % 12 === 5 ? `host-${i}.example.com` : `300.${i % 256}.1.1`;
  if (i % 6 < 3) return `${i % 224}.${(i >> 3) % 256}.${(i >> 7) % 256}.${(i >> 11) % 256}`;
  return i % 6 === 3 ? `2001:db8::${(i % 65536).toString(16)}:1` : `fe80::${(i % 4096).toString(16)}%eth0`;
}

function isip({ lines }) {
  const input = join(folder, 'lines');
  const run = (args) => {
    if (!existsSync(input))
      writeFileSync(input, Array.from({ length: lines }, (_, i) => `${isipLine(i)}\n`).join(''));
    const files = [openSync(input, 'r'), openSync(join(folder, 'families'), 'w')];
    const startedAt = process.hrtime.bigint();
    spawnSync(process.execPath, args, { stdio: [...files, 'ignore'] });
    const ms = Number(process.hrtime.bigint() - startedAt) / 1e6;
    for (const file of files) closeSync(file);
    return Promise.resolve({ ms });
  };
  return {
    id: 'isip',
    title: `tnet isip, ${lines.toLocaleString('en')} lines`,
    note: 'from file to file, start-up included',
    metrics: [{ key: 'ms', label: 'ms', better: 'less', digits: 0 }],
    programs: {
      tnet: [tnet, 'isip'],
      'tnet --json': [tnet, 'isip', '--json'],
      'node: net.isIP in a loop': ['-e', isipLoop],
    },
    run,
  };
}

/** Every work, for the sizes that are given. @param sizes see run.mjs */
export async function createWorks(sizes) {
  const { bytes, trips, connections } = sizes;
  // Another process: this one waits for each start.
  const startPort = takePort();
  const server = start(`exec ${load} serve ${startPort}`);
  await waitListening(startPort, server);
  const idle = Math.min(sizes.idle, Math.floor((descriptorLimit - 800) / 2));
  // Those that fork for each connection are asked for fewer.
  const forks = (name) => /^(socat|redir|simpleproxy|ncat)/.test(name);
  const direct = { [ceiling]: undefined };
  const echoWork = (title, id, metrics, make) => ({
    id,
    title,
    metrics,
    programs: echoes,
    run: (program, name) => make(forks(name))(program),
  });
  return [
    {
      id: 'relay-stream',
      title: 'relay, one stream',
      note: `${bytes.relay / 1e9} GB`,
      metrics: [gbps, cpu],
      programs: { ...relays, ...direct },
      run: stream(1)(bytes.relay),
    },
    {
      id: 'relay-64-streams',
      title: 'relay, 64 streams',
      note: `${bytes.relay / 1e9} GB together`,
      metrics: [gbps, cpu],
      programs: { ...relays, ...direct },
      run: stream(64)(bytes.relay),
    },
    {
      id: 'relay-rate',
      title: 'relay, connections per second',
      note: 'each with one round trip of one byte, after as many to warm up; 64 at a time, 4 where each takes a process of its own',
      metrics: [rate],
      programs: { ...relays, ...direct },
      run: (program, name) => (forks(name) ? rateOf(connections / 50, 4) : rateOf(connections, 64))(program),
    },
    {
      id: 'relay-options',
      title: 'relay, connections per second with options that the express lane does not have',
      note: 'as above; the floor is the same relay in twelve lines of plain Node, bench/plain/proxy.cjs',
      metrics: [rate],
      programs: laneless,
      run: optionRateOf(connections, 64),
    },
    {
      id: 'relay-descriptors',
      title: 'relay, descriptors of a connection',
      note: 'both sides together, 200 idle connections',
      metrics: [{ key: 'each', label: 'each', better: 'less', digits: 2 }],
      programs: eventRelays,
      run: descriptorsOf(200),
      roundsMost: 1,
    },
    {
      id: 'relay-transforms',
      title: 'relay, one stream that JavaScript carries',
      note: `${bytes.transforms / 1e9} GB; the floor is bench/plain/proxy.cjs`,
      metrics: [gbps, cpu],
      programs: transforms,
      run: stream(1)(bytes.transforms),
    },
    {
      id: 'tls-in-stream',
      title: 'TLS with the client, one stream',
      note: `${bytes.transforms / 1e9} GB from openssl s_client, whose own work does not count`,
      metrics: [gbps, cpu],
      programs: tlsIn,
      run: tlsStreamOf(bytes.transforms),
    },
    {
      id: 'tls-in-handshakes',
      title: 'TLS with the client, full handshakes for a second of processor time',
      note: 'TLS 1.3, P-256, one after another, by openssl s_time',
      metrics: [{ key: 'perCpu', label: 'handshakes/CPU-s', better: 'more', digits: 0 }],
      programs: tlsIn,
      run: handshakesOf(2),
    },
    {
      id: 'tls-out-rate',
      title: 'TLS with the target, connections per second',
      note: 'the certificate is verified; the target is nginx, which hands on to an echo',
      metrics: [rate],
      programs: tlsOut,
      run: tlsOutRateOf(connections / 2, 64),
    },
    {
      id: 'udp-relay',
      title: 'relay of datagrams, 8 clients',
      note: '100 bytes each, eight of each client on their way at a time; socat takes a process for each client',
      metrics: datagrams,
      programs: { ...udpRelays, ...direct },
      run: udpRateOf(trips * 10, 8),
    },
    {
      id: 'udp-echo',
      title: 'echo of datagrams, 8 clients',
      note: 'as above',
      metrics: datagrams,
      programs: udpEchoes,
      run: udpRateOf(trips * 10, 8),
    },
    {
      id: 'scan',
      title: 'check of the ports 1 to 20000 of 127.0.0.1',
      note: 'start-up included',
      metrics: [{ key: 'ms', label: 'ms', better: 'less', digits: 0 }],
      programs: scans,
      run: measureScan,
      roundsMost: 5,
    },
    ...[1, 64, 1000].map((many) => ({
      id: `relay-pings-${many}`,
      title: `relay, ping-pong on ${many} connection${many === 1 ? '' : 's'}`,
      note: 'round trips of one byte',
      metrics: pings,
      programs: { ...(many === 1000 ? eventRelays : relays), ...direct },
      run: pingsOf(Math.max(10, Math.floor((trips * (many === 1 ? 1 : 4)) / many)), many),
    })),
    {
      id: 'relay-idle',
      title: `relay, memory for ${idle.toLocaleString('en')} idle connections`,
      note: "resident memory for each, without the kernel's",
      metrics: [{ key: 'kb', label: 'kB each', better: 'less', digits: 2 }],
      programs: eventRelays,
      run: idleOf(idle),
      roundsMost: 3,
    },
    ...oneWay(sizes),
    echoWork('echo, connections per second', 'echo-rate', [rate], (isForking) =>
      echoOf(
        (port) => `rate ${port} ${isForking ? connections / 50 : connections} ${isForking ? 4 : 64}`,
        (text) => ({ rate: numbers(text)[0] }),
      ),
    ),
    ...[1, 64].map((many) =>
      echoWork(
        `echo, ping-pong on ${many} connection${many === 1 ? '' : 's'}`,
        `echo-pings-${many}`,
        pings,
        () =>
          echoOf(
            (port) =>
              `pings ${port} ${Math.max(10, Math.floor((trips * (many === 1 ? 1 : 4)) / many))} ${many}`,
            (text) => ({ p50: numbers(text)[0], p99: numbers(text)[1] }),
          ),
      ),
    ),
    ...[
      { id: 'http-keep-alive', what: 'on connections of 100 requests each', trips: 100, head: 'keepAlive' },
      { id: 'http-close', what: 'each on a connection of its own', trips: 1, head: 'close' },
    ].map(({ id, what, trips, head }) => ({
      id,
      title: `the library in an HTTP server, requests ${what}`,
      note: 'bench/plain/http.cjs with the connections of the library, and with those of node:net',
      metrics: [{ key: 'perCpu', label: 'requests/CPU-s', better: 'more', digits: 0 }],
      programs: httpServers,
      run: requestsOf(trips === 1 ? connections * 2 : connections * 10, trips, httpRequests[head]),
    })),
    {
      id: 'start',
      title: 'start of a command',
      note: 'the first start of each, which fills the compile cache, is not counted',
      metrics: [{ key: 'ms', label: 'ms', better: 'less', digits: 1 }],
      programs: starts(startPort),
      run: measureStart,
      roundsFactor: 4,
      warm: true,
    },
    isip(sizes),
  ];
}
