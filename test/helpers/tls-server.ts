import { once } from 'node:events';
import type net from 'node:net';
import tls from 'node:tls';
import type { ExecutionContext } from 'ava';
import type { Pair } from './certificates.ts';

/** A server of node:tls on a free port, closed after the test. Its clients may half-close. */
export async function startTlsServer(
  t: ExecutionContext,
  { cert, key }: Pick<Pair, 'cert' | 'key'>,
  serve: (socket: tls.TLSSocket) => void,
): Promise<{ readonly host: string; readonly port: number }> {
  const server = tls.createServer({ cert, key, allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    t.teardown(() => socket.destroy());
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port };
}
