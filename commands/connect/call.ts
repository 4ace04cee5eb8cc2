import { dial, type DialOptions } from '../../src/dial/dial.ts';
import type { Connection } from '../../src/net/connection.ts';
import { formatTargetEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { errorCode } from '../../src/errors.ts';
import { describeError } from '../../src/report/sentences.ts';
import { readProxies, type ProxyFlags } from './proxy.ts';
import type { Timing } from './timing.ts';
import { isPatient, type WaitOptions } from './wait-options.ts';
import { subjectOf, type Context, type ReportOptions } from '../context.ts';
import type { ClientSecureFlags } from '../options/secure.ts';
import { readFamily } from '../options/server-address.ts';
import { readDatagramTuner, readTuner, type SocketFlags } from '../options/socket.ts';
import type { Interruption } from '../signals.ts';

/** The flags that say how a connection is opened. */
export interface CallFlags extends ReportOptions, WaitOptions, ClientSecureFlags, ProxyFlags, SocketFlags {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly numeric?: boolean;
  readonly source?: string;
  readonly check?: boolean;
}

/** What every connection of a run is opened with. */
export interface Call {
  readonly context: Context;
  readonly options: CallFlags;
  readonly localPort: number | undefined;
  /** Whether -w was given. */
  readonly hasOwnLimit: boolean;
  readonly interruption: Interruption;
  readonly timing: Timing | undefined;
}

/** What a connection goes through: proxies, a PROXY header, TLS. Files are read before any socket opens. */
export async function readWay(
  { context: { reporter }, options, timing }: Call,
  endpoint: Endpoint,
): Promise<DialOptions> {
  const isSecure = options.tls || endpoint.kind === 'tls';
  return {
    ...(await readTuners(options, endpoint)),
    proxies: readProxies(options),
    sendProxyHeader: options.sendProxy,
    onHop: (proxy, target) => reporter.emit({ event: 'proxied', proxy, target }),
    onSecured: (durationMs) => timing?.report('tls', durationMs),
    secure: isSecure
      ? (await import('../options/secure-run.ts')).readClientSecure(
          options,
          endpoint,
          formatTargetEndpoint(endpoint),
          reporter,
        )
      : undefined,
  };
}

async function readTuners(
  options: CallFlags,
  endpoint: Endpoint,
): Promise<Pick<DialOptions, 'tune' | 'tuneDatagrams'>> {
  if (endpoint.kind === 'udp') return { tuneDatagrams: await readDatagramTuner(options) };
  return { tune: await readTuner(options) };
}

/** The connection, or undefined when there is none: then the failure is reported and the exit status set. */
export async function openCall(
  call: Call,
  endpoint: Endpoint,
  way: DialOptions,
): Promise<Connection | undefined> {
  const { context, options, interruption, hasOwnLimit } = call;
  try {
    if (!isPatient(options))
      return await callOnce(call, endpoint, { ...way, timeoutMs: options.waitConnect });
    const { waitForServer } = await import('./wait.ts');
    return await waitForServer(context, endpoint, options, hasOwnLimit, interruption.signal, (timeoutMs) =>
      callOnce(call, endpoint, { ...way, timeoutMs }),
    );
  } catch (error) {
    if (interruption.status !== undefined) context.exit(interruption.status);
    else context.fail(subjectOf(error, formatTargetEndpoint(endpoint)), error);
    return undefined;
  }
}

/** One attempt to connect, at all addresses of the host. */
export async function callOnce(call: Call, endpoint: Endpoint, way: DialOptions): Promise<Connection> {
  const { options, localPort, interruption, timing } = call;
  const { reporter } = call.context;
  // A check or a wait says of itself how each try ended.
  const isTold = options.verbose > 1 || !(options.check ?? isPatient(options));
  timing?.tryStarted();
  return openConnection(endpoint, {
    ...way,
    family: readFamily(options),
    numericOnly: options.numeric,
    localAddress: options.source,
    localPort,
    signal: interruption.signal,
    onLookup: (host) => timing?.lookedUp(host),
    onAttempt(address) {
      timing?.attemptStarted(address);
      if (isTold) reporter.emit({ event: 'attempt', address });
    },
    onAttemptFailed(address, error) {
      timing?.attemptFailed(address, error);
      const code = errorCode(error) ?? 'ERROR';
      if (isTold) reporter.emit({ event: 'attempt-failed', address, code, message: describeError(error) });
    },
  });
}

async function openConnection(endpoint: Endpoint, options: DialOptions): Promise<Connection> {
  if (endpoint.kind !== 'udp') return dial(endpoint, options);
  const { dialDatagram } = await import('../../src/dial/dial-datagram.ts');
  return dialDatagram(endpoint, options);
}
