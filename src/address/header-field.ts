import { TnetError } from '../errors.ts';

/** A header field of HTTP as it is sent. */
export type HeaderField = readonly [name: string, value: string];

/** A token of RFC 9110, 5.6.2. */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Fields that a WebSocket's handshake sets itself, or that would make its request another one. */
const reserved =
  /^(?:host|upgrade|connection|content-length|transfer-encoding|sec-websocket-(?:key|version|protocol|extensions))$/i;

/** Fields that are secrets: a command line can be read by every user of the machine. */
const secret = /^(?:(?:proxy-)?authorization|cookie)$/i;

/**
 * Reads a header field as users write it: `Name: value`.
 *
 * @throws TnetError TNET_E_USAGE for what is none, contains control characters (a line break would begin another
 *   field), or is set by the handshake itself
 */
export function parseHeaderField(line: string, subject?: string): HeaderField {
  const about = subject === undefined ? {} : { subject };
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  const value = line.slice(colon + 1).trim();
  if (!token.test(name)) throw new TnetError('TNET_E_USAGE', "expected a header field: 'Name: value'", about);
  if (!/^[\x20-\x7e\t]*$/.test(value))
    throw new TnetError('TNET_E_USAGE', `the value of ${name} is not one line of ASCII text`, about);
  if (reserved.test(name))
    throw new TnetError('TNET_E_USAGE', `${name} is set by the WebSocket handshake itself`, about);
  return [name, value];
}

/**
 * Checks a header field as it is written as an option: `Name: value`, or `@FILE` for a file with fields.
 *
 * @throws TnetError TNET_E_USAGE as parseHeaderField() does, and for a secret
 */
export function checkHeader(written: string): string {
  if (written.startsWith('@')) return written;
  const [name] = parseHeaderField(written);
  if (!secret.test(name)) return written;
  throw new TnetError(
    'TNET_E_USAGE',
    `${name} is a secret, and others can read a command line: put the field into a file, and name it as @FILE`,
  );
}

/**
 * Reads the names of sub-protocols, separated by commas.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function parseProtocols(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.every((name) => token.test(name)) && new Set(names).size === names.length) return names;
  throw new TnetError('TNET_E_USAGE', 'expected different names of protocols, separated by commas');
}

/** Checks the names of sub-protocols as they are written. @throws as parseProtocols() does */
export function checkProtocols(text: string): string {
  parseProtocols(text);
  return text;
}

/** Reads an origin as browsers send it. @throws TnetError TNET_E_USAGE */
export function parseOrigin(text: string): string {
  if (text === '*' || text === 'null' || /^[a-z][a-z0-9+.-]*:\/\/[\x21-\x2e\x30-\x3e\x40-\x7e]+$/i.test(text))
    return text;
  throw new TnetError('TNET_E_USAGE', 'expected an origin: https://example.com');
}
