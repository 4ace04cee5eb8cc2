import { once } from 'node:events';
import { spawn } from 'node:child_process';
import net from 'node:net';
import type { ExecutionContext } from 'ava';
import { Toxiproxy, type Proxy, type ToxicAttributeTypes, type ToxicDirection } from 'toxiproxy-node-client';
import { closedPort } from './cli.ts';
import { startControlled } from './control.ts';
import { connectPeer, toTarget } from './peers.ts';
import { findProgram } from './programs.ts';
import { startEcho } from './proxy.ts';

/** A server of toxiproxy's interface. */
export interface ToxiproxyServer {
  readonly url: string;
  readonly client: Toxiproxy;
}

/** `tnet proxy --control` without a pair. */
export async function startControl(t: ExecutionContext, ...words: string[]): Promise<ToxiproxyServer> {
  const { address } = await startControlled(t, ...words);
  const url = `http://${address}`;
  return { url, client: new Toxiproxy(url) };
}

/** Where toxiproxy itself is installed; undefined: it is not. */
export const realToxiproxy = findProgram('toxiproxy-server');

/** toxiproxy itself, on a free port. */
export async function startRealToxiproxy(t: ExecutionContext): Promise<ToxiproxyServer> {
  const [port = 0] = await findPorts(1);
  const child = spawn(realToxiproxy ?? '', ['-host', '127.0.0.1', '-port', String(port), '-proxy-metrics'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  child.stderr.resume();
  await once(child.stdout, 'data');
  child.stdout.resume();
  const url = `http://127.0.0.1:${port}`;
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    const isThere = await new Promise((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return { url, client: new Toxiproxy(url) };
  }
}

/** Ports on which nobody listens, and that no system chooses by itself. */
export async function findPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = await closedPort();
    // Those of the calls' upstream stay as they are.
    if (port < 20_000 || port > 20_002) ports.add(port);
  }
  return [...ports];
}

let proxies = 0;

/**
 * A proxy of its own before an echo server, unless it says otherwise. Its port is nobody else's when it is disabled, too:
 * one of the system's would be given to another listener by the time it is enabled again.
 */
export async function makeProxy(
  t: ExecutionContext,
  { client }: ToxiproxyServer,
  upstream?: string,
): Promise<Proxy> {
  const name = `proxy ${++proxies}`;
  const [port = 0] = await findPorts(1);
  const listen = `127.0.0.1:${port}`;
  return client.createProxy({ name, listen, upstream: upstream ?? (await startEcho(t)) });
}

export const connectTo = (t: ExecutionContext, proxy: Proxy) => connectPeer(t, proxy.listen);

export function addToxic(
  proxy: Proxy,
  type: Parameters<Proxy['addToxic']>[0]['type'],
  attributes: ToxicAttributeTypes,
  options: { readonly stream?: ToxicDirection; readonly toxicity?: number; readonly name?: string } = {},
) {
  const { stream = 'downstream', toxicity = 1, name = `${type} ${stream}` } = options;
  return proxy.addToxic<ToxicAttributeTypes>({ name, type, stream, toxicity, attributes });
}

/** Milliseconds that something takes. */
export async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

/** How a connection ends for who only reads: its bytes, and the code of what broke it. */
export async function readToEnd(socket: net.Socket): Promise<{ bytes: Buffer; end: string }> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const end = await new Promise<string>((resolve) => {
    socket.once('end', () => resolve('end'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    socket.once('close', () => resolve('close'));
  });
  return { bytes: Buffer.concat(chunks), end };
}

/** Connects, sends something, and reads to the end. `ms` is from before the connection was there. */
export async function visit(t: ExecutionContext, address: string, sent: string | Buffer = '') {
  const startedAt = performance.now();
  const socket = net.connect({ ...toTarget(address), allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  if (sent.length > 0) socket.write(sent);
  const read = await readToEnd(socket);
  return { ...read, ms: performance.now() - startedAt };
}

/** Sends bytes to an echo; in which pieces they came back, and how long that took. */
export async function sendInPieces(
  socket: net.Socket,
  sent: Buffer,
): Promise<{ readonly chunks: Buffer[]; readonly ms: number }> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(sent);
  const ms = await timeOf(async () => {
    while (Buffer.concat(chunks).length < sent.length) await once(socket, 'data');
  });
  return { chunks, ms };
}
