import type { AccessList } from '../access/access-list.ts';
import { RateLimit } from '../access/rate-limit.ts';
import type { Endpoint } from '../address/endpoint.ts';
import type { Connection } from '../net/connection.ts';
import type { DatagramSocket } from '../net/datagram.ts';
import type { ConnectionGuard } from '../net/guard.ts';
import type { Server, Socket } from '../net/index.ts';
import type { UnixOwner } from '../net/unix-listener.ts';
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

/** A client that has been let in and has said what it wants. */
export interface Greeted {
  /** Open, and the handler's to close; see HandlerEnding. */
  readonly client: Connection;
  readonly greeting: Greeting;
  /** What the listener that it came to has bound, as it is said; names a client that has no address. */
  readonly listener: string;
  /** Its place in the ledger, where a handler says what it has moved and how it is broken off. */
  readonly entry: OpenConnection;
  /** Watches what else is opened for this client. */
  readonly guard: ConnectionGuard;
}

/** How serving a client ended, and what is left to do. */
export interface HandlerEnding extends ConnectionEnding {
  /** Closes the client's connection and all else, once the end has been reported. */
  readonly close: () => Promise<void> | void;
}

/** What is done with a greeted client. Never rejects but for a fault of tnet, which ends this client alone. */
export type Handler = (client: Greeted) => Promise<HandlerEnding>;

/** By what the clients of one listener are let in and served. A reload gives the listener another one. */
export interface Service {
  readonly listen: Endpoint;
  readonly binding: Binding;
  /** Nobody is accepted for this long after each client. Undefined: no pause. */
  readonly pauseMs: number | undefined;
  /** Judges clients by their address; undefined: all are welcome. */
  readonly access: AccessList | undefined;
  /** Undefined: no limit. */
  readonly rate: RateLimit | undefined;
  /** Undefined: no limit. */
  readonly takeRate: TakeRate | undefined;
  /** Who a client is, its PROXY header says. */
  readonly acceptProxy: boolean;
  /** Undefined: no limit. */
  readonly maxConnections: number | undefined;
  /** Clients over the limit are reset instead of waiting. */
  readonly reject: boolean;
  /** Set where one client is served: aborted once it is known. Who is being greeted then is dropped without a word. */
  readonly onlyFirst?: AbortSignal | undefined;
  /** Sets options on a client's socket, before anything else. Default: none. */
  readonly tune?: ((socket: Socket) => void) | undefined;
  /** Sets options on the bound socket of a UDP address. Throws what binding is to throw. Default: none. */
  readonly tuneDatagrams?: ((socket: DatagramSocket) => void) | undefined;
  /** What clients say before they are served, in its order. None: they are served at once. */
  readonly readers: readonly ReadGreeting[];
  /** How long a client may take for each of them, in milliseconds. */
  readonly greetingMs: number;
  readonly handle: Handler;
  /** The place of the one client that it is for, where that has one and its arrival has been reported. */
  readonly entered?: OpenConnection | undefined;
  /** Whether the engine serves its clients alone. Undefined: it never does, and nothing is said of it. */
  readonly lane?: LaneOffer;
  /** Binds an address that has no clients, but datagrams. Default: each client is a connection, of UDP too. */
  readonly bind?: ((service: Service, host: ServeHost) => Promise<BoundListener>) | undefined;
  /** Ends what the service keeps running. Connections go on. */
  readonly close: () => void;
}

/** How an address is bound. A reload gives a Unix socket that stays bound another mode and owner. */
export interface Binding {
  /** Of a Unix socket's file; see ServeOptions. */
  readonly mode: number | undefined;
  readonly owner: UnixOwner | undefined;
  /** Wait while the address is in use. */
  readonly retry: boolean;
}

/** Whether clients take the express lane, and how. */
export interface LaneOffer {
  /** Nothing is said of it. Default false. */
  readonly isQuiet?: boolean;
  /** Why they do not, as the end of a sentence. */
  readonly obstacle?: string;
  /**
   * Takes a server's listening socket over, which has bound `address`; a text says why that cannot be. Accepting leaves
   * `reserve` descriptors free.
   */
  readonly open?: (server: Server, address: string, reserve: number) => Lane | string;
}

/** A listening socket that the engine serves alone. */
export interface Lane {
  /** Gives the listening socket back. Connections go on. Settles when all that were accepted are in the ledger. */
  close(): Promise<void>;
}

/** A bound address with the service that is given there. */
export interface BoundListener {
  /** What has really been bound, as it is said. */
  readonly address: string;
  /** Serves by another service from the next client on. */
  replaceService(service: Service): void;
  /** Reads the access lists again, if there are any. @throws TnetError TNET_E_ACCESS; the old ones stay in force */
  reloadAccess(): Promise<AccessList | undefined>;
  /** Takes no more clients; who is served stays. Settles when all that were accepted are in the ledger. */
  close(): Promise<void> | void;
}

/** What all that a server process does shares. */
export interface ServeHost extends Books {
  /** Aborted when everything is to end now: what has been read is delivered, and nothing new begins. */
  readonly signal: AbortSignal;
  /**
   * Gives an accepted client away to another process, in the turn in which it was accepted. Undefined: clients are served
   * here.
   */
  readonly handOver?:
    ((client: Socket, remote: string, place: { key: string; address: string }) => void) | undefined;
  /** What has been bound here. Default: nothing is known of it. */
  readonly own?: OwnAddresses;
  /** The throw-away certificates of the run. Default: whoever needs one makes it. */
  readonly certificates?: ThrowawayCertificates;
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6;
  /** Refuse host names: no DNS. Default false. */
  readonly numericOnly?: boolean;
}

/** What the options of every server say of its listeners. What is absent is not asked for, or has its default. */
export interface ServeValues {
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

/** What is done with the clients of a service, after what the options of every server say. */
type OwnPart = Pick<Service, 'handle'> &
  Partial<Omit<Service, 'readers'>> & {
    /** TLS with its clients. Default: none. */
    readonly tls?: TlsServerSettings | undefined;
    /** What clients say after their PROXY header and in TLS. Default: nothing. */
    readonly readers?: readonly ReadGreeting[];
  };

/**
 * The service that the options ask for, with `own` in the place of what they say.
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
  ];
  return {
    listen,
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
