/** What the parts of the soak share: chance, the pattern that is sent, and what was seen. */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createBytes, listDescriptors } from './checks.ts';

const pattern = createBytes(65_537);
const doubled = Buffer.concat([pattern, pattern]);

/** How often each thing has happened. */
export const tally: Record<string, number> = {};
/** What was wrong. */
export const faults: string[] = [];

export function note(what: string): void {
  tally[what] = (tally[what] ?? 0) + 1;
}

let seed = 0;

/** Source: Numerical Recipes' 32-bit generator; one seed replays the choices, if not the kernel's timing. */
export function random(below: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
  return Math.floor((seed / 2 ** 32) * below);
}

export function setSeed(first: number): void {
  seed = first;
}

/** What stands at `offset` of every stream: a period of 65537, so that no power of two hides a shift. */
export function patternAt(offset: number, length: number): Buffer {
  const start = offset % pattern.length;
  return doubled.subarray(start, start + length);
}

/** Notes a fault where `chunk` is not what stands at `offset`. */
export function checkBytes(offset: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length; at += pattern.length) {
    const part = chunk.subarray(at, at + pattern.length);
    if (!part.equals(patternAt(offset + at, part.length))) faults.push(`bytes differ near ${offset}`);
  }
}

export function whenWritable(socket: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
  });
}

export function countSockets(): number {
  return listDescriptors().filter((line) => line.includes('socket:')).length;
}

/** A reset waits up to a second for what was sent before it. */
export async function checkSocketsLeft(before: number, where: string): Promise<void> {
  for (let waits = 0; waits < 40 && countSockets() > before; waits++) await delay(100);
  const left = countSockets() - before;
  if (left > 0) faults.push(`${where}: ${left} sockets are left of ${describeSockets()}`);
}

/** Every open socket: the addresses and the state of one of TCP as /proc/net/tcp has them, else its inode alone. */
function describeSockets(): string {
  const rows = readFileSync('/proc/net/tcp', 'latin1').split('\n');
  const inodes = listDescriptors().flatMap((line) => /socket:\[(\d+)\]/.exec(line)?.[1] ?? []);
  const describe = (inode: string) =>
    rows.map((row) => row.trim().split(/\s+/)).find((row) => row[9] === inode) ?? [, inode];
  return inodes.map((inode) => describe(inode).slice(1, 5).join(' ')).join(', ');
}

/** A server's listening descriptor. */
export function fdOf(server: net.Server): number {
  return (server as unknown as { _handle: { fd: number } })._handle.fd;
}

export function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}
