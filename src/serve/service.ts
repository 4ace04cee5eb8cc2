import type { AccessList } from '../access/access-list.ts';
import { RateLimit } from '../access/rate-limit.ts';
import type { Endpoint } from '../address/endpoint.ts';
import type { Connection } from '../net/connection.ts';
import type { DatagramSocket } from '../net/datagram.ts';
import type { LocalOptions } from '../dial/dial-options.ts';
import type { GroupValues } from '../net/groups.ts';
import type { ConnectionGuard } from '../net/guard.ts';
import type { Server, Socket } from '../net/index.ts';
import type { UnixOwner } from '../net/unix-listener.ts';
import type { WebSocketValues } from '../dial/websocket-settings.ts';
import type { Rate } from '../quantities.ts';
import { defaultGreetingMs, type Greeting, type ReadGreeting, type TakeRate } from './greeting/greeting.ts';
import type { Books, ConnectionEnding, OpenConnection } from './ledger.ts';
import type { OwnAddresses } from './own-addresses.ts';
import type { ThrowawayCertificates } from './throwaway-certificates.ts';
import type { TlsServerSettings } from './tls-server.ts';

/** An address that could not be bound. `cause` is the system's error or a TnetError. */
export class ServeError extends Error {
  readonly subject: string;

  constructor(subject: string, cause: unknown) {
    super(`cannot listen on ${subject}`, { cause });
    this.subject = subject;
  }
}

/** A client that has been admitted and has finished its greeting. */
export interface Greeted {
  /** Open; the handler has to close it, see HandlerEnding. */
  readonly client: Connection;
  readonly greeting: Greeting;
  /** What the listener that accepted it has bound, as it is reported; names a client that has no address. */
  readonly listener: string;
  /** Its entry in the ledger, where a handler records what it has moved and how to break it off. */
  readonly entry: OpenConnection;
  /** Watches what else is opened for this client. */
  readonly guard: ConnectionGuard;
}

/** How serving a client ended, and what is left to do. */
export interface HandlerEnding extends ConnectionEnding {
  /** Closes the client's connection and all else, once the end has been reported. */
  readonly close: () => Promise<void> | void;
}

/** Serves a greeted client. Rejects only for a fault of tnet, which ends this client alone. */
export type Handler = (client: Greeted) => Promise<HandlerEnding>;

/**
 * The settings by which the clients of one listener are admitted and served. A reload gives the listener another
 * one.
 */
export interface Service {
  /** Tells it from the others, if it has a name. Its connections are entered in the ledger with it. */
  readonly name?: string | undefined;
  readonly listen: Endpoint;
  readonly binding: Binding;
  /** No client is accepted for this long after each one. Undefined: no pause. */
  readonly pauseMs: number | undefined;
  /** Judges clients by their address; undefined: all are admitted. */
  readonly access: AccessList | undefined;
  /** Undefined: no limit. */
  readonly rate: RateLimit | undefined;
  /** Undefined: no limit. */
  readonly takeRate: TakeRate | undefined;
  /** A client's address is the one in its PROXY header. */
  readonly acceptProxy: boolean;
  /** Undefined: no limit. */
  readonly maxConnections: number | undefined;
  /** Clients over the limit are reset instead of waiting. */
  readonly reject: boolean;
  /**
   * Set when only one client is served: aborted once it is chosen. Clients being greeted then are dropped without a
   * word.
   */
  readonly onlyFirst?: AbortSignal | undefined;
  /** Sets options on a client's socket, before anything else. Default: none. */
  readonly tune?: ((socket: Socket) => void) | undefined;
  /** Sets options on the bound socket of a UDP address. Throws what binding should throw. Default: none. */
  readonly tuneDatagrams?: ((socket: DatagramSocket) => void) | undefined;
  /** How the multicast group that is a UDP address is joined. */
  readonly group?: GroupValues | undefined;
  /** What clients say before they are served, in its order. None: they are served at once. */
  readonly readers: readonly ReadGreeting[];
  /** How long a client may take for each of them, in milliseconds. */
  readonly greetingMs: number;
  readonly handle: Handler;
  /** How an end is used that is no address for clients. */
  readonly local?: LocalOptions | undefined;
  /** The entry of the one client that the service is for, if it has one and its arrival has been reported. */
  readonly entered?: OpenConnection | undefined;
  /** Whether the engine serves its clients alone. Undefined: it never does, and nothing is reported about it. */
  readonly lane?: LaneOffer;
  /** Binds an address that has no clients, only datagrams. Default: each client is a connection, over UDP too. */
  readonly bind?: ((service: Service, host: ServeHost) => Promise<BoundListener>) | undefined;
  /** Reads what lists it has besides `access` again. Throws TNET_E_ACCESS. Undefined: it has none. */
  readonly reloadLists?: (() => Promise<void>) | undefined;
  /** Ends what the service keeps running. Connections go on. */
  readonly close: () => void;
}

/** How an address is bound. A reload may give a Unix socket that stays bound another mode and owner. */
export interface Binding {
  /** Of a Unix socket's file; see ServeOptions. */
  readonly mode: number | undefined;
  readonly owner: UnixOwner | undefined;
  /** Wait while the address is in use. */
  readonly retry: boolean;
}

/** Whether clients take the express lane, and how. */
export interface LaneOffer {
  /** Nothing is reported about it. Default false. */
  readonly isQuiet?: boolean;
  /** Why they do not, as the end of a sentence. */
  readonly obstacle?: string;
  /**
   * Takes over the listening socket of a server that has bound `address`; a string says why that is not possible.
   * Accepting keeps `reserve` descriptors free.
   */
  readonly open?: (server: Server, address: string, reserve: number) => Lane | string;
}

