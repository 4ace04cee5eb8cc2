import type { ProxyHop } from '../../../address/proxy-url.ts';
import type { DialOptions, LocalOptions } from '../../../dial/dial-options.ts';
import { toTuning, type SocketValues } from '../../../net/socket-values.ts';
import type { GroupValues } from '../../../net/groups.ts';
import type { ProxyHost } from '../host.ts';
import { defaultConnectMs, type TlsValues, type RouteToTargetValues } from '../pair.ts';
import type { TargetDialing } from './upstream.ts';
import type { Socket } from '../../../net/index.ts';
import type { WebSocketValues } from '../../../dial/websocket-settings.ts';

/** A pair's settings for dialling its targets. */
export interface TargetDialValues extends TlsValues, RouteToTargetValues, SocketValues, WebSocketValues {
  /** Limit for DNS, connecting, proxies and TLS together, in milliseconds. */
  readonly waitConnect?: number;
}

/** How an end of this machine is used by a relay: a serial line with no end must not keep others from it. */
export const relayed: LocalOptions = { appends: true, quietMs: 1_000 };

/**
 * How a pair's targets are dialled, including those of its routes and those that its SOCKS and CONNECT clients
 * name.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used, TNET_E_UNSUPPORTED for a socket option without the addon
 */
export async function prepareTargetDialing(
  values: TargetDialValues,
  host: ProxyHost,
  { isDatagram = false, group, webSocket }: TargetKinds = {},
): Promise<TargetDialing> {
  const { waitConnect: timeoutMs = defaultConnectMs, via, proxyPasswordFile, proxyCa, source } = values;
  return {
    host,
    timeoutMs,
    options: {
      proxies: via && (await import('../../../dial/proxy-passwords.ts')).addPasswords(via, proxyPasswordFile),
      proxyTls: via && (await readProxyTls(via, proxyCa, host)),
      source: source === undefined ? undefined : { address: source },
      local: relayed,
      tls: values.tlsOut ? (await import('./target-tls.ts')).readTargetTls(values, host) : undefined,
      webSocket: webSocket && (await readWebSocket(values, webSocket)),
      group,
      ...(await prepareTuners(values, isDatagram)),
    },
  };
}

/** What is known of a pair's targets. */
export interface TargetKinds {
  /** Default false. */
  readonly isDatagram?: boolean | undefined;
  readonly group?: GroupValues | undefined;
  /**
   * Some are WebSockets. `clients`: so is the listener, for which then the origins are. Default: none are.
   */
  readonly webSocket?: 'targets' | 'clients' | undefined;
}

async function readWebSocket(
  values: WebSocketValues,
  ends: TargetKinds['webSocket'],
): Promise<DialOptions['webSocket']> {
  const { readClientSettings } = await import('../../../dial/websocket-settings.ts');
  return readClientSettings(values, ends === 'clients' ? [] : values.wsOrigin);
}

async function readProxyTls(
  via: readonly ProxyHop[],
  ca: string | undefined,
  host: ProxyHost,
): Promise<DialOptions['proxyTls']> {
  if (ca === undefined && via.every(({ protocol }) => protocol !== 'https')) return undefined;
  return (await import('../../../dial/proxy-tls.ts')).readProxyTls(via, ca, host);
}

async function prepareTuners(
  values: SocketValues,
  isDatagram: boolean,
): Promise<Pick<DialOptions, 'tune' | 'tuneDatagrams'>> {
  if (!isDatagram) return { tune: await prepareTuner(values) };
  const tuning = toTuning({ tos: values.tos, ttl: values.ttl });
  if (!tuning) return {};
  const { createDatagramTuner } = await import('../../../net/socket-tuning.ts');
  return { tuneDatagrams: createDatagramTuner(tuning) };
}

/**
 * A function that sets a pair's options on a client's or a target's socket, as far as the socket has them: a Unix
 * socket has buffers and lingering, but no packets. Undefined when the pair asks for none.
 *
 * @throws TnetError TNET_E_UNSUPPORTED without the addon
 */
export async function prepareTuner(values: SocketValues): Promise<((socket: Socket) => void) | undefined> {
  const tuning = toTuning(values);
  if (!tuning) return undefined;
  const { createTuner } = await import('../../../net/socket-tuning.ts');
  const { rcvbuf, sndbuf, linger } = values;
  const ofTcp = createTuner(tuning);
  const ofUnix = createTuner(toTuning({ rcvbuf, sndbuf, linger }) ?? {});
  return (socket) => {
    const isUnix = socket.remoteAddress === undefined;
    (isUnix ? ofUnix : ofTcp)(socket);
  };
}
