import { TnetError, hideUserInfo } from '../errors.ts';
import type { Endpoint } from './endpoint.ts';
import { parseEndpoint } from './parse.ts';

/** What an `http://` or `https://` URL asks for, and of whom. */
export interface HttpTarget {
  /** Where the server is: a `tls` endpoint for https. */
  readonly endpoint: Extract<Endpoint, { readonly kind: 'tcp' | 'tls' }>;
  /** As it was written, without a fragment. */
  readonly url: string;
  /** The path and the query: what a request names. */
  readonly path: string;
  /** The value of the Host header: without the port where that is the scheme's own. */
  readonly host: string;
}

const schemes = { http: { kind: 'tcp', port: 80 }, https: { kind: 'tls', port: 443 } } as const;

/** Whether a word is meant as a URL of HTTP. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/**
 * Reads `http://HOST[:PORT][/PATH][?QUERY]` or the same with https. The host follows the rules of all addresses: no octal or
 * hexadecimal parts, brackets around IPv6.
 *
 * @throws TnetError TNET_E_ADDRESS
 */
export function parseHttpUrl(text: string): HttpTarget {
  const [, name = '', authority = '', rest = ''] = /^(https?):\/\/([^/?#]*)([^#]*)/is.exec(text) ?? [];
  const scheme = schemes[name.toLowerCase() as keyof typeof schemes] as
    (typeof schemes)['http' | 'https'] | undefined;
  if (!scheme) throw addressError(text, 'expected a URL: http://HOST:PORT/PATH or https://HOST:PORT/PATH');
  if (text.includes('@', name.length) && authority.includes('@'))
    throw addressError(text, 'an address cannot contain a user name: leave out the part before the @');
  if (authority === '') throw addressError(text, 'the host is empty');
  const bad = /[^\x21-\x7e]/.exec(rest);
  if (bad) throw addressError(text, 'the path has a character that must be percent-encoded');
  const hasPort = /^(?:\[[^\]]*\]|[^:[]*):/.test(authority);
  const [, host = ''] = /^(\[[^\]]*\]|.*?)(?::[^:]*)?$/.exec(authority) ?? [];
  const { port, ...found } = readPlace(text, hasPort ? authority : `${authority}:${scheme.port}`);
  const named = host.replace(/%[^\]]*/, '');
  return {
    endpoint: { kind: scheme.kind, ...found, port },
    url: text.replace(/#.*$/s, ''),
    path: rest.startsWith('/') ? rest : `/${rest}`,
    host: port === scheme.port ? named : `${named}:${port}`,
  };
}

function readPlace(url: string, place: string): { readonly host?: string; readonly port: number } {
  try {
    const { host, port } = parseEndpoint(`tls://${place}`) as HttpTarget['endpoint'];
    if (port === 0) throw addressError(url, 'port 0 cannot be connected to');
    if (host === undefined) throw addressError(url, 'the host is empty');
    return { host, port };
  } catch (error) {
    throw addressError(url, (error as TnetError).message);
  }
}

function addressError(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_ADDRESS', message, { subject: hideUserInfo(subject) });
}
