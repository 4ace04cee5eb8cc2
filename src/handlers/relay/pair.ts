import type { ProxyValue } from '../../protocol/proxy-protocol/header.ts';
import type { TlsRules } from '../../dial/tls-files.ts';
import type { ProxyHop } from '../../address/proxy-url.ts';
import { parseStatuses, type Statuses } from '../../protocol/http-status.ts';
import type { Endpoint } from '../../address/endpoint.ts';
import type { GroupValues } from '../../net/groups.ts';
import type { SocketValues } from '../../net/socket-values.ts';
import type { LiveFaults } from './faults/live-faults.ts';
import type { Spread } from '../../quantities.ts';
import type { ServeValues } from '../../serve/service.ts';
import type { Route, Target } from './targets/target.ts';

/** Where to listen, where to connect, and how: parsed and checked for consistency by the caller. */
export interface Pair {
  /** Tells it from the others, in the ledger. */
  readonly name?: string;
  readonly listen: Endpoint;
  readonly targets: readonly Target[];
  readonly values: PairValues;
  /** Whether its connections have faults. */
  readonly isFaulty: boolean;
  /**
   * Faults that may be exchanged while connections are open, of which those of `values` are part: see
   * createLiveFaults(). Its clients are served in JavaScript. Default: those of `values`, which stay.
   */
  readonly liveFaults?: LiveFaults;
  /** What keeps the clients in JavaScript: the first option that the engine cannot do alone. */
  readonly slowOption: string | undefined;
}

/**
 * How a pair is served. Times are in milliseconds, sizes in bytes; what is absent was not asked for, or has its
 * default.
 */
export interface PairValues
  extends
    ServeValues,
    ProtocolValues,
    TlsValues,
    RouteToTargetValues,
    SocketValues,
    Omit<GroupValues, 'multicastLoop'>,
    BalanceValues,
    LimitValues,
    FaultValues,
    ReplayValues {
  /** Clients of other machines may reach targets that are programs, files and devices. */
  readonly insecureExec?: boolean;
  /** Between UDP and a stream. */
  readonly framing?: 'chunk' | 'length';
}

/** The way by which targets are connected to. */
export interface RouteToTargetValues {
  /** The address to connect from. */
  readonly source?: string;
  /** The proxies to go through, first the one that is connected to directly. */
  readonly via?: readonly ProxyHop[];
  /** The file of their passwords. */
  readonly proxyPasswordFile?: string;
  /** The authorities that vouch for https:// proxies. Default: those of this machine. */
  readonly proxyCa?: string;
}

/** What a proxy speaks itself, before it relays. */
export interface ProtocolValues {
  readonly sendProxy?: 1 | 2;
  /** What headers of version 2 say beyond the addresses. */
  readonly proxyTlv?: readonly ProxyValue[];
  /** Clients speak telnet, and their windows are that of the target's terminal. */
  readonly telnetIn?: boolean;
  readonly socks?: boolean;
  readonly httpConnect?: boolean;
  /** CONNECT, and requests for `http://` addresses. */
  readonly http?: boolean;
  /** The longest body of such a request, in bytes. */
  readonly maxBody?: number;
  /** The path of a file of users, see readUsers(). */
  readonly authFile?: string;
  /** How HTTP clients authenticate. */
  readonly authScheme?: 'basic' | 'digest' | 'any';
  /** What clients may name; see src/access/target-list.ts for what an entry may be. */
  readonly allowTarget?: readonly string[];
  readonly denyTarget?: readonly string[];
  readonly route?: readonly Route[];
}

/** TLS of a proxy: with its clients, with its targets, or both. Files are named by their paths. */
export interface TlsValues {
  readonly tlsIn?: boolean;
  /** The certificates that clients see, chosen by the name that they ask for, and their keys. */
  readonly tlsCert?: readonly string[];
  readonly tlsKey?: readonly string[];
  /** Clients must show a certificate issued by one of these authorities. */
  readonly tlsClientCa?: string;
  /** A client may also show none. */
  readonly tlsClientOptional?: boolean;
  /** The name that clients have to ask for. */
  readonly tlsClientServername?: string;
  readonly tlsOut?: boolean;
  readonly tlsCa?: string;
  readonly tlsServername?: string;
  readonly tlsInsecure?: boolean;
  readonly tlsAlpn?: readonly string[];
  /** Of both sides. */
  readonly tlsMin?: TlsRules['minVersion'];
  readonly tlsCiphers?: string;
  /** The certificate that targets are shown, and its key if that is not in the same file. */
  readonly tlsOutCert?: string;
  readonly tlsOutKey?: string;
  /** SHA-256 of the public key or of the certificate, as parsePin() reads it; a target must match one of them. */
  readonly tlsPin?: readonly string[];
}

/** How clients are spread over several targets. */
export interface BalanceValues {
  readonly balance?: 'round-robin' | 'least' | 'first' | 'hash';
  readonly health?: number;
  /** What a check asks for, a path and a query; undefined: it only connects. */
  readonly healthHttp?: string;
  readonly healthStatus?: Statuses;
  /** The Host header of a check. */
  readonly healthHost?: string;
  readonly healthFall?: number;
  readonly healthRise?: number;
  readonly eject?: number;
  /** How long the share of a target that is used again grows to what it is. */
  readonly slowStart?: number;
  readonly resolve?: number;
  /** An IP address, with or without a port, as node:dns takes it. */
  readonly dnsServer?: string;
}

/** How long each connection may take. */
export interface LimitValues {
  readonly idle?: number;
  readonly halfClosed?: number;
  readonly timeout?: number;
  readonly waitConnect?: number;
}

/** The faults of connections. docs/faults.md lists each with its counterpart in toxiproxy. */
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

/** A recording in place of the clients or of a target. */
export interface ReplayValues {
  readonly replay?: string;
  /** How many times faster than it was recorded; Infinity: at once. */
  readonly pace?: number;
  readonly connection?: number;
}

export const defaultConnectMs = 30_000;
export const defaultFall = 3;
export const defaultRise = 2;
export const defaultHealthStatus = parseStatuses('2xx,3xx');
export const defaultEjectMs = 10_000;
export const defaultResolveMs = 30_000;
/** How long a session without a datagram lasts, since UDP has no end. */
export const defaultSessionIdleMs = 60_000;

/** Whether a target has to be chosen, and not simply dialled. */
export function isBalanced({ targets, values }: Pick<Pair, 'targets' | 'values'>): boolean {
  return (
    targets.length > 1 ||
    targets.some(({ kind, settings }) => kind === 'srv' || settings !== undefined) ||
    values.balance !== undefined ||
    values.health !== undefined ||
    values.resolve !== undefined ||
    values.dnsServer !== undefined
  );
}

/** Whether a recording replaces the clients, and not the target. */
export function isReplayClient({ listen, values }: Pick<Pair, 'listen' | 'values'>): boolean {
  return values.replay !== undefined && listen.kind === 'stdio';
}
