/**
 * Raw and mutated bytes against every server: `node test/fuzz/servers.ts [--connections N] [--seed N] [NAME…]`. A
 * finding is a server that ended, that told of a fault of its own or printed a stack, or that did not give its
 * descriptors back. Exit status 1 when there is any.
 *
 * A mutated SOCKS request can name any address, so all of it runs in a network namespace with a loopback alone; where
 * none can be made, the servers whose clients name their target are left out.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createRandom } from '../../src/transform/random.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { processTree } from '../helpers/descriptors.ts';
import { mutate, runClient, runPlainClient, runSender } from './clients.ts';
import { makeGreetings, type Greetings } from './greetings.ts';

/** What a server is started with. */
interface Place {
  readonly target: string;
  readonly own: readonly string[];
  readonly dir: string;
}

interface FuzzedServer {
  readonly args: (place: Place) => readonly string[];
  readonly greetings: readonly (keyof Greetings)[];
  readonly isDatagram?: true;
  /** Its clients are to call the address that this finds in what it says. Default: where it listens. */
  readonly said?: RegExp;
  readonly dialsAnywhere?: true;
  /**
   * It has input for its clients, so one that has ended its side is sent to. That it has left altogether only shows when
   * more comes for it.
   */
  readonly hasInput?: true;
}

const listening = /listening on (\S+)\n/;
const soon = ['--handshake-limit', '500ms'];
const ofTls = ({ own: [cert = '', key = ''] }: Place) => ['--tls-cert', cert, '--tls-key', key];
const named = (...flags: string[]) => ['proxy', '127.0.0.1:0', ...soon, ...flags, '-w', '500ms'];

