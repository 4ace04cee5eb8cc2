import { readFileSync } from 'node:fs';
import { formatProxy, parseProxy, type ProxyHop } from '../../src/address/proxy-url.ts';
import { errorCode, TnetError } from '../../src/errors.ts';
import type { Context } from '../context.ts';
import type { TableFlags } from '../options/row.ts';
import type { proxies } from '../options/table/proxies.ts';

/** The flags that say through what a connection goes. */
export type ProxyFlags = TableFlags<typeof proxies, 'connect'>;

/**
 * The proxies of -x in their order, with passwords for those that name a user.
 *
 * @throws TnetError TNET_E_USAGE, TNET_E_ADDRESS
 */
export function readProxies(flags: ProxyFlags): ProxyHop[] {
  const proxies = (flags.via ?? []).map(parseProxy);
  const users = proxies.filter(takesPassword).length;
  if (users === 0) {
    if (flags.proxyPasswordFile === undefined) return proxies;
    throw new TnetError('TNET_E_USAGE', '--proxy-password-file needs a -x that names a user: user@host:port');
  }
  const passwords = readPasswords(flags.proxyPasswordFile, users);
  let next = 0;
  return proxies.map((proxy) => {
    if (!takesPassword(proxy)) return proxy;
    const password = passwords.length === 1 ? passwords[0] : passwords[next++];
    return { ...proxy, password };
  });
}

/** Says that the last proxy may have taken our half-close for the end of both directions, and the answer with it. */
export function hintAtHalfClose({ reporter }: Context, { via = [] }: ProxyFlags): void {
  const last = via.at(-1);
  if (last === undefined) return;
  const message =
    'no byte came after our half-close, which the proxy may take for the end of both directions; if an answer is missing, use --no-shutdown -q TIME';
  reporter.emit({ event: 'hint', subject: formatProxy(parseProxy(last)), message });
}

/** SOCKS 4 has a user and no password. */
function takesPassword({ protocol, user }: ProxyHop): boolean {
  return user !== undefined && (protocol === 'socks5' || protocol === 'http');
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
  const message = `has ${lines.length} lines: one password for all, or one for each of the ${users} users, is needed`;
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
