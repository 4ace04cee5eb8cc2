import type { Socket } from '../../net/index.ts';
import type { ProxyHeader } from '../../protocol/proxy-protocol/header.ts';
import type { RoutePattern } from './route-match.ts';
import { errorCode } from '../../errors.ts';
import type { AccessList } from '../../access/access-list.ts';
import { tooManyNew } from '../ledger.ts';

/** An address and a port as an answer names them. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** What a client of SOCKS or CONNECT asks for, and how it is answered. Who connects it is to answer once. */
export interface TargetRequest {
  /** `bind` is answered twice: with where its peer is to connect, and with who did. */
  readonly command: 'connect' | 'bind' | 'udp-associate';
  readonly host: string;
  readonly port: number;
  /** The answer that it has what it asked for, at `bound`, which CONNECT does not tell. */
  readonly grant: (bound: BoundAddress) => Buffer;
  /** The answer that it cannot have it, because of an error with this code. */
  readonly refuse: (code: string | undefined) => Buffer;
}

/** What a client said before its stream began. */
export interface Greeting {
  /** What a PROXY header said about it. */
  readonly header?: ProxyHeader;
  /** What it asks to be connected to, by SOCKS or CONNECT. */
  readonly request?: TargetRequest;
  /** What its first bytes show; absent: none of the patterns. */
  readonly route?: RoutePattern | undefined;
  /** Bytes of its stream that come before what its socket gives. */
  readonly early?: Buffer | undefined;
}

/** How long a client may take to say what it has to say. */
export interface GreetingLimits {
  /** For each reader, in milliseconds. */
  readonly limitMs: number;
  /** Ends the reading with its reason. Default: nothing does but the limit. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads one part of what a client says first, and adds it to what was read before; readers follow each other on the same
 * socket, which is paused between them. When one throws, the connection is still the caller's to close.
 *
 * @throws ProtocolError, with the answer for the client in `reply` where there is one; TnetError TNET_E_TIMEOUT;
 *   SaidNothing; the signal's reason; or the socket's error
 */
export type ReadGreeting = (client: Socket, soFar: Greeting, limits: GreetingLimits) => Promise<Greeting>;

/** The limit where none is asked for. */
export const defaultGreetingMs = 10_000;

/** Hears all that a client says before its stream, part by part. See ReadGreeting. */
export async function greet(
  client: Socket,
  readers: readonly ReadGreeting[],
  limits: GreetingLimits,
): Promise<Greeting> {
  let greeting: Greeting = {};
  for (const read of readers) greeting = await read(client, greeting, limits);
  return greeting;
}

/** The client has left without a word, where a word was waited for. That is no failure: load balancers look so. */
export class SaidNothing extends Error {
  constructor() {
    super('the client left without a word');
  }
}

/**
 * Runs what waits for a client's greeting.
 *
 * @throws SaidNothing when it failed because the client has left, by an end or by a break, and no byte had come; else
 *   what `greet` throws. A client that stays and says nothing has run into the time limit, which is a failure.
 */
export async function hearGreeting<Greeting>(
  socket: Socket,
  greet: () => Promise<Greeting>,
  signal?: AbortSignal,
): Promise<Greeting> {
  const { bytesRead } = socket;
  const hasMore = socket.readableLength > 0;
  try {
    return await greet();
  } catch (error) {
    const hasSpoken = hasMore || socket.bytesRead > bytesRead;
    if (hasSpoken || signal?.aborted || isLimit(error)) throw error;
    throw new SaidNothing();
  }
}

function isLimit(error: unknown): boolean {
  if (errorCode(error) === 'TNET_E_TIMEOUT') return true;
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error && cause.name === 'AbortError';
}

/** The address and port that the header says the client has, if it says any. */
export function sourceOf(
  header: ProxyHeader | undefined,
): { readonly host: string; readonly port: number } | undefined {
  const ends = header?.command === 'proxy' ? header.ends : undefined;
  return ends && 'source' in ends && typeof ends.source === 'object' ? ends.source : undefined;
}

/** The host that the header says the client is, if it says one. */
export function sourceHost(header: ProxyHeader | undefined): string | undefined {
  return sourceOf(header)?.host;
}

/** Who a client is: as its PROXY header says, or else by its connection's own address. */
export function nameSource(header: ProxyHeader | undefined, remote: string): string {
  const said = header ? formatSource(header) : 'unknown';
  return said === 'unknown' ? remote : said;
}

/** The source that the header names, as tnet writes addresses. */
export function formatSource({ command, ends }: ProxyHeader): string {
  if (command === 'local' || ends.family === 'unknown') return 'unknown';
  if (typeof ends.source === 'string') return ends.source === '' ? 'unknown' : ends.source;
  const { host, port } = ends.source;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Counts a connection of a client that a PROXY header names; false: one too many. */
export type TakeRate = (client: string) => boolean | Promise<boolean>;

/** Why a client that has shown a PROXY header is turned away: by the access lists, or as one too many of the source. */
export function judgeHeader(
  header: ProxyHeader,
  client: { readonly remoteAddress?: string | undefined },
  { access, takeRate }: { readonly access: AccessList | undefined; readonly takeRate: TakeRate | undefined },
): string | undefined | Promise<string | undefined> {
  const denial = judgeSource(header, client, access);
  if (denial !== undefined || !takeRate) return denial;
  const judge = (isTaken: boolean) => (isTaken ? undefined : tooManyNew);
  const taken = takeRate(sourceHost(header) ?? '');
  return typeof taken === 'boolean' ? judge(taken) : taken.then(judge);
}

/**
 * Why a client is turned away by what its PROXY header says; undefined when it is welcome. Where the header says
 * nothing, the connection's own address counts, which has been judged already; a Unix socket has none, so that nobody
 * can be said to be on a list. LOCAL is a connection of the proxy in front, such as its checks, and of no client: on a
 * Unix socket the socket's mode is what lets it in.
 */
export function judgeSource(
  header: ProxyHeader,
  { remoteAddress }: { readonly remoteAddress?: string | undefined },
  access: AccessList | undefined,
): string | undefined {
  const source = sourceHost(header);
  if (source === undefined && (remoteAddress !== undefined || header.command === 'local')) return undefined;
  return access?.judge(source);
}
