import { formatProxy, type ProxyHop } from '../../src/address/proxy-url.ts';
import { addPasswords } from '../../src/dial/proxy-passwords.ts';
import type { Context } from '../context.ts';
import type { TableFlags } from '../options/row.ts';
import type { proxies } from '../options/table/proxies.ts';

/** The flags that say through what a connection goes. */
export type ProxyFlags = TableFlags<typeof proxies, 'connect'>;

/**
 * The proxies of -x in their order, with passwords for those that name a user.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function readProxies({ via = [], proxyPasswordFile }: ProxyFlags): readonly ProxyHop[] {
  return addPasswords(via, proxyPasswordFile);
}

/** Says that the last proxy may have taken our half-close for the end of both directions, and the answer with it. */
export function hintAtHalfClose({ reporter }: Context, { via = [] }: ProxyFlags): void {
  const last = via.at(-1);
  if (last === undefined) return;
  const message =
    'no byte came after our half-close, which the proxy may take for the end of both directions; if an answer is missing, use --no-shutdown -q TIME';
  reporter.emit({ event: 'hint', subject: formatProxy(last), message });
}
