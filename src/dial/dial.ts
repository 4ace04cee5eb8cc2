import { formatHostPort, formatTargetEndpoint, type Endpoint } from '../address/endpoint.ts';
import type { Connection } from '../net/connection.ts';
import { formatProxy, type ProxyHop } from '../address/proxy-url.ts';
import { refuseNumericForm, requireNumericHost } from '../address/host-rules.ts';
import { Deadline } from '../net/deadline.ts';
import { connectTcp, type RaceOptions } from '../net/happy-eyeballs.ts';
import { Socket } from '../net/index.ts';
import { explainSource } from '../net/own-side.ts';
import type { DialOptions } from './dial-options.ts';
import { awaitDescriptor } from '../net/descriptors.ts';
import { dialPath } from './dial-direct.ts';
import type { Patience, Retry } from './patience.ts';
import type { Target } from './proxy-chain.ts';

type StreamEndpoint = Extract<Endpoint, { kind: 'unix' | 'tcp' | 'tls' | 'fd' | 'vsock' }>;

/**
 * Opens a connection to an endpoint, as the options say: by a race over its addresses, through proxies, with a
 * PROXY header and TLS, and with retries until it is open. A socket is half-open capable, sends small writes at
 * once (no Nagle), and delivers what was received before an error. For UDP only a socket is opened: success says
 * nothing about the peer. The caller closes it; when this throws, nothing stays open.
 *
 * @throws the system's error (`ECONNREFUSED`, …), an AggregateError when several addresses failed, TnetError
 *   TNET_E_TIMEOUT, TNET_E_ADDRESS, TNET_E_PROXY, the error that `judge` returns, or what startTls() and
 *   connectPatiently() throw.
 */
export function dial(endpoint: StreamEndpoint, options?: DialOptions): Promise<Socket>;
export function dial(endpoint: Endpoint, options?: DialOptions): Promise<Connection>;
export function dial(endpoint: Endpoint, options: DialOptions = {}): Promise<Connection> {
  const { patience, awaitsDescriptor, timeoutMs, signal } = options;
  if (patience) return dialPatiently(endpoint, options, patience);
  if (!awaitsDescriptor) return dialOnce(endpoint, options, timeoutMs);
  return awaitDescriptor((leftMs) => dialOnce(endpoint, options, leftMs), timeoutMs, signal);
}

async function dialPatiently(
  endpoint: Endpoint,
  options: DialOptions,
  patience: Patience,
): Promise<Connection> {
  const { connectPatiently } = await import('./patience.ts');
  const { signal, observer } = options;
  const attempt = (timeoutMs: number) => dial(endpoint, { ...options, patience: undefined, timeoutMs });
  const onRetry = (retry: Retry) => observer?.retry?.(retry);
  const subject = formatTargetEndpoint(endpoint);
  return connectPatiently({ ...patience, subject, attempt, signal, onRetry });
}

async function dialOnce(
  endpoint: Endpoint,
  options: DialOptions,
  timeoutMs: number | undefined,
): Promise<Connection> {
  const { signal, observer, proxies = [], prove } = options;
  observer?.tried?.();
  if (endpoint.kind === 'udp') {
    const { dialDatagram } = await import('./dial-direct.ts');
    const peer = await dialDatagram(endpoint, { ...options, timeoutMs });
    if (prove) await prove(peer, timeoutMs);
    return peer;
  }
  const name = formatTargetEndpoint(endpoint);
  using deadline = new Deadline(`no answer from ${name}`, timeoutMs, signal);
  let socket;
  if (!isStream(endpoint)) {
    const own = { ...options, timeoutMs };
    const connection =
      endpoint.kind === 'ws'
        ? await (await import('./websocket.ts')).dialWebSocket(endpoint, own, deadline, dial)
        : await (await import('./dial-other.ts')).dialOther(endpoint, own, deadline);
    if (endpoint.kind !== 'vsock' || !(connection instanceof Socket)) {
      if (prove) await prove(connection, timeoutMs);
      return connection;
    }
    // A stream like any other.
    socket = tune(connection, options);
  } else if (endpoint.kind === 'fd') {
    const { dialDescriptor } = await import('./dial-descriptor.ts');
    socket = tune(dialDescriptor(endpoint.fd, options), options);
  } else if (endpoint.kind === 'unix')
    socket = tune(await dialPath(endpoint.path, options, deadline.signal), options);
  else {
    const { host = 'localhost', port } = endpoint;
    const chain = proxies.length > 0 ? await listProxies({ host, port }, proxies) : proxies;
    socket =
      chain.length > 0
        ? await dialThrough({ host, port }, chain, options, deadline)
        : tune(await connectTcp(createRace(endpoint, options, deadline)), options);
  }
  if (options.head !== undefined || options.tls || endpoint.kind === 'tls') {
    try {
      await begin(socket, endpoint, options, deadline);
    } catch (error) {
      socket.on('error', () => undefined).destroy();
      throw error;
    }
  }
  if (prove) await prove(socket, timeoutMs);
  return socket;
}