/** A listening socket that the engine serves alone. */
export interface Lane {
  /** Gives the listening socket back. Connections go on. Settles when all that were accepted are in the ledger. */
  close(): Promise<void>;
}

/** A bound address with the service that is offered there. */
export interface BoundListener {
  /** What has really been bound, as it is reported. */
  readonly address: string;
  /** Uses another service from the next client on. */
  replaceService(service: Service): void;
  /** Gives the file of a Unix socket the mode and owner of a service, by default its own. @throws the system's error */
  changeFile?(service?: Service): void;
  /** Reads the access lists again, if there are any. @throws TnetError TNET_E_ACCESS; the old ones stay in force */
  reloadAccess(): Promise<AccessList | undefined>;
  /**
   * Takes no more clients; those being served stay. Settles when all that were accepted are in the ledger.
   *
   * @param how `takesWaiting`: after those that have connected and wait to be accepted. Default false: they are reset
   */
  close(how?: { readonly takesWaiting?: boolean }): Promise<void> | void;
  /** Of one that has its client from the beginning: serves it, when everything is bound. */
  start?(): void;
  /** Settles when no client can come any more. Absent: clients may always come. */
  readonly over?: Promise<LoneEnding>;
}

/** How the one client of a listener was served. */
export interface LoneEnding {
  /** Nothing failed. */
  readonly isServed: boolean;
  /** Of a client that is a program; otherwise 0. See awaitStatus(). */
  readonly status: number;
}

/** Where a client has come to. */
export interface Place {
  /** The name of the listener, which stays the same over a reload. */
  readonly key: string;
  /** What it has bound, as it is reported. */
  readonly address: string;
  /** The name of its service, if it has one. */
  readonly service: string | undefined;
}

/** What all parts of a server process share. */
export interface ServeHost extends Books {
  /** Aborted when everything must end now: what has been read is delivered, and nothing new begins. */
  readonly signal: AbortSignal;
  /**
   * Hands an accepted client to another process, in the turn in which it was accepted. Undefined: clients are
   * served here.
   */
  readonly handOver?: ((client: Socket, remote: string, place: Place) => void) | undefined;
  /** What has been bound here. Default: that is not known. */
  readonly own?: OwnAddresses;
  /** Signs the nonces of Digest, in all processes that serve the same clients. Default: each listener has its own. */
  readonly nonceKey?: Buffer;
  /** The throw-away certificates of the run. Default: each is made where it is needed. */
  readonly certificates?: ThrowawayCertificates;
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6;
  /** Refuse host names: no DNS. Default false. */
  readonly numericOnly?: boolean;
}

/**
 * What the options common to all servers say about their listeners. What is absent was not asked for, or has its
 * default.
 */
export interface ServeValues extends WebSocketValues {
  readonly mode?: number;
  readonly owner?: UnixOwner;
  readonly retryBind?: boolean;
  readonly pause?: number;
  /** See src/access for what an entry may be. */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly acceptProxy?: boolean;
  readonly maxConnections?: number;
  readonly reject?: boolean;
  /** New connections of a client address. */
  readonly rate?: Rate;
  readonly handshakeLimit?: number;
}

/** What a server does with its clients, besides what the common options say. */
type OwnPart = Pick<Service, 'handle'> &
  Partial<Omit<Service, 'readers'>> & {
    /** TLS with the clients. Default: none. */
    readonly tls?: TlsServerSettings | undefined;
    /** What clients say after their PROXY header and within TLS. Default: nothing. */
    readonly readers?: readonly ReadGreeting[];
  };

/**
 * The service that the options ask for, with `own` overriding what they say.
 *
 * @throws TnetError TNET_E_ACCESS
 */
export async function prepareService(
  listen: Endpoint,
  values: ServeValues,
  { numericOnly }: Pick<ServeHost, 'numericOnly'>,
  { tls, readers = [], ...own }: OwnPart,
): Promise<Service> {
  const { mode, owner, pause, maxConnections, reject, handshakeLimit } = values;
  const acceptProxy = values.acceptProxy === true;
  const rate = values.rate && new RateLimit(values.rate);
  const first = [
    acceptProxy && (await import('./greeting/proxy-header.ts')).readProxyHeader,
    tls && (await import('./tls-server.ts')).createTlsReader(tls),
    listen.kind === 'ws' &&
      (await (await import('./greeting/websocket.ts')).createWebSocketReader(listen, values)),
  ];
  return {
    // What a flag makes secure is reported as that.
    listen: listen.kind === 'ws' && tls ? { ...listen, isSecure: true } : listen,
    binding: { mode, owner, retry: values.retryBind === true },
    pauseMs: pause,
    access: await readAccess(values, numericOnly),
    rate,
    takeRate: rate && ((client: string) => rate.take(client, performance.now())),
    acceptProxy,
    maxConnections,
    reject: reject === true,
    readers: [...first.filter((one) => typeof one === 'function'), ...readers],
    greetingMs: handshakeLimit ?? defaultGreetingMs,
    close: () => undefined,
    ...own,
  };
}

async function readAccess(
  { allow, deny }: ServeValues,
  numericOnly: boolean | undefined,
): Promise<AccessList | undefined> {
  if (!allow && !deny) return undefined;
  const { createAccessList } = await import('../access/access-list.ts');
  return createAccessList({ allow, deny, numericOnly });
}
