import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { Server, Socket, connect } from '../../src/net/index.ts';
import { descriptorOf } from '../../src/net/tuning.ts';
import { createRandom, type Random } from '../../src/transform/random.ts';

/** How a client says where it wants to go, before its stream. */
export type Greeting = 'socks' | 'http-connect';

export interface ChaosOptions {
  readonly seed: number;
  /** What part of the usual bytes is sent; less where looking at them takes long. Default 1. */
  readonly scale?: number | undefined;
  readonly connections: number;
  /** How many of them there are at once. */
  readonly concurrency: number;
  /** Where the clients connect to: what is under test. */
  readonly address: { readonly host: string; readonly port: number };
  readonly greeting?: Greeting | undefined;
  /** Clients speak TLS. */
  readonly secureClients?: boolean;
}

/** What went wrong, one line each; none when all is well. */
export interface ChaosReport {
  readonly faults: readonly string[];
  /** How often each kind of end was seen, for a look at what a run has been through. */
  readonly tally: Readonly<Record<string, number>>;
  readonly sides: readonly Side[];
}

/** One side's part, drawn from the seed. */
interface Part {
  readonly bytes: number;
  readonly chunkBytes: number;
  readonly pauseMs: number;
  readonly reader: 'fast' | 'slow' | 'none';
  /** `fin`: half-closes, and waits for the other side's end. `close` and `reset`: leaves, whatever comes. */
  readonly end: 'fin' | 'close' | 'reset';
  /** The most that a side that leaves stays. */
  readonly stayMs: number;
  readonly receiveBufferBytes: number | undefined;
}

/** What a side has done and seen. Its number is in the first bytes of its stream, so that the other side can be found. */
export interface Side {
  /** Its port is what the proxy's events name it by. */
  readonly name: string;
  readonly number: number;
  readonly part: Part;
  /** Bytes that were given to the system, and those that it has taken. */
  given: number;
  taken: number;
  received: number;
  /** The number of the other side, once its first bytes are here. */
  other: number | undefined;
  /** The other side's stream has come to its end in order. */
  hasSeenEnd: boolean;
  /** Its stream may come to an end in order: after all that it has given (`whole`), or less, which it left unsent. */
  ending: 'whole' | 'part' | undefined;
  error: string | undefined;
}

const headerBytes = 4;
const periodBytes = 65_537;
/** A slow reader pauses after so many of its chunks: every run has to come to an end. */
const slowChunksMost = 100;
/** What is open when nobody has sent or received anything for so long hangs. A busy machine may take longer for one. */
const stillMs = 20_000;
/** When a byte, an end or a connection of this process's sides last moved, on performance.now()'s clock. */
let movedAt = 0;
const noteMove = () => (movedAt = performance.now());

const pattern = (() => {
  const random = createRandom(0, 'chaos');
  const bytes = Buffer.from(Array.from({ length: periodBytes }, () => Math.floor(random() * 256)));
  return Buffer.concat([bytes, bytes, bytes]);
})();

/** The bytes of a side's stream from `offset` on. */
function streamOf(side: 'client' | 'server', number: number, offset: number, length: number): Buffer {
  const start = (number * 7919 + (side === 'client' ? 0 : 31_337) + offset) % periodBytes;
  const bytes = Buffer.from(pattern.subarray(start, start + length));
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32BE(number);
  if (offset < headerBytes) header.copy(bytes, 0, offset);
  return bytes;
}

function drawPart(random: Random, scale: number): Part {
  const pick = <Value>(...values: readonly Value[]) => values[Math.floor(random() * values.length)]!;
  const end = pick('fin', 'fin', 'fin', 'close', 'reset');
  const leaves = end !== 'fin';
  const most = scale * pick(0, 1, 1_000, 60_000, 60_000, 400_000, 2_000_000);
  return {
    // Without its number a side cannot be told from another.
    bytes: headerBytes + Math.floor(random() * most),
    chunkBytes: Math.max(pick(100, 1_460, 16_384, 60_000, 60_000), Math.ceil(most / 100)),
    pauseMs: pick(0, 0, 0, 1, 5),
    reader: leaves ? pick('fast', 'slow', 'none', 'none') : pick('fast', 'fast', 'slow'),
    end,
    stayMs: pick(0, 5, 50, 300),
    // The smallest takes some 20 kB a second, which is for those who do not wait for the end.
    receiveBufferBytes: pick(leaves ? 2_048 : 32_768, 32_768, undefined, undefined),
  };
}

/** Whether it settles before all stands still. */
async function settlesInTime(settled: Promise<void>): Promise<boolean> {
  const done = settled.then(() => true);
  for (let leftMs = stillMs; leftMs > 0; leftMs = movedAt + stillMs - performance.now()) {
    const waiting = new AbortController();
    const rest = delay(leftMs, false, { signal: waiting.signal }).catch(() => false);
    const isSettled = await Promise.race([done, rest]);
    waiting.abort();
    if (isSettled) return true;
  }
  return false;
}

