import { ProtocolError } from '../../protocol/protocol-error.ts';
import { sniffProtocol, type SniffedProtocol } from '../../protocol/sniff.ts';
import { peekClientHello, type PeekedHello } from '../../protocol/client-hello.ts';

/** What a client's first bytes may show. */
export interface RoutePattern {
  /** The name that a TLS client asks for, a protocol that it offers in ALPN, or the protocol of its first bytes. */
  readonly kind: 'sni' | 'alpn' | 'proto';
  /** Lower case. For sni, `*.example.com` is any name one level below. */
  readonly name: string;
}

/**
 * Finds the first pattern that a client's first bytes match, consuming none of them. `need-more`: undecided yet;
 * undefined: none matches.
 */
export function findRoute(
  routes: readonly RoutePattern[],
  bytes: Buffer,
): RoutePattern | 'need-more' | undefined {
  const hello = peek(bytes);
  for (const route of routes) {
    const fits = route.kind === 'proto' ? fitsProtocol(route.name, bytes) : fitsHello(route, hello);
    if (fits === 'need-more') return fits;
    if (fits) return route;
  }
  return undefined;
}

/** It is up to the target to refuse a hello that violates TLS. */
function peek(bytes: Buffer): PeekedHello {
  try {
    return peekClientHello(bytes);
  } catch (error) {
    if (error instanceof ProtocolError) return { type: 'not-tls' };
    throw error;
  }
}

function fitsProtocol(name: string, bytes: Buffer): boolean | 'need-more' {
  const sniffed = sniffProtocol(bytes);
  return sniffed === 'need-more' ? sniffed : isRouteProtocol(name, sniffed);
}

/** Whether a client's protocol is that of a `proto:` pattern: `http` is every version of HTTP. */
function isRouteProtocol(name: string, sniffed: SniffedProtocol | 'unknown'): boolean {
  return sniffed === name || (name === 'http' && sniffed.startsWith('http/'));
}

function fitsHello({ kind, name }: RoutePattern, peeked: PeekedHello): boolean | 'need-more' {
  if (peeked.type === 'need-more') return peeked.type;
  if (peeked.type === 'not-tls') return false;
  const { alpn, serverName } = peeked.hello;
  return kind === 'alpn' ? alpn.includes(name) : fitsName(name, serverName?.toLowerCase() ?? '');
}

function fitsName(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*.')) return pattern === name;
  const dot = name.indexOf('.');
  return dot > 0 && name.slice(dot) === pattern.slice(1);
}
