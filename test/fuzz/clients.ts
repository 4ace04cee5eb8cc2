import dgram from 'node:dgram';
import net from 'node:net';
import tls from 'node:tls';
import type { Random } from '../../src/transform/random.ts';

const below = (random: Random, limit: number) => Math.floor(random() * limit);

/** Raw bytes, or a greeting with mistakes in it. */
export function mutate(greetings: readonly Buffer[], random: Random): Buffer {
  const draw = () => greetings[below(random, greetings.length)] ?? Buffer.alloc(0);
  if (below(random, 6) === 0)
    return Buffer.from(Array.from({ length: below(random, 80) }, () => below(random, 256)));
  let bytes = Buffer.from(draw());
  for (let edits = below(random, 5); edits > 0; edits--) {
    const at = below(random, bytes.length + 1);
    const more = Math.min(bytes.length, at + 1 + below(random, 20));
    switch (below(random, 6)) {
      case 0:
        if (at < bytes.length) bytes[at] = below(random, 256);
        break;
      case 1:
        if (at < bytes.length) bytes[at]! ^= 1 << below(random, 8);
        break;
      case 2:
        bytes = bytes.subarray(0, at);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(more)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, more), bytes.subarray(at)]);
        break;
      case 5:
        bytes = Buffer.concat([bytes.subarray(0, at), draw()]);
        break;
    }
  }
  return bytes;
}

/** How long a client waits for a server that says nothing and does not leave. */
const patienceMs = 300;

/** One client: sends the bytes in pieces, and leaves in one of the ways in which clients leave. */
export async function runClient(target: net.NetConnectOpts, bytes: Buffer, random: Random): Promise<void> {
  const isSecure = below(random, 60) === 0;
  const socket: net.Socket = net.connect({ ...target, allowHalfOpen: true });
  const client = isSecure ? tls.connect({ socket, rejectUnauthorized: false }) : socket;
  const over = new Promise<void>((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  client.on('error', () => undefined);
  const timer = setTimeout(() => socket.destroy(), patienceMs + below(random, 100));
  client.resume();
  const pieces = 1 + below(random, 3);
  for (let piece = 0; piece < pieces; piece++) {
    const [from, to] = [piece, piece + 1].map((n) => Math.floor((bytes.length * n) / pieces));
    client.write(bytes.subarray(from, to));
    if (below(random, 2) === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  // A Unix socket knows no reset.
  const reset = () => {
    if ('path' in target) socket.destroy();
    else socket.resetAndDestroy();
  };
  const ways = [
    () => client.end(),
    () => socket.destroy(),
    reset,
    () => client.once('data', reset),
    () => client.end(() => setImmediate(reset)),
    () => undefined,
  ];
  ways[below(random, ways.length)]?.();
  socket.once('end', () => setImmediate(() => socket.destroy()));
  await over;
  clearTimeout(timer);
}

/** One client that does what clients do: sends all, ends its side and takes what comes. */
export async function runPlainClient(target: net.NetConnectOpts, bytes: Buffer): Promise<void> {
  const socket: net.Socket = net.connect({ ...target, allowHalfOpen: true });
  socket.on('error', () => undefined);
  const timer = setTimeout(() => socket.destroy(), patienceMs);
  socket.resume().end(bytes);
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  clearTimeout(timer);
}

/** One sender of datagrams. */
export async function runSender(port: number, datagrams: readonly Buffer[]): Promise<void> {
  const socket = dgram.createSocket('udp4');
  socket.on('error', () => undefined);
  for (const datagram of datagrams) {
    await new Promise((resolve) => socket.send(datagram, port, '127.0.0.1', resolve));
  }
  socket.close();
}
