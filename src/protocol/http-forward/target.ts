import { decodeAuthority } from '../http-connect/head.ts';

/** Where a request goes that a client sends to a proxy, and what the server there is asked for. */
export interface HttpTarget {
  readonly host: string;
  readonly port: number;
  /** What the Host field says: the host as it was written, and the port if there was one. */
  readonly authority: string;
  /** The origin-form: path and query, or `*`. */
  readonly path: string;
}

const absoluteForm = /^http:\/\/([^/?#@]+)([/?][\x21\x22\x24-\x7e\x80-\xff]*)?$/i;

/**
 * Reads the absolute-form of a request's target (RFC 9112 section 3.2.2): `http://host[:port][/path][?query]`. The path
 * stays as it is, byte for byte. Undefined for any other form, another scheme, a user in it (RFC 9110 section 4.2.4), a
 * fragment, or an address in an unusual notation.
 */
export function parseHttpTarget(text: string, method: string): HttpTarget | undefined {
  const [, authority, rest = ''] = absoluteForm.exec(text) ?? [];
  if (authority === undefined) return undefined;
  const written = authority.replace(/:$/, '');
  const hasPort = /:\d+$/.test(written) && !/^\[[^\]]*$/.test(written);
  const found = decodeAuthority(hasPort ? written : `${written}:80`);
  if (!found) return undefined;
  // RFC 9112 section 3.2.4.
  const path = rest === '' && method === 'OPTIONS' ? '*' : rest.startsWith('/') ? rest : `/${rest}`;
  return { ...found, authority: written, path };
}
