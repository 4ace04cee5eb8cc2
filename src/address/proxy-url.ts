import { TnetError, hideUserInfo } from '../errors.ts';
import { formatHostPort } from './endpoint.ts';
import { parseEndpoint } from './parse.ts';

export type ProxyProtocol = 'socks4' | 'socks4a' | 'socks5' | 'http';

/** One proxy of a chain. */
export interface ProxyHop {
  readonly protocol: ProxyProtocol;
  readonly host: string;
  readonly port: number;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}

/** The ports that nc takes when none is named. */
const defaultPorts: Readonly<Record<ProxyProtocol, number>> = {
  socks4: 1080,
  socks4a: 1080,
  socks5: 1080,
  http: 3128,
};

/**
 * Reads `[socks4|socks4a|socks5|http]://[user@]host[:port]`. Without a protocol it is SOCKS 5, as nc's -x is; without
 * a port 1080, or 3128 for HTTP.
 *
 * @throws TnetError TNET_E_USAGE for another protocol or for a password, which every user of the machine could read
 *   on the command line; TNET_E_ADDRESS.
 */
export function parseProxy(text: string): ProxyHop {
  const [, scheme = 'socks5', rest = ''] = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(.*)$/is.exec(text) ?? [];
  const protocol = scheme.toLowerCase();
  const at = rest.lastIndexOf('@');
  const user = at < 0 ? undefined : rest.slice(0, at);
  const address = rest.slice(at + 1).replace(/\/$/, '');
  if (!isProtocol(protocol)) {
    const message = `unknown proxy protocol ${scheme}: use socks4, socks4a, socks5 or http`;
    throw new TnetError('TNET_E_USAGE', message, { subject: hideUserInfo(text) });
  }
  if (user?.includes(':')) {
    const message =
      'no password on the command line, where everyone can see it: ' +
      'put it into TNET_PROXY_PASSWORD or a file for --proxy-password-file';
    throw new TnetError('TNET_E_USAGE', message, { subject: hideUserInfo(text) });
  }
  const hop = { protocol, ...parseHop(address, defaultPorts[protocol]) };
  return user === undefined ? hop : { ...hop, user: decode(user, text) };
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
