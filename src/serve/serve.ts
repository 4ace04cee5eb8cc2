import { once } from 'node:events';
import { errorCode, TnetError } from '../errors.ts';
import { createFault } from '../net/guard.ts';
import { type Socket, Server, type AddressInfo } from '../net/index.ts';
import type { UnixOwner } from '../net/unix-listener.ts';
import { isIP } from '../address/ip.ts';
import { findListenerPath } from '../net/listener-path.ts';
import { lookupFirst } from '../net/lookup.ts';
import { requirePassedSocket } from './descriptor.ts';
import { explainPathError, requireSocketFile } from './socket-file.ts';
import { refuseNumericForm, requireNumericHost } from '../address/host-rules.ts';
import { formatEndpoint, formatHostPort, formatPath, type Endpoint } from '../address/endpoint.ts';

export interface ServeOptions {
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6 | undefined;
  /** Refuse host names: no DNS. Default false. */
  readonly numericOnly?: boolean | undefined;
  /** Permission bits of a Unix socket's file. Default: what the umask leaves. */
  readonly mode?: number | undefined;
  /** User and group of a Unix socket's file, by their numbers. Default: those of this process. */
  readonly owner?: UnixOwner | undefined;
  /** Descriptors to leave free; see ServerOptions. Default 8. */
  readonly descriptorReserve?: number;
  readonly onConnection: (client: Socket) => void;
}

/**
 * Binds an endpoint and accepts on it. Accepted sockets are half-open capable, send small writes at once, and
 * deliver what was received before an error; `onConnection` owns them. A Unix path left behind by a dead server is
 * replaced; one with a live server, or a file that is not a socket, is not touched. Resolves when bound.
 *
 * @throws the system's error (`EADDRINUSE`, `EACCES`, …), or TnetError TNET_E_PATH_IN_USE.
 */
export async function serve(endpoint: Endpoint, options: ServeOptions): Promise<Server> {
  if (endpoint.kind === 'tcp' || endpoint.kind === 'ws') refuseNumericForm(endpoint.host ?? '');
  if (options.numericOnly) requireNumericHost(endpoint);
  if (endpoint.kind === 'fd') requirePassedSocket(endpoint.fd);
  if (options.mode !== undefined || options.owner) requireSocketFile(endpoint);
  const server = new Server(
    {
      allowHalfOpen: true,
      dataBeforeError: true,
      readOnDemand: true,
      noDelay: true,
      overflow: 'wait',
      descriptorReserve: options.descriptorReserve,
    },
    (socket) => {
      try {
        options.onConnection(socket);
      } catch (error) {
        socket.on('error', () => undefined).destroy();
        server.emit('error', createFault(error));
      }
    },
  );
  if (endpoint.kind === 'unix')
    server.listen({
      path: endpoint.path,
      replaceStale: true,
      mode: options.mode,
      owner: options.owner,
      backlog,
    });
  else if (endpoint.kind === 'tcp' || endpoint.kind === 'ws')
    server.listen(await listenOptions(endpoint, options.family));
  else if (endpoint.kind === 'fd') server.listen({ fd: endpoint.fd, backlog });
  else if (endpoint.kind === 'unix-seqpacket' || endpoint.kind === 'vsock') {
    const { openMessageServer } = await import('./message-server.ts');
    named.set(server, await openMessageServer(server, endpoint, { ...options, backlog }));
    return server;
  } else {
    const subject = formatEndpoint(endpoint);
    throw new TnetError(
      'TNET_E_UNSUPPORTED',
      endpoint.kind === 'stdio'
        ? 'standard input and output cannot be listened on'
        : 'this kind of address cannot be listened on',
      { subject },
    );
  }
  try {
    await once(server, 'listening');
  } catch (error) {
    if (endpoint.kind === 'fd') throw explainDescriptorError(endpoint.fd, error);
    throw endpoint.kind === 'unix' ? explainPathError(endpoint.path, error) : error;
  }
  if (endpoint.kind === 'fd') adopted.set(server, endpoint.fd);
  return server;
}

/**
 * As many as Linux allows by default (net.core.somaxconn; listen(2)): with Node's 511, a thousand clients at once
 * lose some of their handshakes, and each of those takes a second longer.
 */
export const backlog = 4096;

/** Servers on a descriptor from outside: node:net does not know the path of a Unix socket that it did not bind. */
const adopted = new WeakMap<object, number>();

/** What servers are bound to of which node:net does not know it. */
const named = new WeakMap<object, string>();

function explainDescriptorError(fd: number, error: unknown): unknown {
  const message = `the descriptor is not a listening socket (${errorCode(error) ?? 'ERROR'})`;
  return new TnetError('TNET_E_DESCRIPTOR', message, { subject: `fd:${fd}`, cause: error });
}

async function listenOptions(endpoint: Extract<Endpoint, { kind: 'tcp' | 'ws' }>, family: 4 | 6 | undefined) {
  const anyAddress = family === 4 ? '0.0.0.0' : family === 6 ? '::' : undefined;
  const isName = endpoint.host !== undefined && isIP(endpoint.host) === 0;
  // A name may have addresses of both families; the server uses the first.
  const named = isName ? (await lookupFirst(endpoint.host ?? '', { family })).address : undefined;
  const host = named ?? endpoint.host ?? anyAddress;
  return { host, port: endpoint.port, ipv6Only: family === 6, backlog };
}

/** What a server of an endpoint has really bound, as the user would write it. */
export function formatListener(server: Server, endpoint: Endpoint): string {
  const bound = formatBound(server);
  if (endpoint.kind !== 'ws') return bound;
  return `${endpoint.isSecure ? 'wss' : 'ws'}://${bound}${endpoint.path}`;
}

/** The address that a server has really bound, as the user would write it. */
export function formatBound(server: { address(): AddressInfo | string | null }): string {
  const address = server.address();
  if (typeof address === 'string') return formatPath(address);
  if (address?.address !== undefined) {
    const scheme = server instanceof Server ? '' : 'udp://';
    return `${scheme}${formatHostPort(address.address, address.port)}`;
  }
  const fd = adopted.get(server);
  if (fd === undefined) return named.get(server) ?? '(closed)';
  const path = findListenerPath(fd);
  return path === undefined ? `fd:${fd}` : formatPath(path);
}
