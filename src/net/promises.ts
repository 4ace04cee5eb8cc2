import { once } from 'node:events';
import type net from 'node:net';
import { connect as connectSocket, createServer, type ConnectOptions } from './connect.ts';
import { connectTcp, type RaceOptions } from './happy-eyeballs.ts';
import type { ListenOptions, ServerOptions } from './server-state.ts';
import type { Server } from './server.ts';
import type { Socket } from './socket.ts';

/** A TCP target to race for, or a Unix socket path; `signal` ends the attempt, and a connected socket is untouched. */
export type ConnectTarget =
  RaceOptions | (ConnectOptions & { readonly path: string; readonly signal?: AbortSignal });

/**
 * Connects, and resolves with the connected socket, which belongs to the caller. TCP targets are raced: see
 * connectTcp(). Rejects with the connection's error, or with the signal's reason.
 */
export async function connect(target: ConnectTarget): Promise<Socket> {
  if (!('path' in target)) return connectTcp(target);
  const { signal, ...options } = target;
  signal?.throwIfAborted();
  const socket = connectSocket(options as ConnectOptions);
  return settle(socket, 'connect', signal);
}

/**
 * Listens, and resolves with the listening server, which belongs to the caller. Given a server, listens with it; given
 * a server's options, creates it. Rejects with the error of binding, or with the signal's reason.
 */
export async function listen(target: ListenOptions, server: Server | ServerOptions = {}): Promise<Server> {
  const { signal, ...options } = target;
  signal?.throwIfAborted();
  const listening = 'listen' in server ? server : createServer(server);
  listening.listen(options);
  return settle(listening, 'listening', signal);
}

/**
 * Closes a server or a socket, and resolves at its 'close'. A server waits for its connections; a socket's other
 * side is not waited for. What is closed already resolves at once.
 */
export async function close(target: net.Server | net.Socket): Promise<void> {
  if ('listen' in target) {
    if (!target.listening) return;
    target.close();
  } else {
    if (target.closed) return;
    target.destroy();
  }
  await once(target, 'close');
}

async function settle<T extends Server | Socket>(
  target: T,
  event: string,
  signal: AbortSignal | undefined,
): Promise<T> {
  try {
    await once(target, event, signal ? { signal } : {});
    return target;
  } catch (error) {
    if ('listen' in target) target.close();
    else target.destroy();
    throw signal?.aborted ? (signal.reason as Error) : error;
  }
}