/** Whether an endpoint is dialled here; the others are loaded when they are needed. */
function isStream(endpoint: Endpoint): endpoint is Exclude<StreamEndpoint, { kind: 'vsock' }> {
  return ['unix', 'tcp', 'tls', 'fd'].includes(endpoint.kind);
}

async function dialThrough(
  { host, port }: Target,
  proxies: readonly ProxyHop[],
  options: DialOptions,
  deadline: Deadline,
): Promise<Socket> {
  const { observer, judge, proxyTls } = options;
  refuseNumericForm(host);
  const { connectThrough } = await import('./proxy-chain.ts');
  return connectThrough(
    proxies,
    { host, port },
    {
      connect: async (hop) => tune(await connectTcp(createRace(hop, options, deadline, true)), options),
      async secure(opened, hop) {
        const { startTls, createDefaultSettings } = await import('./tls-client.ts');
        const proxy = { host: hop.host, address: formatProxy(hop), isProxy: true };
        await startTls(opened, proxyTls?.(hop) ?? createDefaultSettings(), proxy, deadline.signal);
      },
      signal: deadline.signal,
      judge:
        judge &&
        ((address, isName) => judge({ transport: 'stream', address, port, ...(isName && { isName }) })),
      onHop: (proxy, target) => observer?.hop?.(proxy, target),
    },
  );
}

/** The proxies to a target, except those from which NO_PROXY exempts it. */
export async function listProxies(
  target: Target,
  proxies: readonly ProxyHop[],
): Promise<readonly ProxyHop[]> {
  if (proxies.every(({ exceptFor }) => exceptFor === undefined)) return proxies;
  const { isExempt } = await import('../address/no-proxy.ts');
  return proxies.filter(({ exceptFor }) => exceptFor === undefined || !isExempt(target, exceptFor));
}

/**
 * The race over the addresses of a host that is connected to directly: the endpoint's, or with `isProxy` the first
 * proxy's.
 */
function createRace(
  { host = 'localhost', port }: Partial<Target> & Pick<Target, 'port'>,
  options: DialOptions,
  { leftMs: timeoutMs, limitMs }: Deadline,
  isProxy = false,
): RaceOptions {
  const { family, numericOnly, source, signal, lookup, judge, observer } = options;
  refuseNumericForm(host);
  if (source?.address !== undefined) refuseNumericForm(source.address);
  if (numericOnly) requireNumericHost({ kind: 'tcp', host, port });
  return {
    ...socketOptions,
    host,
    port,
    family,
    localAddress: source?.address,
    localPort: source?.port,
    // The race gets the rest of the limit as its own, and names the addresses it has tried when that runs out.
    timeoutMs,
    limitMs,
    signal,
    lookup,
    judge: judge && (({ address }) => judge({ transport: 'stream', address, port, isProxy })),
    explain: source && ((error) => explainSource(error, { kind: 'tcp', ...source })),
    onLookup: () => observer?.lookedUp?.(host),
    onAttempt: (attempt) => observer?.attempt?.(formatHostPort(attempt.address, attempt.port)),
    onAttemptFailed: (attempt, error) =>
      observer?.attemptFailed?.(formatHostPort(attempt.address, attempt.port), error),
  };
}

/** Sets the socket's options; if one cannot be set, the connection fails. */
function tune(socket: Socket, options: DialOptions): Socket {
  try {
    options.tune?.(socket);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** What goes over a connection before its stream. */
async function begin(
  socket: Socket,
  endpoint: StreamEndpoint,
  options: DialOptions,
  deadline: Deadline,
): Promise<void> {
  const { head, tls } = options;
  if (typeof head === 'object') socket.write(head);
  else if (head !== undefined) {
    const { encodeHeader } = await import('./send-proxy-header.ts');
    socket.write(encodeHeader(head, socket, options.headValues));
  }
  if (!tls && endpoint.kind !== 'tls') return;
  const { startTls, createDefaultSettings } = await import('./tls-client.ts');
  const dialled = 'host' in endpoint ? endpoint.host : undefined;
  const server = { host: options.tlsHost ?? dialled ?? 'localhost', address: formatTargetEndpoint(endpoint) };
  const startedAt = performance.now();
  await startTls(socket, tls ?? createDefaultSettings(), server, deadline.signal);
  options.observer?.tls?.(performance.now() - startedAt);
}

const socketOptions = { allowHalfOpen: true, dataBeforeError: true, noDelay: true } as const;
