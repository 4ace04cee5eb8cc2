import type { AccessList } from '../../access/access-list.ts';
import type { ProxyHeader } from '../../protocol/proxy-protocol/header.ts';

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
