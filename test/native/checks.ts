import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Readable } from 'node:stream';

/** All that a stream gives. Not by async iteration, which would destroy a socket that still writes. */
export async function collect(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  if (!stream.readableEnded) await once(stream, 'end');
  return Buffer.concat(chunks);
}

/** Bytes that show every loss, doubling and swap. */
export function createBytes(length: number): Buffer {
  return randomBytes(length);
}

/** Every descriptor of this process that is no directory, by what it is. */
export function listDescriptors(): string[] {
  const listed = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return `${fd} ${readlinkSync(`/proc/self/fd/${fd}`)}`;
    } catch {
      return '';
    }
  });
  return listed.filter((line) => line !== '' && !line.includes('/proc/')).sort();
}

/** The open file's flags, octal, as /proc has them. Source: proc(5), fdinfo. */
export function readFlags(fd: number): string {
  return /^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '';
}

/** Resolves when `condition` holds; it is asked again in every turn of the event loop. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}

/** A flow that the test needs: an engine that declines is a failure. */
export function must<T>(flow: T | undefined): T {
  if (flow === undefined) throw new Error('the native engine declined the flow');
  return flow;
}
