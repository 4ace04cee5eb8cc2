import { formatTargetEndpoint, isSecure, type Endpoint } from '../../src/address/endpoint.ts';
import type { DialObserver, DialOptions } from '../../src/dial/dial-options.ts';
import { dial, listProxies } from '../../src/dial/dial.ts';
import type { Patience } from '../../src/dial/patience.ts';
import type { TlsClientSettings } from '../../src/dial/tls-client.ts';
import type { Connection } from '../../src/net/connection.ts';
import { requireVersion2 } from '../options/proxy-tlv.ts';
import { TnetError } from '../../src/errors.ts';
import { failureFields } from '../../src/report/sentences.ts';
import { refuseAddressFlags, requireFamily, requireSource } from '../../src/address/host-rules.ts';
import { subjectOf, type Context, type ReportFlags } from '../context.ts';
import type { ClientSecureFlags } from '../options/tls.ts';
import type { TableFlags } from '../options/row.ts';
import type { address } from '../options/table/address.ts';
import type { checks } from '../options/table/limits.ts';
import { addressFlags, readFamily } from '../options/server-address.ts';
import { readTuners, type SocketFlags } from '../options/socket.ts';
import type { Interruption } from '../signals.ts';
import type { Timing } from './timing.ts';
import { isPatient, type WaitOptions } from './options.ts';
import { formatProxy, type ProxyHop } from '../../src/address/proxy-url.ts';
import { addPasswords } from '../../src/dial/proxy-passwords.ts';
import type { proxies } from '../options/table/proxies.ts';
import type { websocket } from '../options/table/websocket.ts';

/** The flags that say how a connection is opened. */
export type DialFlags = ReportFlags &
  WaitOptions &
  ClientSecureFlags &
  ProxyFlags &
  SocketFlags &
  TableFlags<typeof websocket, 'connect'> &
  Pick<
    TableFlags<typeof address & typeof checks, 'connect'>,
    'ipv4' | 'ipv6' | 'numeric' | 'source' | 'sourcePort' | 'check'
  > & { readonly sendOnly?: boolean | undefined };

/** The run of a client: its flags, and where its connections are reported. */
export interface ClientRun {
  readonly context: Context;
  readonly options: DialFlags;
  readonly interruption: Interruption;
  readonly localPort?: number | undefined;
  /** Whether -w was given. Default false. */
  readonly hasOwnLimit?: boolean;
  readonly timing?: Timing | undefined;
  /** What endpoints are called that are not written as an address. */
  readonly names?: ReadonlyMap<Endpoint, string>;
}

/**
 * Makes sure that our side and the endpoints have one address family, and are addresses if flags require that.
 *
 * @throws TnetError TNET_E_USAGE, TNET_E_ADDRESS
 */
export function checkSides(endpoints: Iterable<Endpoint>, options: DialFlags): void {
  for (const { kind } of endpoints) if (kind === 'stdio') throw stdioError();
  const family = readFamily(options);
  refuseAddressFlags(endpoints, {
    ...addressFlags(options),
    '-s': options.source,
    '-p': options.sourcePort,
  });
  requireSource(options.source, family);
  // With a proxy, we do not connect to the address ourselves.
  if (family === undefined || options.via) return;
  for (const endpoint of endpoints) if ('host' in endpoint) requireFamily(endpoint.host, family);
}

/** They are what an address is connected to. */
function stdioError(): TnetError {
  const message = 'standard input and output cannot be connected to';
  return new TnetError('TNET_E_UNSUPPORTED', message, { subject: '-' });
}

/**
 * Refuses the options that say how a connection comes about where a descriptor is one already.
 *
 * @throws TnetError TNET_E_USAGE
 */
function refuseDialling(endpoint: Endpoint, { via, check, wait, retry, stable }: DialFlags): void {
  const flags = { '-x': via, '-z': check, '--wait': wait, '--retry': retry, '--stable': stable };
  const flag = Object.entries(flags).find(([, value]) => value !== undefined && value !== false)?.[0];
  if (flag === undefined) return;
  const message = `${flag} does not go with ${formatTargetEndpoint(endpoint)}: it is connected already`;
  throw new TnetError('TNET_E_USAGE', message);
}

/** The connection, or undefined when there is none: then the failure is reported and the exit status set. */
export async function openConnection(run: ClientRun, endpoint: Endpoint): Promise<Connection | undefined> {
  const { context, interruption } = run;
  const dialOptions = await readDialOptions(run, endpoint);
  const screen = context.reporter.isSeen
    ? (await import('./dial-screen.ts')).watchDial(endpoint, dialOptions)
    : undefined;
  try {
    return await dial(endpoint, screen?.options ?? dialOptions).finally(() => screen?.stop());
  } catch (error) {
    if (interruption.status !== undefined) context.exit(interruption.status);
    else context.fail(subjectOf(error, formatTargetEndpoint(endpoint)), error);
    return undefined;
  }
}

/**
 * What the flags make of a connection to an endpoint. Files are read here, before any socket opens.
 *
 * @throws TnetError TNET_E_USAGE, TNET_E_ADDRESS, TNET_E_UNSUPPORTED
 */