const servers: Readonly<Record<string, FuzzedServer>> = {
  echo: { args: () => ['echo', '127.0.0.1:0'], greetings: ['plain'] },
  'echo-tls': { args: (place) => ['echo', '127.0.0.1:0', '--tls', ...ofTls(place)], greetings: ['hello'] },
  ...Object.fromEntries(
    ['discard', 'chargen', 'daytime', 'time', 'qotd'].map((service) => [
      `echo-${service}`,
      { args: () => ['echo', '127.0.0.1:0', '--service', service], greetings: ['plain'] } as const,
    ]),
  ),
  'echo-accept-proxy': { args: () => ['echo', '127.0.0.1:0', '--accept-proxy'], greetings: ['proxy'] },
  'echo-udp': { args: () => ['echo', '-u', '127.0.0.1:0'], greetings: ['datagrams'], isDatagram: true },
  listen: { args: () => ['listen', '-dk', '127.0.0.1:0'], greetings: ['plain'] },
  'listen-unix': { args: ({ dir }) => ['listen', '-dk', join(dir, 's')], greetings: ['plain'] },
  'listen-label': { args: () => ['listen', '-dk', '--label', '127.0.0.1:0'], greetings: ['plain', 'telnet'] },
  'listen-tls': {
    args: (place) => ['listen', '-dk', '--tls', ...ofTls(place), '127.0.0.1:0'],
    greetings: ['hello'],
  },
  'listen-accept-proxy': {
    args: () => ['listen', '-dk', '--accept-proxy', '127.0.0.1:0'],
    greetings: ['proxy'],
  },
  'listen-both': {
    args: (place) => ['listen', '-dk', '--accept-proxy', '--tls', ...ofTls(place), '127.0.0.1:0'],
    greetings: ['proxy', 'hello'],
  },
  'listen-broker': { args: () => ['listen', '--broker', '127.0.0.1:0'], greetings: ['plain'] },
  'listen-chat': { args: () => ['listen', '--chat', '127.0.0.1:0'], greetings: ['plain', 'telnet'] },
  'listen-broadcast': {
    args: () => ['listen', '--broadcast', '127.0.0.1:0'],
    greetings: ['plain'],
    hasInput: true,
  },
  'listen-exec': {
    args: () => ['listen', '-k', '-m', '8', '-c', 'cat', '127.0.0.1:0'],
    greetings: ['plain'],
  },
  'listen-udp': { args: () => ['listen', '-dku', '127.0.0.1:0'], greetings: ['datagrams'], isDatagram: true },
  proxy: { args: ({ target }) => ['proxy', '127.0.0.1:0', target], greetings: ['plain'] },
  'proxy-streams': {
    args: ({ target }) => ['proxy', '127.0.0.1:0', target, '--latency', '1ms', '--slice'],
    greetings: ['plain'],
  },
  'proxy-tap': {
    args: ({ target }) => ['proxy', '127.0.0.1:0', target, '--tap=text'],
    greetings: ['plain', 'telnet'],
  },
  'proxy-workers': {
    args: ({ target }) => ['proxy', '127.0.0.1:0', target, '--workers', '2', '--accept-proxy', ...soon],
    greetings: ['proxy'],
  },
  'proxy-rate': {
    args: ({ target }) => ['proxy', '127.0.0.1:0', target, '--rate', '100/s'],
    greetings: ['plain'],
  },
  'proxy-socks': { args: () => named('--socks'), greetings: ['socks'], dialsAnywhere: true },
  'proxy-http': { args: () => named('--http'), greetings: ['connect', 'forward'], dialsAnywhere: true },
  'proxy-http-connect': { args: () => named('--http-connect'), greetings: ['connect'], dialsAnywhere: true },
  'proxy-either': {
    args: () => named('--socks', '--http-connect'),
    greetings: ['socks', 'connect'],
    dialsAnywhere: true,
  },
  'proxy-tls-in': {
    args: (place) => ['proxy', '127.0.0.1:0', place.target, ...soon, '--tls-in', ...ofTls(place)],
    greetings: ['hello'],
  },
  'proxy-accept-proxy': {
    args: ({ target }) => ['proxy', '127.0.0.1:0', target, ...soon, '--accept-proxy', '--send-proxy', '2'],
    greetings: ['proxy'],
  },
  'proxy-all': {
    args: (place) => [...named('--accept-proxy', '--tls-in', ...ofTls(place), '--socks', '--http-connect')],
    greetings: ['proxy', 'hello'],
    dialsAnywhere: true,
  },
  'proxy-route': {
    args: ({ target }) => [
      ...['proxy', '127.0.0.1:0', ...soon, '--route', `sni:a.example=${target}`],
      ...['--route', `alpn:h2=${target}`, '--route', `proto:ssh=${target}`],
    ],
    greetings: ['hello', 'plain'],
  },
  'proxy-metrics': {
    args: ({ target }) => ['proxy', '127.0.0.1:0', target, '--metrics', '127.0.0.1:0'],
    greetings: ['http'],
    said: /metrics at http:\/\/(\S+)\/metrics/,
  },
  'proxy-udp': {
    args: ({ target }) => ['proxy', 'udp://127.0.0.1:0', `udp://${target}`, '-i', '200ms'],
    greetings: ['datagrams'],
    isDatagram: true,
  },
  'proxy-udp-to-stream': {
    args: ({ target }) => ['proxy', 'udp://127.0.0.1:0', target, '--framing', 'length', '-i', '200ms'],
    greetings: ['datagrams'],
    isDatagram: true,
  },
};

const root = fileURLToPath(new URL('../..', import.meta.url));
const inNamespace = 'TNET_FUZZ_NAMESPACE';
/** How many clients there are at once. */
const atOnce = 64;
/** How long a server is looked at to see what it has open at rest. */
const restMs = 1_000;
/** How long no descriptor may come back until what is open counts as kept: what is behind has to be worked off first. */
const settleMs = 15_000;

interface Started {
  readonly child: ChildProcess;
  readonly stderr: () => string;
  readonly address: string;
}

