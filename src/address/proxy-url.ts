import { TnetError, hideUserInfo } from '../errors.ts';
import { formatHostPort } from './endpoint.ts';
import { parseEndpoint } from './parse.ts';
import { ownValue } from '../own-value.ts';

export type ProxyProtocol = 'socks4' | 'socks4a' | 'socks5' | 'http' | 'https';

/** One proxy of a chain. */
export interface ProxyHop {
  readonly protocol: ProxyProtocol;
  readonly host: string;
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** NO_PROXY of the environment that names the proxy: the targets that are reached without it. */
  readonly exceptFor?: string | undefined;
}

/** Other names of a protocol. SOCKS 5 here leaves the lookup of names to the proxy, as curl's socks5h does. */
const otherNames: Readonly<Partial<Record<string, ProxyProtocol>>> = { socks: 'socks5', socks5h: 'socks5' };

/** The ports that nc takes when none is named, and curl for https. */
const defaultPorts: Readonly<Record<ProxyProtocol, number>> = {
  socks4: 1080,
  socks4a: 1080,
  socks5: 1080,
  http: 3128,
  https: 443,
};

/**
 * Reads `[socks4|socks4a|socks5|http|https]://[user@]host[:port]`. Without a protocol it is SOCKS 5, as nc's -x is, and
 * so are socks:// and curl's socks5h://; without a port 1080, 3128 for HTTP, or 443 for HTTP within TLS.
 *
 * @throws TnetError TNET_E_USAGE for another protocol or for a password, which every user of the machine could read
 *   on the command line; TNET_E_ADDRESS.
 */
export function parseProxy(text: string): ProxyHop {
  const { scheme, user, address } = splitUrl(text);
  const protocol = readProtocol(scheme, text);
  if (user?.includes(':')) {
    const message =
      'no password on the command line, where everyone can see it: ' +
      'put it into TNET_PROXY_PASSWORD or a file for --proxy-password-file';
    throw new TnetError('TNET_E_USAGE', message, { subject: hideUserInfo(text) });
  }
  const hop = { protocol, ...parseHop(address, defaultPorts[protocol]) };
  return user === undefined ? hop : { ...hop, user: decode(user, text) };
}

/** Where the environment names a proxy, as curl reads it: the first of these that is set and not empty. */
const variables = ['all_proxy', 'ALL_PROXY', 'https_proxy', 'HTTPS_PROXY'] as const;

/**
 * The proxy of all_proxy, or else of https_proxy, in small or capital letters, with the exceptions of no_proxy. It
 * may contain a password: other users cannot read the environment. Without a protocol it is an HTTP proxy, as for
 * curl.
 *
 * @throws TnetError TNET_E_USAGE: none of them is set, or as parseProxy(); TNET_E_ADDRESS
 */
export function readProxyEnvironment(environment: Readonly<Record<string, string | undefined>>): ProxyHop {
  const name = variables.find((one) => environment[one]);
  if (name === undefined) {
    const message = 'the environment names no proxy: neither ALL_PROXY nor HTTPS_PROXY is set';
    throw new TnetError('TNET_E_USAGE', message, { subject: 'env' });
  }
  const text = environment[name] ?? '';
  const { scheme, user: login, address } = splitUrl(text, 'http');
  const protocol = readProtocol(scheme, text);
  const colon = login?.indexOf(':') ?? -1;
  const user = colon < 0 ? login : login?.slice(0, colon);
  const password = colon < 0 ? undefined : login?.slice(colon + 1);
  return {
    protocol,
    ...parseHop(address, defaultPorts[protocol]),
    ...(user !== undefined && { user: decode(user, text) }),
    ...(password !== undefined && { password: decode(password, text) }),
    exceptFor: environment['no_proxy'] ?? environment['NO_PROXY'],
  };
}

interface UrlParts {
  readonly scheme: string;
  readonly user: string | undefined;
  readonly address: string;
}

function splitUrl(text: string, defaultScheme = 'socks5'): UrlParts {
  const [, scheme = defaultScheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text) ?? [];
  const at = rest.lastIndexOf('@');
  const user = at < 0 ? undefined : rest.slice(0, at);
  return { scheme: scheme.toLowerCase(), user, address: rest.slice(at + 1).replace(/\/$/, '') };
}

function readProtocol(scheme: string, text: string): ProxyProtocol {
  const protocol = ownValue(otherNames, scheme) ?? scheme;
  if (isProtocol(protocol)) return protocol;
  const message = `unknown proxy protocol ${scheme}: use socks4, socks4a, socks5, http or https`;
  throw new TnetError('TNET_E_USAGE', message, { subject: hideUserInfo(text) });
}

/** The proxy as it is named in messages: with its user, never with a password. */
export function formatProxy({ protocol, host, port, user }: ProxyHop): string {
  const name = user === undefined ? '' : `${encodeURIComponent(user)}@`;
  return `${protocol}://${name}${formatHostPort(host, port)}`;
}

function parseHop(address: string, defaultPort: number): { host: string; port: number } {
  const hasPort = /^(\[[^\]]*\]|[^:]*):[^:]+$/.test(address);
  const endpoint = parseEndpoint(hasPort ? address : `${address}:${defaultPort}`);
  if (endpoint.kind === 'tcp' && endpoint.host !== undefined && endpoint.port > 0) {
    return { host: endpoint.host, port: endpoint.port };
  }
  throw new TnetError('TNET_E_ADDRESS', 'a proxy is HOST:PORT', { subject: address });
}

function isProtocol(text: string): text is ProxyProtocol {
  return Object.hasOwn(defaultPorts, text);
}

function decode(user: string, text: string): string {
  try {
    return decodeURIComponent(user);
  } catch {
    throw new TnetError('TNET_E_USAGE', 'the user contains a % that is not an escape', {
      subject: hideUserInfo(text),
    });
  }
}