export async function readDialOptions(run: ClientRun, endpoint: Endpoint): Promise<DialOptions> {
  const { options, localPort, interruption, hasOwnLimit = false } = run;
  if (endpoint.kind === 'fd') refuseDialling(endpoint, options);
  const proxies = readProxies(options);
  return {
    ...(await readTuners(options, [endpoint])),
    family: readFamily(options),
    numericOnly: options.numeric,
    source:
      options.source === undefined && localPort === undefined
        ? undefined
        : { address: options.source, port: localPort },
    proxies: proxies.length > 0 ? proxies : undefined,
    proxyTls: await readProxyTls(run, proxies),
    head: options.sendProxy,
    headValues: requireVersion2(options.proxyTlv, options.sendProxy),
    tls: await readTls(run, endpoint),
    webSocket: endpoint.kind === 'ws' ? await readWebSocket(options) : undefined,
    patience: isPatient(options) ? readPatience(options, hasOwnLimit) : undefined,
    timeoutMs: options.waitConnect,
    signal: interruption.signal,
    ...(options.sendOnly && { local: { appends: true } }),
    observer: isHeard(run) ? createObserver(run, endpoint) : undefined,
  };
}

async function readTls(
  { context, options }: ClientRun,
  endpoint: Endpoint,
): Promise<TlsClientSettings | undefined> {
  if (!options.tls && !isSecure(endpoint)) return undefined;
  const { readClientSecure } = await import('../options/tls.ts');
  return readClientSecure(options, endpoint, formatTargetEndpoint(endpoint), context.reporter);
}

async function readWebSocket(options: DialFlags): Promise<DialOptions['webSocket']> {
  const { readClientSettings } = await import('../../src/dial/websocket-settings.ts');
  return readClientSettings(options);
}

/** TLS with the proxies, where they speak it. */
async function readProxyTls(
  { context: { reporter }, options: { proxyCa } }: ClientRun,
  proxies: readonly ProxyHop[],
): Promise<DialOptions['proxyTls']> {
  if (proxyCa === undefined && proxies.every(({ protocol }) => protocol !== 'https')) return undefined;
  const { readProxyTls: read } = await import('../../src/dial/proxy-tls.ts');
  const { reportHandshake } = await import('../../src/dial/tls-handshake.ts');
  return read(proxies, proxyCa, {
    fail: (file, error) => reporter.fail(file, error),
    onHandshake: (proxy, report) => reportHandshake((event) => reporter.emit(event), proxy, report),
  });
}

/** Attempts of --wait are short, because a server that is starting up may leave the first ones unanswered. */
const waitingAttemptMs = 5_000;

/** @param hasOwnLimit whether -w was given; then it limits every attempt, also with --wait. */
export function readPatience(options: WaitOptions, hasOwnLimit: boolean): Patience {
  const { wait, stable, retry = wait === undefined ? 0 : Infinity, retryDelay, waitConnect } = options;
  const isWaiting = wait !== undefined;
  const delayMs = retryDelay ?? (isWaiting ? 100 : 1_000);
  return {
    retries: retry,
    delayMs,
    maxDelayMs: Math.max(delayMs, isWaiting ? 1_000 : 30_000),
    attemptMs: isWaiting && !hasOwnLimit ? Math.min(waitConnect, waitingAttemptMs) : waitConnect,
    withinMs: wait,
    stableMs: stable,
  };
}

/** Whether each attempt is reported. A check or a wait reports by itself how each ended. */
function tellsTries(options: DialFlags): boolean {
  return options.verbose > 1 || !(options.check ?? isPatient(options));
}

/** Whether anything observes the steps on the way to a connection. */
function isHeard({ options, timing }: ClientRun): boolean {
  return tellsTries(options) || timing !== undefined || options.via !== undefined || isPatient(options);
}

/** Reports what happens on the way to a connection, and measures it. */
function createObserver({ context, options, timing, names }: ClientRun, endpoint: Endpoint): DialObserver {
  const { reporter } = context;
  const isTold = tellsTries(options);
  return {
    tried: () => timing?.tryStarted(),
    lookedUp: (host) => timing?.lookedUp(host),
    attempt(address) {
      timing?.attemptStarted(address);
      if (isTold) reporter.emit({ event: 'attempt', address });
    },
    attemptFailed(address, error) {
      timing?.attemptFailed(address, error);
      if (isTold) reporter.emit({ event: 'attempt-failed', address, ...failureFields(error) });
    },
    hop: (proxy, target) => reporter.emit({ event: 'proxied', proxy, target }),
    tls: (durationMs) => timing?.report('tls', durationMs),
    retry({ retry, of, delayMs, error }) {
      const address = names?.get(endpoint) ?? formatTargetEndpoint(endpoint);
      const limit = Number.isFinite(of) ? { of } : {};
      reporter.emit({ event: 'retry', address, retry, ...limit, delayMs, ...failureFields(error) });
    },
  };
}

/** The flags that say which proxies a connection goes through. */
export type ProxyFlags = TableFlags<typeof proxies, 'connect'>;

/**
 * The proxies of -x in their order, with passwords for those that name a user.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function readProxies({ via = [], proxyPasswordFile }: ProxyFlags): readonly ProxyHop[] {
  return addPasswords(via, proxyPasswordFile);
}

/**
 * Warns that the last proxy may have taken our half-close for the end of both directions, so that the answer is
 * lost.
 */
export async function hintAtHalfClose(
  { reporter }: Context,
  { via = [] }: ProxyFlags,
  endpoint: Endpoint,
): Promise<void> {
  if (!('host' in endpoint)) return;
  const { host = 'localhost', port } = endpoint;
  const last = (await listProxies({ host, port }, via)).at(-1);
  if (last === undefined) return;
  const message =
    'nothing was received after our half-close, which the proxy may take for the end of both directions; if an answer is missing, use --no-shutdown -q TIME';
  reporter.emit({ event: 'hint', subject: formatProxy(last), message });
}
