import { once } from 'node:events';
import net from 'node:net';
import type { ExecutionContext } from 'ava';
import { createProxy, type Event, type PairSettings } from '../../commands/proxy/library.ts';
import { errorCode } from '../../src/errors.ts';
import { collect } from './bytes.ts';

/** A server on a free port; `serve` has each of its connections. */
export async function startServer(t: ExecutionContext, serve: (socket: net.Socket) => void): Promise<string> {
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

export const echo = (socket: net.Socket) => void socket.pipe(socket);

export async function startProxy(t: ExecutionContext, pairs: PairSettings | readonly PairSettings[]) {
  const events: Event[] = [];
  const proxy = await createProxy(pairs, (event) => events.push(event));
  t.teardown(() => proxy.close());
  return { proxy, events };
}

export function connect(t: ExecutionContext, address = ''): net.Socket {
  const [, port] = /:(\d+)$/.exec(address) ?? [];
  const socket = port === undefined ? net.connect(address) : net.connect(Number(port), '127.0.0.1');
  // What broke it is looked at when it has closed, and may come before that.
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  return socket;
}

/** Sends some bytes, and gives all that comes back. */
export async function exchange(
  t: ExecutionContext,
  address: string | undefined,
  bytes: Buffer,
): Promise<Buffer> {
  const socket = connect(t, address);
  socket.end(bytes);
  return collect(socket);
}

/** The error code by which a socket ends, or `end`. */
export async function endOf(socket: net.Socket): Promise<string | undefined> {
  socket.resume();
  // once() would reject with the error.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return socket.errored ? errorCode(socket.errored) : 'end';
}