async function start(args: readonly string[], said = listening): Promise<Started> {
  const child = spawn(process.execPath, [join(root, 'bin/tnet.js'), ...args], {
    stdio: ['pipe', 'ignore', 'pipe'],
    env: { ...process.env, NODE_ENV: undefined },
  });
  let text = '';
  const address = await new Promise<string>((resolve, reject) => {
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      text = text.length > 1_000_000 ? text.slice(-500_000) + chunk : text + chunk;
      const found = listening.exec(text) && said.exec(text)?.[1];
      if (found) resolve(found);
    });
    child.once('exit', () => reject(new Error(`tnet ${args.join(' ')} ended:\n${text}`)));
  });
  return { child, stderr: () => text, address };
}

/** Of a process and of all that it has started. */
function countDescriptors(pid: number): number {
  return processTree(pid).reduce((sum, one) => sum + countOf(one), 0);
}

/**
 * How many connections wait to be accepted. Those of clients that have long left are served all the same, one by one.
 * Source: proc_pid_net(5), the receive queue of a listening socket.
 */
function countWaiting(pid: number): number {
  const rows = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').matchAll(/ 0A [0-9A-F]{8}:([0-9A-F]{8}) /g);
  return Array.from(rows).reduce((sum, [, queue = '']) => sum + Number.parseInt(queue, 16), 0);
}

