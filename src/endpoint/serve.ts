import { once } from 'node:events';

import { lstatSync } from 'node:fs';
import { errorCode, TnetError } from '../errors.ts';
import { Server, type Socket } from '../net/index.ts';
import { requireNumericHost } from './numeric.ts';
import { formatEndpoint, formatHostPort, formatPath, type Endpoint } from './endpoint.ts';
import { presentedAddresses } from './presented-address.ts';

export interface ServeOptions {
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6;
  /** Refuse host names: no DNS. Default false. */
  readonly numericOnly?: boolean;
  /** The rest wait in the backlog until a connection ends. Default: no limit. */
  readonly maxConnections?: number;
  /** Permission bits of a Unix socket's file. Default: what the umask leaves. */
  readonly mode?: number;
  /** Descriptors to leave free; see ServerOptions. Default 8. */
  readonly descriptorReserve?: number;
  readonly onConnection: (socket: Socket) => void;
}

/**
 * Binds an endpoint and accepts on it. Accepted sockets are half-open capable, send small writes at once, and deliver
 * what was received before an error; `onConnection` owns them. A Unix path left over by a dead server is replaced; one
 * with a live server, or a file that is no socket, is not touched. Resolves when bound.
 *
 * @throws the system's error (`EADDRINUSE`, `EACCES`, …), or TnetError TNET_E_PATH_IN_USE.
 */
export async function serve(endpoint: Endpoint, options: ServeOptions): Promise<Server> {
  if (options.numericOnly) requireNumericHost(endpoint);
  const server = new Server(
    {
      allowHalfOpen: true,
      dataBeforeError: true,
      noDelay: true,
      overflow: 'wait',
      descriptorReserve: options.descriptorReserve,
    },
    options.onConnection,
  );
  if (options.maxConnections !== undefined) server.maxConnections = options.maxConnections;
  if (endpoint.kind === 'unix')
    server.listen({ path: endpoint.path, replaceStale: true, mode: options.mode });
  else if (endpoint.kind === 'tcp') server.listen(listenOptions(endpoint, options.family));
  else if (endpoint.kind === 'fd') server.listen({ fd: endpoint.fd });
  else {
    const subject = formatEndpoint(endpoint);
    throw new TnetError('TNET_E_UNSUPPORTED', `cannot listen on ${subject}`, { subject });
  }
  try {
    await once(server, 'listening');
  } catch (error) {
    throw endpoint.kind === 'unix' ? explainPathError(endpoint.path, error) : error;
  }
  return server;
}

/** EADDRINUSE on a path does not say who has it. */
function explainPathError(path: string, error: unknown): unknown {
  if (errorCode(error) !== 'EADDRINUSE' || path.startsWith('\0')) return error;
  const isSocket = lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
  const message = isSocket
    ? 'another server is listening on this path'
    : 'a file is there that is not a socket';
  return new TnetError('TNET_E_PATH_IN_USE', message, { subject: path, cause: error });
}

function listenOptions(endpoint: Extract<Endpoint, { kind: 'tcp' }>, family: 4 | 6 | undefined) {
  const anyAddress = family === 4 ? '0.0.0.0' : family === 6 ? '::' : undefined;
  const host = endpoint.host ?? anyAddress;
  return { host, port: endpoint.port, ipv6Only: family === 6 };
}

/** What a server has really bound, as the user would write it. */
export function formatBound(server: Server): string {
  const address = server.address();
  if (typeof address === 'string') return formatPath(address);
  return address === null ? '(closed)' : formatHostPort(address.address, address.port);
}

/** The peer's address of an accepted or opened socket; a Unix client has none of its own. */
export function formatRemote(socket: Socket, server: string): string {
  const { remoteAddress, remotePort } = socket;
  const presented = presentedAddresses(socket);
  if (presented) return presented.remote;
  return remoteAddress === undefined ? server : formatHostPort(remoteAddress, remotePort ?? 0);
}

/** Our own address of a socket. */
export function formatLocal(socket: Socket, server: string): string {
  const { localAddress, localPort } = socket;
  const presented = presentedAddresses(socket);
  if (presented) return presented.local;
  return localAddress === undefined ? server : formatHostPort(localAddress, localPort ?? 0);
}
