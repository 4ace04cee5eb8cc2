import { once } from 'node:events';
import { existsSync, readFileSync, renameSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import type { ExecutionContext } from 'ava';
import { dial } from '../../src/dial/dial.ts';
import { collect } from './bytes.ts';
import type { Pair } from './certificates.ts';
import { startPacketServer } from './messages.ts';
import { dialWebSocket, startStreamServer } from './net/websockets.ts';
import { connectPeer, startPeerServer } from './peers.ts';
import { tempDir } from './temp.ts';
import { startTlsServer } from './tls-server.ts';

/** Which side ends its direction first. The other one sends everything only after that. */
export type Order = 'client' | 'server';

/** What crosses one connection, in the chunks in which it is written. */
export interface Exchange {
  readonly question: readonly Buffer[];
  readonly answer: readonly Buffer[];
}

/** A kind of LISTEN: the address, and how its clients connect once the proxy has said what it bound. */
export interface ClientKind {
  readonly name: string;
  readonly needsAddon?: boolean;
  readonly address: (t: ExecutionContext) => string;
  readonly open: (t: ExecutionContext, bound: string) => Promise<Duplex>;
}

/** What a target is for the client of one exchange. */
export interface TargetRun {
  /** What the client has to get. */
  readonly answer: Buffer;
  /** What the target has got, once it has read to the end; absent where the answer alone shows it. */
  readonly got?: Promise<Buffer>;
  /** The client sends when so many bytes have come, and ends its side after the target. Default: as the order says. */
  readonly readyBytes?: number;
}

export interface Target {
  readonly words: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Called before the client connects, for one client at a time. */
  readonly run: (exchange: Exchange, order: Order) => TargetRun;
}

export interface TargetKind {
  readonly name: string;
  readonly needsAddon?: boolean;
  readonly orders: readonly Order[];
  readonly start: (t: ExecutionContext, certificate: Pair) => Promise<Target>;
}

const bothOrders: readonly Order[] = ['client', 'server'];

const portIn = (address: string) => Number(/:(\d+)\/?$/.exec(address)![1]);

export function sendAll(stream: Duplex, chunks: readonly Buffer[]): void {
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
}

export const clientKinds: readonly ClientKind[] = [
  { name: 'tcp', address: () => '127.0.0.1:0', open: connectPeer },
  { name: 'unix', address: (t) => join(tempDir(t), 's'), open: connectPeer },
  {
    name: 'ws',
    address: () => 'ws://127.0.0.1:0',
    open: (t, bound) => dialWebSocket(t, portIn(bound)),
  },
  {
    name: 'tls',
    address: () => 'tls://127.0.0.1:0',
    async open(t, bound) {
      const settings = { host: '127.0.0.1', port: portIn(bound), rejectUnauthorized: false };
      const socket = tls.connect({ ...settings, allowHalfOpen: true } as tls.ConnectionOptions);
      t.teardown(() => socket.destroy());
      await once(socket, 'secureConnect');
      return socket;
    },
  },
  {
    name: 'unix-seqpacket',
    needsAddon: true,
    address: (t) => `unix-seqpacket:${join(tempDir(t), 's')}`,
    async open(t, bound) {
      const path = bound.replace(/^unix-seqpacket:/, '');
      const connection = await dial({ kind: 'unix-seqpacket', path });
      t.teardown(() => connection.destroy());
      return connection;
    },
  },
];

/** A target that is served here: its address, and the next client's stream. */
function serveHere(words: string, next: () => Promise<Duplex>, settings: Target['settings'] = {}): Target {
  const serve = async ({ answer }: Exchange, order: Order): Promise<Buffer> => {
    const stream = await next();
    const got = collect(stream);
    if (order === 'client') await got;
    sendAll(stream, answer);
    return got;
  };
  return {
    words,
    settings,
    run: (exchange, order) => ({ answer: Buffer.concat(exchange.answer), got: serve(exchange, order) }),
  };
}

/** A program that sends the client's bytes back. */
function copyBack(words: string): TargetKind {
  return {
    name: words,
    orders: ['client'],
    start: () => Promise.resolve({ words, run: ({ question }) => ({ answer: Buffer.concat(question) }) }),
  };
}

/** Settles with the bytes of a file that appears, in one piece, in a folder. */
function untilFile(dir: string, name: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const watcher = watch(dir, look);
    function look(): void {
      if (!existsSync(join(dir, name))) return;
      watcher.close();
      resolve(readFileSync(join(dir, name)));
    }
    watcher.once('error', reject);
  });
}

