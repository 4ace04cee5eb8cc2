import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  createReadStream,
  createWriteStream,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { nativeStatus } from '../../src/native/addon.ts';
import { collect } from './checks.ts';

export { collect, createBytes, listDescriptors, must, readFlags, until } from './checks.ts';

/** AVA's test, or its skip with a printed reason when there is no addon. */
export const nativeTest = nativeStatus().used ? test.serial : test.serial.skip;
if (!nativeStatus().used) process.stdout.write(`skipped, no native engine: ${nativeStatus().reason ?? ''}\n`);

/** Sizes around the ones that the engine treats differently. */
export const sizes = [0, 1, 65_535, 65_536, 65_537, 8 * 1024 * 1024];

export type EndKind = 'tcp' | 'unix' | 'pipe' | 'file';
export const endKinds: readonly EndKind[] = ['tcp', 'unix', 'pipe', 'file'];

/** A new empty folder, removed after the test. */
export function createFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tnet-native-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Two connected sockets; both are destroyed after the test. */
export async function createSocketPair(
  t: ExecutionContext,
  kind: 'tcp' | 'unix' = 'tcp',
): Promise<[net.Socket, net.Socket]> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  if (kind === 'tcp') server.listen(0, '127.0.0.1');
  else server.listen(join(createFolder(t), 's'));
  await once(server, 'listening');
  const address = server.address();
  const where =
    typeof address === 'string' ? { path: address } : { host: '127.0.0.1', port: address?.port ?? 0 };
  const client = net.connect({ ...where, allowHalfOpen: true });
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(client, 'connect')]);
  server.close();
  const pair: [net.Socket, net.Socket] = [client, accepted as net.Socket];
  for (const socket of pair) {
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
  }
  return pair;
}

/** A named pipe's two ends, both blocking, as a shell's pipeline has them. */
export function createPipe(t: ExecutionContext): { readFd: number; writeFd: number } {
  const path = join(createFolder(t), 'pipe');
  execFileSync('mkfifo', [path]);
  const both = openSync(path, constants.O_RDWR);
  const pipe = { readFd: openSync(path, constants.O_RDONLY), writeFd: openSync(path, constants.O_WRONLY) };
  closeSync(both);
  return pipe;
}

/** One end of a flow, and the test's side of it. */
export interface SourceRig {
  readonly source: Readable | number;
  /** Sends `bytes` and then the end. */
  readonly feed: (bytes: Buffer) => void;
}

export interface SinkRig {
  readonly sink: net.Socket | number;
  /** What the flow has brought, to the end. Call it before the flow begins. */
  readonly collect: () => Promise<Buffer>;
  /** After the flow: gives up what the owner of the sink gives up. */
  readonly close: () => void;
}

export async function createSource(t: ExecutionContext, kind: EndKind, content: Buffer): Promise<SourceRig> {
  if (kind === 'tcp' || kind === 'unix') {
    const [peer, source] = await createSocketPair(t, kind);
    return { source, feed: (bytes) => void peer.end(bytes) };
  }
  if (kind === 'pipe') {
    const { readFd, writeFd } = createPipe(t);
    t.teardown(() => closeSync(readFd));
    return { source: readFd, feed: (bytes) => void createWriteStream('', { fd: writeFd }).end(bytes) };
  }
  const path = join(createFolder(t), 'source');
  writeFileSync(path, content);
  const fd = openSync(path, 'r');
  t.teardown(() => closeSync(fd));
  return { source: fd, feed: () => undefined };
}

export async function createSink(t: ExecutionContext, kind: EndKind): Promise<SinkRig> {
  if (kind === 'tcp' || kind === 'unix') {
    const [peer, sink] = await createSocketPair(t, kind);
    return { sink, collect: () => collect(peer), close: () => undefined };
  }
  if (kind === 'pipe') {
    const { readFd, writeFd } = createPipe(t);
    return {
      sink: writeFd,
      collect: () => collect(createReadStream('', { fd: readFd })),
      close: () => closeSync(writeFd),
    };
  }
  const path = join(createFolder(t), 'sink');
  const fd = openSync(path, 'w');
  const done = Promise.withResolvers<Buffer>();
  return {
    sink: fd,
    collect: () => done.promise,
    close: () => {
      closeSync(fd);
      done.resolve(readFileSync(path));
    },
  };
}
