import { TnetError, hideUserInfo } from '../errors.ts';
import { isIP } from './ip.ts';
import type { Endpoint } from './endpoint.ts';
import { explainForeignAddress } from './foreign-address.ts';
import { refuseNumericForm } from './host-rules.ts';
import { parseOther } from './other-kinds.ts';
import { findService, type ServiceProtocol } from './service-names.ts';

/**
 * The longest path of a Unix socket in bytes: sun_path without its NUL. Source: unix(7), and 104 on macOS and the
 * BSDs. Of a Windows pipe: 256 characters. Source: CreateNamedPipe's documentation.
 */
const maxPathBytes = process.platform === 'linux' ? 107 : process.platform === 'win32' ? 256 : 103;

/** A named pipe, which Windows has in place of Unix sockets: `\\.\pipe\NAME`. */
const pipePath = /^\\\\[.?]\\pipe\\./i;

/**
 * Reads an address in tnet's one grammar: `PORT`, `:PORT`, `HOST:PORT`, `[V6]:PORT`, `/path`, `unix:/path`,
 * `unix:@name`, `unix-dgram:/path`, `unix-seqpacket:/path`, `tls://HOST:PORT`, `udp://HOST:PORT`,
 * `ws://HOST[:PORT][/PATH]`, `wss://…`, `fd:N`, `-`, and what parseOther() reads.
 *
 * @param protocol whose service names stand for ports where the address does not say it
 * @throws TnetError TNET_E_ADDRESS with one sentence that says what is wrong.
 */
export function parseEndpoint(text: string, protocol: ServiceProtocol = 'tcp'): Endpoint {
  if (text === '') throw addressError(text, 'the address is empty');
  if (text === '-') return { kind: 'stdio' };
  const other = parseOther(text);
  if (other) return other;
  const advice = explainForeignAddress(text);
  if (advice !== undefined) throw addressError(text, advice);
  if (hasUserInfo(text)) throw userError(text);
  const [, kind, path = ''] = /^(unix|unix-dgram|unix-seqpacket):(.*)$/s.exec(text) ?? [];
  if (kind !== undefined)
    return { ...parsePath(path, text), kind: kind as 'unix' | 'unix-dgram' | 'unix-seqpacket' };
  if ((text.includes('/') && !text.includes('://')) || pipePath.test(text)) return parsePath(text, text);
  if (text.startsWith('fd:')) return parseDescriptor(text);
  const scheme = /^([a-z0-9+.-]+):\/\/(.*)$/i.exec(text);
  if (scheme) return parseUrl(text, scheme[1] ?? '', scheme[2] ?? '');
  return { kind: 'tcp', ...parseHostPort(text, protocol) };
}

/**
 * Reads an address given as one word (see parseEndpoint) or as two, `HOST PORT`.
 *
 * @throws TnetError TNET_E_ADDRESS
 */
export function parseWords(words: readonly string[], protocol: ServiceProtocol = 'tcp'): Endpoint {
  const [first = '', second, ...rest] = words;
  if (second === undefined) return parseEndpoint(first, protocol);
  if (rest.length > 0) {
    throw addressError(
      words.map(hideUserInfo).join(' '),
      'too many words: an address is HOST PORT or one word',
    );
  }
  if (hasUserInfo(first)) throw userError(first);
  if (/^(\[.*\]|[^:]*):\d+$/.test(first)) {
    throw addressError(words.join(' '), 'two ports: an address is HOST PORT or HOST:PORT');
  }
  return { kind: 'tcp', host: parseHost(first, `${first} ${second}`), port: parsePort(second, protocol) };
}

/**
 * Reads a port: a number from 0 to 65535, or a service name of /etc/services such as `http`.
 *
 * @throws TnetError TNET_E_ADDRESS
 */
export function parsePort(text: string, protocol: ServiceProtocol = 'tcp'): number {
  if (/^\d+$/.test(text)) {
    const port = Number(text);
    if (port > 65535) throw addressError(text, 'a port is a number from 0 to 65535');
    return port;
  }
  if (text === '') throw addressError(text, 'the port is missing');
  const port = isServiceName(text) ? findService(text, protocol) : undefined;
  if (port !== undefined) return port;
  const reason = /^[a-z]/i.test(text)
    ? (explainOtherProtocol(text, protocol) ?? 'unknown service name')
    : 'not a port: a number from 0 to 65535 or a service name';
  throw addressError(text, reason);
}

function isServiceName(text: string): boolean {
  return /^[a-z][a-z0-9_.+-]*$/i.test(text);
}

/** Undefined when the name is not one of the other protocol's either. */
function explainOtherProtocol(text: string, protocol: ServiceProtocol): string | undefined {
  const other = protocol === 'tcp' ? 'udp' : 'tcp';
  if (!isServiceName(text) || findService(text, other) === undefined) return undefined;
  return other === 'udp' ? 'a UDP service: use udp:// or -u' : 'a TCP service, not a UDP one';
}

/**
 * Checks a Unix socket path, with or without `unix:` before it, and reads `@name` as an abstract one.
 *
 * @throws TnetError TNET_E_ADDRESS when it is empty, holds a NUL byte, or is over the system's limit.
 */
export function parsePath(text: string, subject = text): Extract<Endpoint, { kind: 'unix' }> {
  const isAbstract = text.startsWith('@');
  if (isAbstract && process.platform !== 'linux') {
    throw addressError(subject, 'abstract Unix sockets exist on Linux only');
  }
  if (process.platform === 'win32' && text !== '' && !pipePath.test(text)) {
    throw addressError(subject, 'Windows has named pipes instead of Unix sockets: \\\\.\\pipe\\NAME');
  }
  const path = isAbstract ? `\0${text.slice(1)}` : text;
  if (path === '' || path === '\0') throw addressError(subject, 'the path is empty');
  if (path.includes('\0', 1)) throw addressError(subject, 'a path cannot hold a NUL byte');
  const bytes = Buffer.byteLength(path);
  if (bytes > maxPathBytes) {
    throw addressError(
      subject,
      `the path is ${bytes} bytes long, and the limit for a Unix socket is ${maxPathBytes}`,
    );
  }
  return { kind: 'unix', path };
}

