import { parseProxy, readProxyEnvironment, type ProxyHop } from '../../../src/address/proxy-url.ts';
import { TnetError } from '../../../src/errors.ts';
import { parseRoute, routeProtocols } from '../../../src/handlers/relay/targets/target.ts';
import { anySession, sessions, streamEnds, tcpEnds, type Mode, type OptionTable } from '../row.ts';
import { parseProxyTlv } from '../proxy-tlv.ts';
import { choice, file, list, size, text, toggle, type ValueKind } from '../value-kinds.ts';

/** What comes before a client's stream. */
export const clientHeader = {
  acceptProxy: {
    flags: '--accept-proxy',
    help: 'a PROXY header (version 1 or 2) comes before each connection',
    helpIn: { proxy: 'read a PROXY header, version 1 or 2, from each client' },
    value: toggle,
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: streamEnds,
    modes: [...sessions, 'workers', 'names', 'replay-target'],
    lane: true,
    test: 'cli/proxy/header.test.ts',
  },
} as const satisfies OptionTable;

const throughProxies: readonly Mode[] = [...anySession, 'workers', 'names', 'replay-clients'];

const proxyVersion: ValueKind<1 | 2> = {
  read(written) {
    if (written === 1 || written === '1') return 1;
    if (written === 2 || written === '2') return 2;
    throw new TnetError('TNET_E_USAGE', 'the PROXY protocol has the versions 1 and 2');
  },
  schema: { enum: [1, 2, '1', '2'] },
  sample: '1',
};

const readVia = (written: string): ProxyHop =>
  written === 'env' ? readProxyEnvironment(process.env) : parseProxy(written);

/** Through what a connection goes. */
export const proxies = {
  via: {
    flags: '-x, --via <proxy>',
    help: 'go through a proxy, socks5://[user@]host:port (socks4, socks4a, http, https too), or env: the one in ALL_PROXY or HTTPS_PROXY; repeat for a chain',
    helpIn: {
      proxy:
        'reach targets through a proxy, socks5://[user@]host:port (socks4, socks4a, http, https too), or env: the one in ALL_PROXY or HTTPS_PROXY; repeat for a chain',
    },
    value: list(readVia, 'socks5://127.0.0.1:1'),
    config: true,
    in: { connect: ['client'], echo: ['client'], proxy: ['target'] },
    ends: tcpEnds,
    modes: throughProxies,
    test: 'cli/connect/through-proxies.test.ts',
  },
  proxyPasswordFile: {
    flags: '--proxy-password-file <file>',
    help: 'the password of -x, or one per line for each user; default: $TNET_PROXY_PASSWORD',
    value: file,
    config: true,
    in: { connect: ['client'], echo: ['client'], proxy: ['target'] },
    ends: tcpEnds,
    modes: throughProxies,
    needs: [{ anyOf: ['via'] }],
    test: 'cli/connect/through-proxies.test.ts',
  },
  proxyCa: {
    flags: '--proxy-ca <file>',
    help: 'trust the authorities in this PEM file only for https:// proxies',
    value: file,
    config: true,
    in: { connect: ['client'], echo: ['client'], proxy: ['target'] },
    ends: tcpEnds,
    modes: throughProxies,
    needs: [{ anyOf: ['via'] }],
    test: 'cli/connect/tls-proxies.test.ts',
  },
  sendProxy: {
    flags: '--send-proxy [version]',
    help: 'send a PROXY header, version 1 or 2, before anything else',
    value: proxyVersion,
    alone: '1',
    in: { connect: ['client'], echo: ['client'] },
    ends: streamEnds,
    modes: anySession,
    test: 'cli/proxy/header.test.ts',
  },
  proxyTlv: {
    flags: '--proxy-tlv <name=value>',
    help: 'add to a PROXY header of version 2: alpn, authority, unique-id, netns, or a type such as 0xE0, =VALUE; or crc32c',
    value: list(parseProxyTlv, 'authority=x'),
    in: { connect: ['client'], echo: ['client'] },
    ends: streamEnds,
    modes: anySession,
    needs: [{ anyOf: ['sendProxy'] }],
    test: 'cli/proxy-tlv.test.ts',
  },
} as const satisfies OptionTable;

/** What a proxy speaks itself, before it relays. */
export const protocols = {
  sendProxy: {
    flags: '--send-proxy <version>',
    help: 'begin each connection to a target with a PROXY header: 1 or 2',
    value: proxyVersion,
    config: true,
    in: { proxy: ['server', 'target'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    lane: true,
    test: 'cli/proxy/header.test.ts',
  },
  proxyTlv: {
    flags: '--proxy-tlv <name=value>',
    help: 'add to a PROXY header of version 2: alpn, authority, unique-id, netns, or a type such as 0xE0, =VALUE; or crc32c',
    value: list(parseProxyTlv, 'authority=x'),
    config: true,
    in: { proxy: ['server', 'target'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    needs: [{ anyOf: ['sendProxy'] }],
    test: 'cli/proxy-tlv.test.ts',
  },
  socks: {
    flags: '--socks',
    help: 'be a SOCKS server, 4, 4a and 5: the client names its target',
    value: toggle,
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    turnsOn: 'names',
    test: 'cli/proxy/socks.test.ts',
  },
  httpConnect: {
    flags: '--http-connect',
    help: 'be an HTTP CONNECT proxy: the client names its target',
    value: toggle,
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    turnsOn: 'names',
    test: 'cli/proxy/protocols.test.ts',
  },
  http: {
    flags: '--http',
    help: 'be an HTTP proxy: CONNECT, and requests for http:// addresses, as http_proxy wants it',
    value: toggle,
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    turnsOn: 'names',
    excludes: { httpConnect: '' },
    test: 'cli/proxy/http.test.ts',
  },
  maxBody: {
    flags: '--max-body <size>',
    help: 'refuse requests of --http whose body is longer (413)',
    value: size,
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    needs: [{ anyOf: ['http'] }],
    test: 'cli/proxy/http.test.ts',
  },
  authFile: {
    flags: '--auth-file <file>',
    help: 'ask clients for a user and password of this file, written by htpasswd or htdigest',
    value: text((path) => path, '/nowhere/file', 'file'),
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    needs: [{ anyOf: ['socks', 'httpConnect', 'http'] }],
    test: 'cli/proxy/socks.test.ts',
  },
  authScheme: {
    flags: '--auth-scheme <scheme>',
    help: 'how HTTP clients authenticate: basic, digest, or any that the file is good for',
    value: choice(['any', 'basic', 'digest']),
    default: { value: 'any', text: 'any' },
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    needs: [{ anyOf: ['authFile'] }, { anyOf: ['httpConnect', 'http'] }],
    test: 'cli/proxy/http-auth.test.ts',
  },
  route: {
    flags: '--route <match=target>',
    help: `send clients with a TLS name, ALPN or protocol elsewhere: sni:, alpn: or proto:NAME=TARGET; protocols: ${routeProtocols.join(', ')}`,
    value: list(parseRoute, 'proto:ssh=1'),
    config: true,
    in: { proxy: ['server', 'target'] },
    ends: streamEnds,
    modes: ['workers'],
    test: 'cli/proxy/protocols.test.ts',
  },
} as const satisfies OptionTable;
