import { parseRoute, routeProtocols } from './route.ts';
import { list, text, toggle, type Setting, type SettingTable, type ValuesOf } from './setting.ts';
import { TnetError } from '../../../errors.ts';

/** What a proxy speaks itself, before it relays. */
export const protocolSettings = {
  acceptProxy: toggle('--accept-proxy', 'read a PROXY header, version 1 or 2, from each client'),
  sendProxy: proxyVersion(
    '--send-proxy <version>',
    'begin each connection to a target with a PROXY header: 1 or 2',
  ),
  socks: toggle('--socks', 'be a SOCKS server, 4, 4a and 5: the client names its target'),
  httpConnect: toggle('--http-connect', 'be an HTTP CONNECT proxy: the client names its target'),
  authFile: text(
    '--auth-file <file>',
    'ask clients for a user and password of this htpasswd file',
    (file) => file,
  ),
  route: list(
    '--route <match=target>',
    `send clients of a TLS name, ALPN or protocol elsewhere: sni:, alpn: or proto:NAME=TARGET; protocols: ${routeProtocols.join(', ')}`,
    parseRoute,
  ),
} as const satisfies SettingTable;

export type ProtocolValues = ValuesOf<typeof protocolSettings>;

function proxyVersion(flags: string, help: string): Setting<1 | 2> {
  return {
    flags,
    help,
    schema: { enum: [1, 2, '1', '2'] },
    read(value) {
      if (value === 1 || value === '1') return 1;
      if (value === 2 || value === '2') return 2;
      throw new TnetError('TNET_E_USAGE', 'The version is 1 or 2.');
    },
  };
}