function parseHostPort(text: string, protocol: ServiceProtocol): { host?: string; port: number } {
  if (text.startsWith('[')) return parseBracketed(text, protocol);
  const colon = text.lastIndexOf(':');
  if (colon < 0) return { port: parseLonePort(text, protocol) };
  const host = text.slice(0, colon);
  if (host.includes(':')) {
    throw addressError(
      text,
      `an IPv6 address with a port needs brackets: [${host}]:${text.slice(colon + 1)}`,
    );
  }
  const port = parsePortOf(text, text.slice(colon + 1), protocol);
  return host === '' ? { port } : { host: parseHost(host, text), port };
}

function parseBracketed(text: string, protocol: ServiceProtocol): { host: string; port: number } {
  const match = /^\[([^\]]*)\]:(.*)$/.exec(text);
  if (!match) throw addressError(text, 'expected [ADDRESS]:PORT');
  const [, host = '', port = ''] = match;
  if (isIP(host) !== 6) throw addressError(text, 'not an IPv6 address in the brackets');
  return { host, port: parsePortOf(text, port, protocol) };
}

/** A word without a colon is a port: a host on its own lacks one, and the message says so. */
function parseLonePort(text: string, protocol: ServiceProtocol): number {
  if (isIP(text) !== 0 || (/[.]/.test(text) && !/^\d+$/.test(text)))
    throw addressError(text, 'the port is missing');
  if (/^[a-z][a-z0-9_-]*$/i.test(text) && findService(text, protocol) === undefined) {
    const hint = `as a host it needs a port (${text}:PORT), as a path a slash (./${text})`;
    throw addressError(text, explainOtherProtocol(text, protocol) ?? `unknown service name; ${hint}`);
  }
  return parsePort(text, protocol);
}

function parsePortOf(subject: string, text: string, protocol: ServiceProtocol): number {
  try {
    return parsePort(text, protocol);
  } catch (error) {
    throw addressError(subject, `${text === '' ? '' : `port ${text}: `}${(error as TnetError).message}`);
  }
}

function parseHost(text: string, subject: string): string {
  const host = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  if (host === '') throw addressError(subject, 'the host is empty');
  refuseNumericForm(host, subject);
  if (isIP(host) === 0 && !/^[\p{L}\p{N}]([\p{L}\p{N}_.-]*[\p{L}\p{N}.])?$/u.test(host)) {
    throw addressError(subject, `${host} is neither an IP address nor a host name`);
  }
  return host;
}

function parseDescriptor(text: string): Endpoint {
  if (process.platform === 'win32') throw addressError(text, 'Windows cannot pass sockets by descriptor');
  const digits = text.slice('fd:'.length);
  if (!/^\d{1,9}$/.test(digits)) throw addressError(text, 'expected fd:N with a descriptor number');
  return { kind: 'fd', fd: Number(digits) };
}

function parseUrl(text: string, scheme: string, rest: string): Endpoint {
  const kind = scheme.toLowerCase();
  if (kind === 'ws' || kind === 'wss') return parseWebSocket(rest, kind === 'wss', text);
  if (kind === 'tcp' || kind === 'tls' || kind === 'udp') {
    return { kind, ...parseHostPort(rest.replace(/\/$/, ''), kind === 'udp' ? 'udp' : 'tcp') };
  }
  throw addressError(
    text,
    `unknown scheme ${scheme}://; use tcp://, tls://, udp://, ws://, wss:// or unix: instead`,
  );
}

/** Source: RFC 6455, 3. There is no fragment; the ports are those of HTTP and HTTPS where none is named. */
function parseWebSocket(rest: string, isSecure: boolean, text: string): Endpoint {
  const [, place = '', path = ''] = /^([^/?#]*)(.*)$/s.exec(rest) ?? [];
  if (path.includes('#'))
    throw addressError(text, 'the address of a WebSocket has no fragment: leave out the #');
  if (!/^[\x21-\x7e]*$/.test(path))
    throw addressError(text, 'the path of a WebSocket is ASCII without blanks: encode the rest as %XX');
  if (place === '') throw addressError(text, 'the host is missing');
  const isPort = /^\d+$/.test(place) || /^:\d+$/.test(place);
  const hasPort = isPort || /:[^:\]]+$/.test(place);
  const at = parseHostPort(hasPort ? place : `${place}:${isSecure ? 443 : 80}`, 'tcp');
  return { kind: 'ws', isSecure, ...at, path: path.startsWith('/') ? path : `/${path}` };
}

/** Whether an address has a user in it, and maybe a password with a slash, which would make it a path. */
function hasUserInfo(text: string): boolean {
  if (/^(?:unix(?:-[a-z]+)?:|[@./])/.test(text) || pipePath.test(text)) return false;
  const [, path] = /^wss?:\/\/[^/?#@]*([/?#].*)$/is.exec(text) ?? [];
  // A password with a slash in it looks like a path, but a path that has an @ begins after a whole host.
  if (path !== undefined) return false;
  return text.includes('://') ? text.includes('@') : /:.*@|^[^/]*@/.test(text);
}

function userError(text: string): TnetError {
  return addressError(text, 'an address cannot contain a user name: leave out the part before the @');
}

function addressError(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_ADDRESS', message, { subject: hideUserInfo(subject) });
}
