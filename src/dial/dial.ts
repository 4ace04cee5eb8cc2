import { TnetError } from '../errors.ts';
import { connectTcp, type RaceOptions } from '../net/happy-eyeballs.ts';
import { connect, type Socket } from '../net/index.ts';
import { refuseNumericForm, requireNumericHost } from '../address/host-rules.ts';
import type { ProxyEnds } from '../protocol/proxy-protocol/header.ts';
import { Deadline } from '../net/deadline.ts';
import { dialPath } from './dial-path.ts';
import { formatTargetEndpoint, formatHostPort, type Endpoint } from '../address/endpoint.ts';
import type { Target } from './proxy-chain.ts';
import type { DatagramSocket } from '../net/datagram.ts';
import type { ProxyHop } from '../address/proxy-url.ts';
import type { ClientSecureSettings } from './secure.ts';

export interface DialOptions {
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6;
  /** Refuse host names: no DNS. Default false. */
  readonly numericOnly?: boolean;
  /** The address and port to connect from. Default: the system's choice. */
  readonly localAddress?: string;
  readonly localPort?: number;
  /** Limit for DNS, all attempts, proxies and TLS together. Default: none. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Judges a numeric address before it is connected to, the first proxy's where there are any: an error forbids it. */
  readonly judge?: ((address: string, port: number) => Error | undefined) | undefined;
  /** Finds a host's addresses. Default: the system's resolver. */
  readonly lookup?: RaceOptions['lookup'];
  /** Called when a host's addresses are known: the target's, or the first proxy's. */
  readonly onLookup?: (host: string) => void;
  readonly onAttempt?: (address: string) => void;
  readonly onAttemptFailed?: (address: string, error: Error) => void;
  /** Called with the connection before anything is sent on it. */
  readonly tune?: (socket: Socket) => void;
  /** The same for a UDP socket. */
  readonly tuneDatagrams?: (socket: DatagramSocket) => void;
  /** The proxies to go through, the one that is called directly first. Default: none. */
  readonly proxies?: readonly ProxyHop[];
  readonly onHop?: (proxy: string, target: string) => void;
  /** Send a PROXY header of this version before anything else. */
  readonly sendProxyHeader?: 1 | 2;
  /** The client's ends in that header. Default: the connection's own. */
  readonly proxyEnds?: ProxyEnds;
  /** Secure the connection. A `tls` endpoint is secured without it too, and its certificate checked. */
  readonly secure?: ClientSecureSettings;
  /** Called with the time that TLS took, STARTTLS included, in milliseconds. */
  readonly onSecured?: (durationMs: number) => void;
}

/**
 * Opens a connection to an endpoint: through proxies, with a PROXY header and TLS, as far as the options say. The
 * socket is half-open capable, sends small writes at once (no Nagle), and delivers what was received before an error.
 * The caller closes it; when this throws, nothing stays open.
 *
 * @throws the system's error (`ECONNREFUSED`, …), an AggregateError when several addresses failed, TnetError
 *   TNET_E_TIMEOUT, TNET_E_ADDRESS, TNET_E_PROXY, or what secureClient() throws.
 */
export async function dial(endpoint: Endpoint, options: DialOptions = {}): Promise<Socket> {
  if (endpoint.kind !== 'unix' && endpoint.kind !== 'tcp' && endpoint.kind !== 'tls') {
    const message = `cannot connect to ${formatTargetEndpoint(endpoint)}`;
    throw new TnetError('TNET_E_UNSUPPORTED', message, { subject: formatTargetEndpoint(endpoint) });
  }
  const what = `no connection to ${formatTargetEndpoint(endpoint)}`;
  using deadline = new Deadline(what, options.timeoutMs, options.signal);
  const socket = await openTransport(endpoint, options, deadline);
  try {
    await prepare(socket, endpoint, options, deadline.signal);
    return socket;
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw error;
  }
}

type Dialled = Extract<Endpoint, { kind: 'unix' | 'tcp' | 'tls' }>;

async function openTransport(endpoint: Dialled, options: DialOptions, deadline: Deadline): Promise<Socket> {
  const { proxies = [], onHop } = options;
  if (endpoint.kind === 'unix') {
    if (proxies.length === 0) {
      const { path } = endpoint;
      return dialPath(path, () => connect({ ...socketOptions, path }), options, deadline.signal);
    }
    throw new TnetError('TNET_E_USAGE', 'a proxy reaches hosts and ports, not Unix sockets');
  }
  const target = { host: endpoint.host ?? 'localhost', port: endpoint.port };
  if (proxies.length === 0) return dialTcp(target, options, deadline);
  const { connectThrough } = await import('./proxy-chain.ts');
  const connectFirst = (hop: Target) => dialTcp(hop, options, deadline);
  return connectThrough(proxies, target, { connect: connectFirst, signal: deadline.signal, onHop });
}

/** What goes over the connection before its stream. */
async function prepare(socket: Socket, endpoint: Dialled, options: DialOptions, signal: AbortSignal) {
  const { sendProxyHeader, secure } = options;
  if (sendProxyHeader) {
    const { encodeHeader } = await import('./send-proxy-header.ts');
    socket.write(encodeHeader(sendProxyHeader, socket, options.proxyEnds));
  }
  if (!secure && endpoint.kind !== 'tls') return;
  const { secureClient, createDefaultSettings } = await import('./secure.ts');
  const host = endpoint.kind === 'unix' ? 'localhost' : (endpoint.host ?? 'localhost');
  const startedAt = performance.now();
  await secureClient(socket, secure ?? createDefaultSettings(), host, signal);
  options.onSecured?.(performance.now() - startedAt);
}

async function dialTcp(
  { host, port }: Target,
  options: DialOptions,
  { leftMs: timeoutMs, limitMs }: Deadline,
): Promise<Socket> {
  // The race has the limit's rest as its own, and names the addresses it has tried when that runs out.
  const { family, numericOnly, localAddress, localPort, signal, onAttempt, onAttemptFailed } = options;
  refuseNumericForm(host);
  if (localAddress !== undefined) refuseNumericForm(localAddress);
  if (numericOnly) requireNumericHost({ kind: 'tcp', host, port });
  const socket = await connectTcp({
    ...socketOptions,
    host,
    port,
    family,
    localAddress,
    localPort,
    timeoutMs,
    limitMs,
    signal,
    lookup: options.lookup,
    judge: options.judge && (({ address }) => options.judge?.(address, port)),
    onLookup: () => options.onLookup?.(host),
    onAttempt: (attempt) => onAttempt?.(formatHostPort(attempt.address, attempt.port)),
    onAttemptFailed: (attempt, error) =>
      onAttemptFailed?.(formatHostPort(attempt.address, attempt.port), error),
  });
  options.tune?.(socket);
  return socket;
}

const socketOptions = { allowHalfOpen: true, dataBeforeError: true, noDelay: true } as const;