/** Sends, reads and leaves as the part says. Settles when the socket is closed. */
async function play(socket: net.Socket, kind: 'client' | 'server', side: Side): Promise<void> {
  const { part } = side;
  const otherKind = kind === 'client' ? 'server' : 'client';
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  let early = Buffer.alloc(0);
  let slowChunks = slowChunksMost;
  const take = (bytes: Buffer): void => {
    if (side.other === undefined) {
      early = Buffer.concat([early, bytes]);
      if (early.length < headerBytes) return;
      side.other = early.readUInt32BE();
      bytes = early;
    }
    for (let at = 0; at < bytes.length; at += periodBytes) {
      const some = bytes.subarray(at, at + periodBytes);
      if (!some.equals(streamOf(otherKind, side.other, side.received + at, some.length)))
        side.error ??= `wrong bytes near ${side.received + at}: ${some.toString('latin1', 0, 40)}`;
    }
    side.received += bytes.length;
    noteMove();
  };
  socket.on('error', (error: NodeJS.ErrnoException) => (side.error ??= error.code ?? error.message));
  socket.on('close', noteMove);
  socket.on('end', () => (side.hasSeenEnd = true));
  if (part.reader !== 'none') {
    socket.on('data', (chunk: Buffer) => {
      take(chunk);
      if (part.reader === 'fast' || slowChunks-- <= 0) return;
      socket.pause();
      setTimeout(() => socket.resume(), 1 + (chunk.length % 3));
    });
    socket.resume();
  }
  const timer = part.end === 'fin' ? undefined : setTimeout(() => leave(socket, side), part.stayMs + 30);
  const over = settlesInTime(closed).then((isClosed) => {
    if (isClosed) return;
    side.error = `hangs: ${JSON.stringify({ ...side, error: side.error })}`;
    socket.destroy();
  });
  await send(socket, kind, side);
  if (part.end === 'fin') {
    socket.end(() => (side.ending = 'whole'));
  } else if (side.taken === part.bytes) {
    await delay(part.stayMs);
    leave(socket, side);
  }
  await over;
  clearTimeout(timer);
}

function leave(socket: net.Socket, side: Side): void {
  if (socket.destroyed) return;
  if (side.part.end === 'reset') return void socket.resetAndDestroy();
  // The system sends what it has taken, and then the end; of TLS it knows nothing.
  const isSecure = socket instanceof Socket && socket.secureLayer !== undefined;
  if (!isSecure) side.ending = side.taken === side.part.bytes ? 'whole' : 'part';
  socket.destroy();
}

async function send(socket: net.Socket, kind: 'client' | 'server', side: Side): Promise<void> {
  const { bytes, chunkBytes, pauseMs } = side.part;
  while (side.given < bytes && !socket.destroyed) {
    const chunk = streamOf(kind, side.number, side.given, Math.min(chunkBytes, bytes - side.given));
    side.given += chunk.length;
    // Also called when the socket is destroyed.
    const isTaken = await new Promise<boolean>((resolve) => socket.write(chunk, (error) => resolve(!error)));
    if (!isTaken) return;
    side.taken += chunk.length;
    noteMove();
    if (pauseMs > 0 && side.given % 4 === 0) await delay(pauseMs);
  }
}

function tune(socket: net.Socket, { receiveBufferBytes }: Part): void {
  const fd = descriptorOf(socket);
  if (receiveBufferBytes === undefined || fd === undefined) return;
  loadNativeAddon()?.setOption(fd, 'rcvbuf', receiveBufferBytes);
}

function createSide(
  { seed, scale = 1 }: Pick<ChaosOptions, 'seed' | 'scale'>,
  name: 'client' | 'server',
  number: number,
  port = 0,
): Side {
  const part = drawPart(createRandom(seed, name, number), scale);
  const counts = { given: 0, taken: 0, received: 0 };
  const seen = { other: undefined, hasSeenEnd: false, ending: undefined, error: undefined };
  return {
    name: `${name} ${number} at ${port} (${part.end}, reads ${part.reader})`,
    number,
    part,
    ...counts,
    ...seen,
  };
}

/** The servers' side of a run: the target of what is under test. */
export interface ChaosServer {
  readonly port: number;
  readonly sides: Side[];
  /** Settles when no connection is open. */
  readonly idle: () => Promise<void>;
  readonly close: () => void;
}

export interface ChaosServerOptions extends Pick<ChaosOptions, 'seed' | 'scale'> {
  /** Servers speak TLS. */
  readonly secure?: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

/** Starts the server that a proxy under test is to relay to. */
export async function startChaosServer(options: ChaosServerOptions): Promise<ChaosServer> {
  const { secure } = options;
  const sides: Side[] = [];
  const playing = new Set<Promise<void>>();
  const accept = (socket: net.Socket) => {
    const side = createSide(options, 'server', sides.length, socket.remotePort);
    sides.push(side);
    tune(socket, side.part);
    const done = begin(socket, side).finally(() => playing.delete(done));
    playing.add(done);
  };
  const begin = async (socket: net.Socket, side: Side) => {
    if (secure && !(await trySecure(socket as unknown as Socket, { isServer: true, ...secure }))) return;
    await play(socket, 'server', side);
  };
  const server = secure
    ? new Server({ allowHalfOpen: true, dataBeforeError: true }, accept)
    : net.createServer({ allowHalfOpen: true }, accept);
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 });
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    sides,
    async idle() {
      while (playing.size > 0) await Promise.all(playing);
    },
    close: () => void server.close(),
  };
}

