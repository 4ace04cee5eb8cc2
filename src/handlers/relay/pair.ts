import type { TlsRules } from '../../dial/tls-files.ts';
import type { ProxyHop } from '../../address/proxy-url.ts';
import type { Endpoint } from '../../address/endpoint.ts';
import type { SocketValues } from '../../net/socket-values.ts';
import type { Spread } from '../../quantities.ts';
import type { ServeValues } from '../../serve/service.ts';
import type { Route, Target } from './targets/target.ts';

/** Where to listen, where to connect, and how: read and found to make sense together by whoever hands it over. */
export interface Pair {
  readonly listen: Endpoint;
  readonly targets: readonly Target[];
  readonly values: PairValues;
  /** Whether connections are done something to on purpose. */
  readonly isFaulty: boolean;
  /** What keeps the clients in JavaScript: the first option that the engine does not do alone. */
  readonly slowOption: string | undefined;
}

/** How a pair is served. Times are in milliseconds, sizes in bytes; what is absent is not asked for, or has its default. */
export interface PairValues
  extends
    ServeValues,
    ProtocolValues,
    TlsValues,
    RouteToTargetValues,
    SocketValues,
    BalanceValues,
    LimitValues,
    FaultValues,
    ReplayValues {
  /** Between UDP and a stream. */
  readonly framing?: 'chunk' | 'length';
}

/** On what way targets are connected to. */
export interface RouteToTargetValues {
  /** The address to connect from. */
  readonly source?: string;
  /** The proxies to go through, the one that is called directly first. */
  readonly via?: readonly ProxyHop[];
  /** The file of their passwords. */
  readonly proxyPasswordFile?: string;
}

/** What a proxy speaks itself, before it relays. */
export interface ProtocolValues {
  readonly sendProxy?: 1 | 2;
  readonly socks?: boolean;
  readonly httpConnect?: boolean;
  /** The path of a htpasswd file. */
  readonly authFile?: string;
  readonly route?: readonly Route[];
}

/** TLS of a proxy: with its clients, with its targets, or both. Files are named by their paths. */
export interface TlsValues {
  readonly tlsIn?: boolean;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** Clients must show a certificate of these authorities. */
  readonly tlsClientCa?: string;
  readonly tlsOut?: boolean;
  readonly tlsCa?: string;
  readonly tlsServername?: string;
  readonly tlsInsecure?: boolean;
  readonly tlsAlpn?: readonly string[];
  /** Of both sides. */
  readonly tlsMin?: TlsRules['minVersion'];
  readonly tlsCiphers?: string;
  /** The certificate that targets are shown, and its key where it is not in the same file. */
  readonly tlsOutCert?: string;
  readonly tlsOutKey?: string;
  /** SHA-256 of the public key or of the certificate, as parsePin() reads it; one of them must be a target's. */
  readonly tlsPin?: readonly string[];
}

/** How clients are spread over several targets. */
export interface BalanceValues {
  readonly balance?: 'round-robin' | 'least' | 'first' | 'hash';
  readonly health?: number;
  readonly healthFall?: number;
  readonly healthRise?: number;
  readonly eject?: number;
  readonly resolve?: number;
  /** An IP address, with a port or without, as node:dns takes it. */
  readonly dnsServer?: string;
}

/** How long each connection may take. */
export interface LimitValues {
  readonly idle?: number;
  readonly halfClosed?: number;
  readonly timeout?: number;
  readonly waitConnect?: number;
}

/** What is done to connections on purpose. docs/faults.md sets each beside its counterpart in toxiproxy. */
export interface FaultValues {
  readonly latency?: Spread;
  /** Bytes a second. */
  readonly bandwidth?: number;
  readonly slice?: boolean;
  readonly sliceSize?: Spread;
  readonly sliceDelay?: number;
  readonly corrupt?: number;
  readonly loss?: number;
  readonly dropAfter?: number;
  readonly resetAfter?: number;
  readonly blackhole?: boolean;
  readonly slowClose?: number;
  readonly direction?: 'up' | 'down' | 'both';
  readonly probability?: number;
  readonly seed?: number;
}

/** Recordings in the place of clients or of a target. */
export interface ReplayValues {
  readonly replay?: string;
  /** How many times faster than it was recorded; Infinity: at once. */
  readonly pace?: number;
  readonly connection?: number;
}

export const defaultConnectMs = 30_000;
export const defaultFall = 3;
export const defaultRise = 2;
export const defaultEjectMs = 10_000;
export const defaultResolveMs = 30_000;
/** How long a session without a datagram lasts, as UDP has no end. */
export const defaultSessionIdleMs = 60_000;

/** Whether the targets are to be chosen among, and not simply dialled. */
export function isBalanced({ targets, values }: Pick<Pair, 'targets' | 'values'>): boolean {
  return (
    targets.length > 1 ||
    targets.some(({ kind }) => kind === 'srv') ||
    values.balance !== undefined ||
    values.health !== undefined ||
    values.resolve !== undefined ||
    values.dnsServer !== undefined
  );
}

/** Whether a recording takes the place of the clients, and not that of the target. */
export function isReplayClient({ listen, values }: Pick<Pair, 'listen' | 'values'>): boolean {
  return values.replay !== undefined && listen.kind === 'stdio';
}
