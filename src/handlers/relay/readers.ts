import type { ReadGreeting } from '../../serve/greeting/greeting.ts';
import type { ProxyHost } from './host.ts';
import type { Pair } from './pair.ts';

/**
 * What reads what a pair's clients say first, in its order: PROXY header, TLS, then SOCKS or HTTP CONNECT or the first
 * bytes' route. Each is loaded only when the pair has it. None: the target is dialled at once.
 *
 * @throws TnetError TNET_E_CONFIG when the htpasswd file cannot be read, TNET_E_USAGE for a certificate
 */
export async function prepareReaders(
  { listen, values, targets }: Pair,
  host: ProxyHost,
): Promise<ReadGreeting[]> {
  const readers: ReadGreeting[] = [];
  if (values.acceptProxy)
    readers.push((await import('../../serve/greeting/proxy-header.ts')).readProxyHeader);
  if (values.tlsIn) {
    const [{ createTlsReader }, { readServerTls }] = await Promise.all([
      import('../../serve/greeting/tls.ts'),
      import('../../serve/tls-server.ts'),
    ]);
    const { tlsCert: cert, tlsKey: key, tlsClientCa: clientCa, tlsAlpn: alpn } = values;
    readers.push(createTlsReader(await readServerTls({ cert, key, clientCa, alpn }, listen, host)));
  }
  if (values.socks ?? values.httpConnect) readers.push(await prepareRequests(values));
  if (values.route) {
    const { createRouteReader } = await import('../../serve/greeting/route.ts');
    readers.push(createRouteReader(values.route, { mayBeSilent: targets.length > 0 }));
  }
  return readers;
}

async function prepareRequests({ socks, httpConnect, authFile }: Pair['values']): Promise<ReadGreeting> {
  const { readUsers } = await import('../../serve/greeting/users.ts');
  const users = authFile === undefined ? undefined : await readUsers(authFile);
  if (!httpConnect) return (await import('../../serve/greeting/socks.ts')).createSocksReader(users);
  if (!socks) return (await import('../../serve/greeting/http-connect.ts')).createConnectReader(users);
  return (await import('../../serve/greeting/socks-or-connect.ts')).createSocksOrConnectReader(users);
}
