import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import type { NativeAddon } from '../native/addon.ts';
import { socketKinds } from '../native/messages.ts';
import type { PipeHandle } from './handles.ts';
import { calling } from './message-calls.ts';

type PipeClass = new (type: number) => PipeHandle;

/** Source: PipeWrap of Node, `SOCKET` and `SERVER`. */
const pipeTypes = { connection: 0, server: 1 } as const;

let pipeClass: PipeClass | undefined;

/**
 * libuv's handle for a stream socket of a kind that node:net does not recognise by its descriptor. It reads, writes,
 * accepts and half-closes like any other.
 *
 * @param fd belongs to the handle from now on
 * @throws the system's error; then it is still the caller's
 */
export function openPipe(addon: NativeAddon, fd: number, type: keyof typeof pipeTypes): PipeHandle {
  const handle = new (pipeClass ??= findPipeClass(addon))(pipeTypes[type]);
  const status = handle.open(fd);
  if (status >= 0) return handle;
  handle.close();
  const code = getSystemErrorName(status);
  throw Object.assign(new Error(`open ${code}`), { code, errno: status, syscall: 'open' });
}

/** The class has no public name: a socket of node:net has one of it. */
function findPipeClass(addon: NativeAddon): PipeClass {
  const socket = new net.Socket({ fd: calling(() => addon.openSocket(socketKinds.stream)), readable: false });
  const { _handle: handle } = socket as unknown as { _handle: { constructor: PipeClass } };
  const found = handle.constructor;
  socket.on('error', () => undefined).destroy();
  return found;
}