/** A program that stores what it reads, and closes its stdout before or after that. */
function startProgram(t: ExecutionContext, prefix: 'exec:sh ' | 'sh:. '): Target {
  const dir = tempDir(t);
  writeFileSync(join(dir, 'client'), 'cat > part; cat answer; mv part got\n');
  writeFileSync(join(dir, 'server'), 'cat answer; exec >&-; cat > part; mv part got\n');
  writeFileSync(join(dir, 'program'), `cd ${dir} && . ./order\n`);
  return {
    words: `${prefix}${join(dir, 'program')}`,
    run({ answer }, order) {
      rmSync(join(dir, 'got'), { force: true });
      writeFileSync(join(dir, 'answer'), Buffer.concat(answer));
      writeFileSync(join(dir, 'next'), readFileSync(join(dir, order)));
      renameSync(join(dir, 'next'), join(dir, 'order'));
      return { answer: Buffer.concat(answer), got: untilFile(dir, 'got') };
    },
  };
}

/** A terminal that copies so many bytes as they are: in raw mode, no byte is an end. */
function startTerminal(t: ExecutionContext): Target {
  const dir = tempDir(t);
  const program = join(dir, 'program');
  writeFileSync(program, `stty raw -echo; echo ready; head -c "$(cat ${dir}/size)"\n`);
  return {
    words: `pty:sh ${program}`,
    run({ question }) {
      const bytes = Buffer.concat(question);
      writeFileSync(join(dir, 'size'), String(bytes.length));
      const ready = Buffer.from('ready\n');
      return { answer: Buffer.concat([ready, bytes]), readyBytes: ready.length };
    },
  };
}

export const targetKinds: readonly TargetKind[] = [
  ...(['tcp', 'unix'] as const).map((family): TargetKind => {
    const start: TargetKind['start'] = async (t) => {
      const { target, accept } = await startPeerServer(t, family);
      return serveHere('path' in target ? target.path : `127.0.0.1:${target.port}`, accept);
    };
    return { name: family, orders: bothOrders, start };
  }),
  {
    name: 'ws',
    orders: bothOrders,
    async start(t) {
      const { port, next } = await startStreamServer(t);
      return serveHere(`ws://127.0.0.1:${port}`, next);
    },
  },
  {
    name: 'tls',
    orders: bothOrders,
    async start(t, certificate) {
      const waiting: ((stream: Duplex) => void)[] = [];
      const { port } = await startTlsServer(t, certificate, (socket) => waiting.shift()!(socket));
      const next = () => new Promise<Duplex>((resolve) => waiting.push(resolve));
      return serveHere(`127.0.0.1:${port}`, next, { tlsOut: true, tlsInsecure: true });
    },
  },
  {
    name: 'unix-seqpacket',
    needsAddon: true,
    orders: bothOrders,
    async start(t) {
      const path = join(tempDir(t), 's');
      const { accept } = await startPacketServer(t, { kind: 'unix-seqpacket', path });
      return serveHere(`unix-seqpacket:${path}`, accept);
    },
  },
  copyBack('exec:cat'),
  copyBack('sh:cat'),
  { name: 'exec', orders: bothOrders, start: (t) => Promise.resolve(startProgram(t, 'exec:sh ')) },
  { name: 'sh', orders: bothOrders, start: (t) => Promise.resolve(startProgram(t, 'sh:. ')) },
  {
    name: 'pty',
    needsAddon: true,
    orders: ['server'],
    start: (t) => Promise.resolve(startTerminal(t)),
  },
];
