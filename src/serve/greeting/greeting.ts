import type { Connection } from '../../net/connection.ts';
import type { Socket } from '../../net/index.ts';
import type { FileMessageDecoder } from '../../protocol/file-transfer/decode.ts';
import type { SenderMessage } from '../../protocol/file-transfer/messages.ts';
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

/** What a client of SOCKS or CONNECT asks for, and how to answer it. The code that connects it answers once. */
export interface TargetRequest {
  /** `bind` is answered twice: with the address that its peer is to connect to, and with the peer that did. */
  readonly command: 'connect' | 'bind' | 'udp-associate';
  readonly host: string;
  readonly port: number;
  /** The answer that the request is granted, at `bound`, which an answer to CONNECT does not include. */
  readonly grant: (bound: BoundAddress) => Buffer;
  /** The answer that the request is refused, because of an error with this code. */
  readonly refuse: (code: string | undefined) => Buffer;
}

/** A sender of files that has said how many follow. */
export interface FilesStart {
  readonly files: number;
  /** Reads what follows. */
  readonly decoder: FileMessageDecoder<SenderMessage>;
  /** What it has read already. */
  readonly messages: readonly SenderMessage[];
}

/** What a client said before its stream began. */
export interface Greeting {
  /** What a PROXY header said about it. */
  readonly header?: ProxyHeader;
  /** What it asks to be connected to, by SOCKS or CONNECT. */
  readonly request?: TargetRequest;
  /** It speaks HTTP, and its first request is still to be read. */
  readonly isHttp?: boolean;
  /** The files that it is about to send. */
  readonly files?: FilesStart;
  /** The pattern that its first bytes match; absent: none of them. */
  readonly route?: RoutePattern | undefined;
  /** Bytes of its stream that precede what its socket delivers. */
  readonly early?: Buffer | undefined;
  /** Its stream, where that is not its socket: what a protocol above the socket carries. Closes the socket with it. */
  readonly stream?: Connection | undefined;
}

/** How long a client may take for its greeting. */
export interface GreetingLimits {
  /** For each reader, in milliseconds. */
  readonly limitMs: number;
  /** Stops the reading with its reason. Default: only the limit does. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads one part of what a client says first, and adds it to what was read before; readers follow each other on the
 * same socket, which is paused between them. When one throws, closing the connection is still up to the caller.
 *
 * @throws ProtocolError, with the answer for the client, if any, in `reply`; TnetError TNET_E_TIMEOUT; SaidNothing;
 *   the signal's reason; or the socket's error
 */
export type ReadGreeting = (client: Socket, soFar: Greeting, limits: GreetingLimits) => Promise<Greeting>;

/** The limit when none is asked for. */
export const defaultGreetingMs = 10_000;

/** Reads all that a client says before its stream, part by part. See ReadGreeting. */
export async function greet(
  client: Socket,
  readers: readonly ReadGreeting[],
  limits: GreetingLimits,
): Promise<Greeting> {
  let greeting: Greeting = {};
  for (const read of readers) greeting = await read(client, greeting, limits);
  return greeting;
}

/**
 * The client has left without a word when one was expected. That is not a failure: load balancers check that way.
 */
export class SaidNothing extends Error {
  constructor() {
    super('the client left without a word');
  }
}

/**
 * Runs a function that waits for a client's greeting.
 *
 * @throws SaidNothing when it failed because the client has left, by closing or by a reset, before any byte
 *   arrived; else what `greet` throws. A client that stays and says nothing runs into the time limit, which is a
 *   failure.
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

/** The client's address and port according to the header, if it names them. */
export function sourceOf(
  header: ProxyHeader | undefined,
): { readonly host: string; readonly port: number } | undefined {
  const ends = header?.command === 'proxy' ? header.ends : undefined;
  return ends && 'source' in ends && typeof ends.source === 'object' ? ends.source : undefined;
}

/** The client's host according to the header, if it names one. */
export function sourceHost(header: ProxyHeader | undefined): string | undefined {
  return sourceOf(header)?.host;
}

/** How to name a client: as its PROXY header does, or else by its connection's own address. */
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

/** Counts a connection of a client named by a PROXY header; false: one too many. */
export type TakeRate = (client: string) => boolean | Promise<boolean>;

/** Why a client with a PROXY header is refused: by the access lists, or as one too many from its source. */
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
 * Why a client is refused because of its PROXY header; undefined when it is admitted. When the header names no
 * client, the connection's own address counts, which has been judged already; a Unix socket has none, so no client
 * can be matched with a list. LOCAL is a connection of the proxy in front itself, such as a health check, and not
 * of a client: on a Unix socket the socket's mode is what admits it.
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
