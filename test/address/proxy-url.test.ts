import test from 'ava';
import { parseProxy, readProxyEnvironment } from '../../src/address/proxy-url.ts';

for (const [text, protocol, port] of [
  ['h', 'socks5', 1080],
  ['socks://h', 'socks5', 1080],
  ['SOCKS5H://h:9', 'socks5', 9],
  ['socks4://h', 'socks4', 1080],
  ['http://h/', 'http', 3128],
  ['https://h/', 'https', 443],
  ['https://h:8443', 'https', 8443],
] as const) {
  test(`the proxy ${text} speaks ${protocol} on port ${port}`, (t) => {
    t.deepEqual(parseProxy(text), { protocol, host: 'h', port });
  });
}

const environments: readonly (readonly [
  environment: Readonly<Record<string, string>>,
  proxy: ReturnType<typeof readProxyEnvironment>,
])[] = [
  [{ ALL_PROXY: 'socks5://h:1' }, { protocol: 'socks5', host: 'h', port: 1, exceptFor: undefined }],
  [{ HTTPS_PROXY: 'https://h' }, { protocol: 'https', host: 'h', port: 443, exceptFor: undefined }],
  [{ HTTPS_PROXY: 'h:1' }, { protocol: 'http', host: 'h', port: 1, exceptFor: undefined }],
  [
    { all_proxy: 'http://small', ALL_PROXY: 'http://large', https_proxy: 'http://other' },
    { protocol: 'http', host: 'small', port: 3128, exceptFor: undefined },
  ],
  [
    { ALL_PROXY: '', https_proxy: 'socks5h://[::1]', NO_PROXY: 'a,b' },
    { protocol: 'socks5', host: '::1', port: 1080, exceptFor: 'a,b' },
  ],
  [
    { ALL_PROXY: 'http://me:p%40:x@h', no_proxy: '', NO_PROXY: 'a' },
    { protocol: 'http', host: 'h', port: 3128, user: 'me', password: 'p@:x', exceptFor: '' },
  ],
];
for (const [environment, proxy] of environments) {
  test(`the environment ${JSON.stringify(environment)} names its proxy`, (t) => {
    t.deepEqual(readProxyEnvironment(environment), proxy);
  });
}

for (const [environment, code] of [
  [{}, 'TNET_E_USAGE'],
  [{ ALL_PROXY: '' }, 'TNET_E_USAGE'],
  [{ ALL_PROXY: 'ftp://me:secret@h' }, 'TNET_E_USAGE'],
  [{ ALL_PROXY: 'http://me:secret%@h' }, 'TNET_E_USAGE'],
  [{ HTTPS_PROXY: 'http://me:secret@/run/x' }, 'TNET_E_ADDRESS'],
] as const) {
  test(`the environment ${JSON.stringify(environment)} names no proxy, and no password is shown`, (t) => {
    const error = t.throws(() => readProxyEnvironment(environment), { code });
    t.false(`${error.message} ${(error as { subject?: string }).subject}`.includes('secret'));
  });
}
