import { readFileSync } from 'node:fs';
import type { ProxyHop } from '../address/proxy-url.ts';
import { errorCode, TnetError } from '../errors.ts';

/**
 * Adds passwords to the proxies that name a user: from a file, with one for all or a line for each, or from
 * TNET_PROXY_PASSWORD.
 *
 * @throws TnetError TNET_E_USAGE when there is none, or when the file cannot be read or has a different number of
 *   them
 */
export function addPasswords(proxies: readonly ProxyHop[], file?: string): readonly ProxyHop[] {
  const users = proxies.filter(takesPassword).length;
  if (users === 0) {
    if (file === undefined) return proxies;
    throw new TnetError('TNET_E_USAGE', '--proxy-password-file needs a -x that names a user: user@host:port');
  }
  const passwords = readPasswords(file, users);
  let next = 0;
  return proxies.map((proxy) => {
    if (!takesPassword(proxy)) return proxy;
    const password = passwords.length === 1 ? passwords[0] : passwords[next++];
    return { ...proxy, password };
  });
}

/** SOCKS 4 has a user and no password, and a proxy from the environment may have its own. */
function takesPassword({ protocol, user, password }: ProxyHop): boolean {
  if (user === undefined || password !== undefined) return false;
  return protocol === 'socks5' || protocol === 'http' || protocol === 'https';
}

function readPasswords(file: string | undefined, users: number): readonly string[] {
  if (file === undefined) {
    const password = process.env['TNET_PROXY_PASSWORD'];
    if (password !== undefined) return [password];
    const message = 'the proxy user needs a password: in TNET_PROXY_PASSWORD or --proxy-password-file';
    throw new TnetError('TNET_E_USAGE', message);
  }
  const lines = readLines(file);
  if (lines.length === 1 || lines.length === users) return lines;
  const message = `has ${lines.length} lines, but expected one password for all or one for each of the ${users} users`;
  throw new TnetError('TNET_E_USAGE', message, { subject: file });
}

function readLines(file: string): string[] {
  try {
    const text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    return text.split(/\r?\n/);
  } catch (error) {
    const message = `cannot be read (${errorCode(error) ?? 'unknown'})`;
    throw new TnetError('TNET_E_USAGE', message, { subject: file, cause: error });
  }
}
