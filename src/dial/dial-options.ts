import type { ProxyHop } from '../address/proxy-url.ts';
import type { Connection } from '../net/connection.ts';
import type { DatagramSocket } from '../net/datagram.ts';
import type { GroupValues } from '../net/groups.ts';
import type { RaceOptions } from '../net/happy-eyeballs.ts';
import type { Socket } from '../net/index.ts';
import type { ProxyValue } from '../protocol/proxy-protocol/header.ts';
import type { Patience, Retry } from './patience.ts';
import type { TlsClientSettings } from './tls-client.ts';
import type { WebSocketClientSettings } from './websocket-settings.ts';

/** How a connection is opened, for all parts that open one. What is absent is not done, or left to the system. */
export interface DialOptions {
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6 | undefined;
  /** Refuse host names: no DNS. Default false. */
  readonly numericOnly?: boolean | undefined;
  /** The address and port to connect from. Default: the system's choice. */
  readonly source?: Source | undefined;
  /** Finds a host's addresses. Default: the system's resolver. */
  readonly lookup?: RaceOptions['lookup'];
  /** Judges an address before it is connected to, or requested from a proxy: an error forbids it. */
  readonly judge?: JudgeDestination | undefined;
  /** Called with the connection before anything is sent on it. Throws what dial() should throw. */
  readonly tune?: ((socket: Socket) => void) | undefined;
  /** The same for a UDP socket. */
  readonly tuneDatagrams?: ((socket: DatagramSocket) => void) | undefined;
  /** How a multicast group or a broadcast address is sent to. */
  readonly group?: GroupValues | undefined;
  /** The proxies to go through, first the one that is connected to directly. Default: none. */
  readonly proxies?: readonly ProxyHop[] | undefined;
  /** The TLS settings for a proxy that speaks TLS. Default: its certificate is checked as this machine does. */
  readonly proxyTls?: ((hop: ProxyHop) => TlsClientSettings) | undefined;
  /**
   * What is sent to the target before anything else: a PROXY header of this version with our own ends, or these
   * bytes.
   */
  readonly head?: 1 | 2 | Buffer | undefined;
  /** What a PROXY header of version 2 says beyond the addresses. Default: nothing. */
  readonly headValues?: readonly ProxyValue[] | undefined;
  /** Use TLS. With a `tls` endpoint, TLS is used without this too, and the certificate checked. */
  readonly tls?: TlsClientSettings | undefined;
  /** The name that the certificate must be for when `tls` names none. Default: the endpoint's host. */
  readonly tlsHost?: string | undefined;
  /** How a WebSocket begins, and how its messages are made. Default: in the simplest way. */
  readonly webSocket?: WebSocketClientSettings | undefined;
  /** Checks the connection before it counts as open; an error means that the check failed and has closed it. */
  readonly prove?: ((connection: Connection, timeoutMs: number | undefined) => Promise<unknown>) | undefined;
  /** Retry. Then `timeoutMs` is ignored: retrying has limits of its own. */
  readonly patience?: Patience | undefined;
  /** Limit for DNS, all attempts, proxies and TLS together, in milliseconds. Default: none. */
  readonly timeoutMs?: number | undefined;
  /**
   * Within that limit, wait for a free descriptor when the process has none left. Default false: that is an error.
   */
  readonly awaitsDescriptor?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For an end that is no peer, but a program, a file or a device. */
  readonly local?: LocalOptions | undefined;
  /** Notified of the steps of the dial. */
  readonly observer?: DialObserver | undefined;
}

/** How an end of this machine is used. */
export interface LocalOptions {
  /** Append to a file. Default false: read it. */
  readonly appends?: boolean;
  /** After our end, a serial line ends when nothing has come for this long, in milliseconds. Default: it never does. */
  readonly quietMs?: number;
  /** Variables for a program, besides our own. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Source {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}

/** An address that is about to be connected to. */
export interface Destination {
  readonly transport: 'stream' | 'datagram';
  readonly address: string;
  readonly port: number;
  /**
   * It is the address of the first proxy, which is asked for the endpoint. Default false: it is the endpoint's own.
   */
  readonly isProxy?: boolean;
  /** `address` is a name, which the last proxy looks up: its address is not known here. Default false. */
  readonly isName?: boolean;
}

export type JudgeDestination = (destination: Destination) => Error | undefined;

/** Addresses are as people write them: `host:port`, or a path. */
export interface DialObserver {
  /** An attempt begins: with patience, one of several. */
  tried?(): void;
  /** A host's addresses are known: the endpoint's, or the first proxy's. */
  lookedUp?(host: string): void;
  attempt?(address: string): void;
  attemptFailed?(address: string, error: Error): void;
  /** A proxy has opened the way to the next one, or to the target. */
  hop?(proxy: string, target: string): void;
  /** The time that TLS took, STARTTLS included, in milliseconds. */
  tls?(durationMs: number): void;
  /** An attempt has failed and will be repeated. */
  retry?(retry: Retry): void;
}
