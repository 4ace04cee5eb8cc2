import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Duplex, Readable } from 'node:stream';
import type { ExecutionContext } from 'ava';

/** Everything that a stream gives until its end. A stream that has ended without a byte gives none. */
export async function collect(stream: Readable): Promise<Buffer> {
  if (stream.readableEnded) return Buffer.alloc(0);
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.resume();
  await new Promise<void>((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', reject);
  });
  return Buffer.concat(chunks);
}

/** Everything that a stream gives until it ends or breaks, with the error that broke it. */
export async function collectUntilClose(stream: Readable): Promise<{ bytes: Buffer; error?: Error }> {
  const chunks: Buffer[] = [];
  let error: Error | undefined;
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  stream.resume();
  stream.on('error', (failure) => {
    error = failure;
  });
  await new Promise<void>((resolve) => {
    stream.once('end', resolve);
    stream.once('close', resolve);
  });
  return { bytes: Buffer.concat(chunks), ...(error && { error }) };
}

/** Random bytes: no two tests send the same, and a byte out of place shows. */
export function payload(bytes: number): Buffer {
  return randomBytes(bytes);
}

/** Compares whole buffers; a difference is told by place, not by megabytes of dump. */
export function sameBytes(t: ExecutionContext, actual: Buffer, expected: Buffer): void {
  if (actual.equals(expected)) {
    t.pass();
    return;
  }
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  t.fail(
    `${actual.length} bytes instead of ${expected.length}; they differ from byte ${at < 0 ? 'the end' : at} on`,
  );
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Sends, then reads so many bytes. */
export async function ask(socket: Duplex, sent: Buffer | string, bytes: number): Promise<Buffer> {
  socket.write(sent);
  let got = Buffer.alloc(0);
  while (got.length < bytes) {
    const next = once(socket, 'data');
    socket.resume();
    const [chunk] = (await next) as [Buffer];
    got = Buffer.concat([got, chunk]);
  }
  socket.pause();
  return got;
}