async function trySecure(socket: Socket, options: Parameters<Socket['setSecure']>[0]): Promise<boolean> {
  socket.on('error', () => undefined);
  const closed = new Promise<boolean>((resolve) => socket.once('close', () => resolve(false)));
  socket.setSecure({ rejectUnauthorized: false, ...options });
  return Promise.race([
    closed,
    new Promise<boolean>((resolve) => socket.once('secure', () => resolve(true))),
  ]);
}

async function greet(socket: net.Socket, greeting: Greeting, port: number): Promise<boolean> {
  const isSocks = greeting === 'socks';
  const request = isSocks
    ? Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255])
    : Buffer.from(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
  let answer = Buffer.alloc(0);
  const answerBytes = () =>
    isSocks ? 12 : answer.indexOf('\r\n\r\n') < 0 ? Infinity : answer.indexOf('\r\n\r\n') + 4;
  return new Promise((resolve) => {
    // A target that resets at once may not have been there yet: then the answer is a refusal, and no stream follows.
    const isGranted = () => (isSocks ? answer[3] === 0 : answer.toString('latin1', 0, 12) === 'HTTP/1.1 200');
    const settle = (isServed: boolean) => {
      socket.pause();
      socket.off('data', onData).off('end', onGone).off('close', onGone);
      if (isServed) socket.unshift(answer.subarray(answerBytes()));
      resolve(isServed);
    };
    const onData = (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= answerBytes()) settle(isGranted());
    };
    const onGone = () => settle(false);
    socket.on('data', onData).on('end', onGone).on('close', onGone);
    socket.write(request);
  });
}

async function runClient(options: ChaosOptions, number: number, port: number): Promise<Side> {
  const ends = { ...options.address, allowHalfOpen: true };
  const socket = options.secureClients ? connect({ ...ends, dataBeforeError: true }) : net.connect(ends);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  const side = createSide(options, 'client', number, socket.localPort);
  tune(socket, side.part);
  const isThere =
    (!options.secureClients || (await trySecure(socket as unknown as Socket, {}))) &&
    (options.greeting === undefined || (await greet(socket, options.greeting, port)));
  if (isThere) await play(socket, 'client', side);
  else if (!socket.destroyed) socket.destroy();
  return side;
}

/**
 * Joins random clients to a server through what is under test, and compares what each side got with what the other
 * sent. The two runs of one seed do the same, as far as the machine lets them.
 */
export async function runChaos(options: ChaosOptions, server: ChaosServer): Promise<ChaosReport> {
  const clients: Side[] = [];
  let next = 0;
  const work = async () => {
    while (next < options.connections) clients.push(await runClient(options, next++, server.port));
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  await server.idle();
  const faults: string[] = [];
  const tally: Record<string, number> = {};
  const byNumber = (sides: readonly Side[], number: number | undefined) =>
    sides.find((side) => side.number === number);
  for (const [sides, others] of [
    [clients, server.sides],
    [server.sides, clients],
  ] as const) {
    for (const side of sides) {
      const other = byNumber(others, side.other) ?? others.find((one) => one.other === side.number);
      faults.push(...judge(side, other));
      const end = side.error ?? (side.hasSeenEnd ? 'end' : 'left');
      const kind = `${sides === clients ? 'client' : 'server'} ${side.part.end}: ${end.replace(/ .*/s, '')}`;
      tally[kind] = (tally[kind] ?? 0) + 1;
    }
  }
  return { faults, tally, sides: [...clients, ...server.sides] };
}

/** What is wrong with what a side has seen of the other. */
function judge(side: Side, other: Side | undefined): string[] {
  const { name, error, received, hasSeenEnd } = side;
  const faults: string[] = [];
  if (error !== undefined && /^(wrong|hangs)/.test(error)) faults.push(`${name}: ${error}`);
  if (!other) {
    // It has sent nothing, or was cut before its first bytes had come: only an end in order would be wrong.
    if (received > 0) faults.push(`${name}: has bytes of nobody`);
    return faults;
  }
  const counts = `${received} of ${other.given} bytes (${other.taken} taken) of ${other.name}`;
  if (received > other.given) faults.push(`${name}: ${counts}`);
  if (hasSeenEnd && (other.ending === undefined || (other.ending === 'whole' && received !== other.taken)))
    faults.push(`${name}: an end in order after ${counts}, whose own was ${other.ending ?? 'none'}`);
  const isOrderly = side.part.end === 'fin' && other.part.end === 'fin';
  if (isOrderly && (error !== undefined || received !== other.part.bytes))
    faults.push(`${name}: ${error ?? 'cut'} after ${counts}`);
  return faults;
}