/** What a process polls with is not counted: it is opened once, for the first connection that wants it. */
function countOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/fd`).filter((fd) => !isPoll(`/proc/${pid}/fd/${fd}`)).length;
  } catch {
    return 0;
  }
}

function isPoll(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('anon_inode:');
  } catch {
    // Closed meanwhile.
    return true;
  }
}

function readAddress(address: string): { target: net.NetConnectOpts; port: number } {
  const [, host = '', digits = ''] = /^(?:udp:\/\/)?\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  const port = Number(digits);
  return { target: address.startsWith('/') ? { path: address } : { host, port }, port };
}

/** Clients that make no mistake: what a server opens once and keeps is open after them, and is not counted. */
async function warmUp(server: FuzzedServer, address: string, greetings: Greetings) {
  if (server.isDatagram) return;
  const { target } = readAddress(address);
  for (const kind of server.greetings) {
    for (const bytes of greetings[kind]) await runPlainClient(target, bytes);
  }
}

async function attack(
  server: FuzzedServer,
  address: string,
  greetings: Greetings,
  from: number,
  to: number,
  seed: number,
) {
  const own = server.greetings.flatMap((kind) => greetings[kind]);
  const all = [
    ...own,
    ...own,
    ...own,
    ...greetings.plain,
    ...Object.values(greetings).flat().slice(0, 40),
  ] as Buffer[];
  const { target, port } = readAddress(address);
  let next = from;
  const work = async () => {
    for (let n = next++; n < to; n = next++) {
      const random = createRandom(seed, n);
      if (server.isDatagram) {
        await runSender(port, [
          mutate(all, random).subarray(0, 65_507),
          mutate(all, random).subarray(0, 9_000),
        ]);
      } else await runClient(target, mutate(all, random), random);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}

/** What is wrong with a server after so many clients; undefined: nothing. */
async function fuzz(name: string, place: Place, greetings: Greetings, count: number, seed: number) {
  const server = servers[name];
  if (!server) throw new Error(`no server is called ${name}`);
  const { child, stderr, address } = await start(server.args(place), server.said);
  try {
    await warmUp(server, address, greetings);
    await attack(server, address, greetings, 0, Math.min(50, count), seed);
    const before = await countAtRest(child);
    await attack(server, address, greetings, 50, count, seed);
    const knock = server.hasInput && setInterval(() => child.stdin?.write('more\n'), 100);
    const after = await settle(child, before);
    if (knock) clearInterval(knock);
    if (child.exitCode !== null || child.signalCode !== null)
      return `ended with ${child.exitCode ?? child.signalCode}`;
    if (/TNET_E_INTERNAL|^ {4}at |node:internal|Uncaught/m.test(stderr())) return 'told of a fault';
    if (after > before) return `${before} descriptors became ${after}\n${listDescriptors(child.pid ?? 0)}`;
    return undefined;
  } finally {
    child.kill('SIGKILL');
    const text = stderr();
    if (/TNET_E_INTERNAL|^ {4}at |Uncaught/m.test(text)) console.log(text.slice(-3_000));
  }
}

/** The connections that a process still has, as ss(8) shows them, and how many descriptors of which kind. */
function listDescriptors(pid: number): string {
  const { stdout } = spawnSync('ss', ['-tuanpOo'], { encoding: 'utf8' });
  const lines = stdout.split('\n').filter((line) => line.includes(`pid=${pid},`));
  const kinds = new Map<string, number>();
  for (const fd of readdirSync(`/proc/${pid}/fd`)) {
    const kind = readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/:\[\d+\]$/, '');
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return [...lines, ...Array.from(kinds, ([kind, count]) => `${count} ${kind}`)].join('\n');
}

/**
 * How many descriptors there are when no connection is left, or when neither they nor the waiting connections have become
 * fewer for long enough.
 */
async function settle({ pid = 0 }: ChildProcess, wanted: number): Promise<number> {
  let deadline = performance.now() + settleMs;
  let count = countDescriptors(pid);
  let least = { count, waiting: Infinity };
  while (performance.now() < deadline && count > wanted) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    count = countDescriptors(pid);
    const waiting = countWaiting(pid);
    if (count < least.count || waiting < least.waiting) deadline = performance.now() + settleMs;
    least = { count: Math.min(count, least.count), waiting: Math.min(waiting, least.waiting) };
  }
  return count;
}

/** How many descriptors a server has when nobody calls it: the fewest that it has for a while. */
async function countAtRest({ pid = 0 }: ChildProcess): Promise<number> {
  const deadline = performance.now() + restMs;
  let least = countDescriptors(pid);
  while (performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    least = Math.min(least, countDescriptors(pid));
  }
  return Math.max(least, 1);
}

/** Runs this program once more, in a namespace of its own; undefined where none can be made. */
function runInNamespace(): number | undefined {
  const script = 'ip link set lo up && exec "$@"';
  for (const flags of [['-n'], ['-rn']]) {
    const words = ['sh', '-c', script, 'sh', process.execPath, ...process.argv.slice(1)];
    if (spawnSync('unshare', [...flags, 'sh', '-c', 'ip link set lo up']).status !== 0) continue;
    const env = { ...process.env, [inNamespace]: '1' };
    return spawnSync('unshare', [...flags, ...words], { stdio: 'inherit', env }).status ?? 1;
  }
  return undefined;
}

async function run(): Promise<boolean> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      connections: { type: 'string', default: '10000' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    },
  });
  const count = Number(values.connections);
  const seed = Number(values.seed);
  const names = positionals.length > 0 ? positionals : Object.keys(servers);
  const dir = mkdtempSync(join(tmpdir(), 'tnet-fuzz-'));
  const authority = createAuthority();
  const own = authority.issue('localhost', 'DNS:localhost,IP:127.0.0.1');
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const { port } = echo.address() as net.AddressInfo;
  const greetings = await makeGreetings(port);
  const place = { target: `127.0.0.1:${port}`, own: [own.certFile, own.keyFile], dir };
  let findings = 0;
  for (const name of names) {
    if (servers[name]?.dialsAnywhere && process.env[inNamespace] === undefined) {
      console.log(`${name}: left out: no network namespace can be made here`);
      continue;
    }
    const startedAt = performance.now();
    const finding = await fuzz(name, place, greetings, count, seed);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    console.log(`${name}: ${count} connections, seed ${seed}, ${seconds} s: ${finding ?? 'sound'}`);
    if (finding !== undefined) findings++;
  }
  echo.close();
  authority.remove();
  rmSync(dir, { recursive: true, force: true });
  return findings === 0;
}

const inside = process.env[inNamespace] === undefined ? runInNamespace() : undefined;
process.exitCode = inside ?? ((await run()) ? 0 : 1);
