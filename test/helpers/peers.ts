import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { tempDir } from './temp.ts';

export type Family = 'tcp' | 'unix';

/** A plain Node server on loopback or on a Unix path, closed with its connections when the test is over. */
export interface PeerServer {
  readonly server: net.Server;
  /** The words that make `tnet connect` call it. */
  readonly words: readonly string[];
  readonly target: net.NetConnectOpts;
  /** The next connection that comes. */
  readonly accept: () => Promise<net.Socket>;
}

export async function startPeerServer(
  t: ExecutionContext,
  family: Family,
  onConnection?: (socket: net.Socket) => void,
): Promise<PeerServer> {
  const sockets = new Set<net.Socket>();
  const waiting: net.Socket[] = [];
  const server = net.createServer(
    { allowHalfOpen: true, pauseOnConnect: onConnection === undefined },
    (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
      if (onConnection) onConnection(socket);
      else {
        waiting.push(socket);
        server.emit('tnet-accepted');
      }
    },
  );
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const path = join(tempDir(t), 's');
  if (family === 'unix') server.listen(path);
  else server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const target: net.NetConnectOpts =
    family === 'unix' ? { path } : { host: '127.0.0.1', port: (server.address() as net.AddressInfo).port };
  return {
    server,
    target,
    words: family === 'unix' ? ['-U', path] : ['127.0.0.1', String((target as net.TcpNetConnectOpts).port)],
    async accept() {
      while (waiting.length === 0) await once(server, 'tnet-accepted');
      return waiting.shift()!;
    },
  };
}

/** The address words for a tnet server, on a free port or a new path. */
export function serverWords(t: ExecutionContext, family: Family): readonly string[] {
  return family === 'unix' ? ['-U', join(tempDir(t), 's')] : ['127.0.0.1:0'];
}

/** What an address that tnet printed means to Node. */
export function toTarget(address: string): net.NetConnectOpts {
  if (address.startsWith('/')) return { path: address };
  if (address.startsWith('unix:@')) return { path: `\0${address.slice('unix:@'.length)}` };
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(address)!;
  return { host: host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host, port: Number(port) };
}

/** Connects a plain half-open Node socket, destroyed when the test is over. Not read until the test reads it. */
export async function connectPeer(t: ExecutionContext, address: string): Promise<net.Socket> {
  const socket = net.connect({ ...toTarget(address), allowHalfOpen: true });
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  return socket;
}
