import test from 'ava';
import { readPair } from '../../../commands/proxy/pair.ts';

type Values = Readonly<Record<string, unknown>>;
const name = (part: string) => `<${part}>`;
const read = (listen: string, targets: string, values: Values) =>
  readPair({ listen, targets: targets.split(' ').filter((text) => text !== ''), values }, { name });

const refused: readonly (readonly [
  listen: string,
  targets: string,
  values: Values,
  subject: string,
  message: RegExp,
])[] = [
  ['0', 'tls://a:1 b:2', {}, '<targets>', /tls:\/\/ has to be before all targets or before none/],
  ['0', 'udp://a:1 a:2', {}, '<targets>', /udp:\/\/ has to be before all targets or before none/],
  ['0', '', {}, '<targets>', /no target is given/],
  ['0', 'a:1', { socks: true }, '<targets>', /makes no sense with <socks>/],
  ['0', 'a:1', { httpConnect: true }, '<targets>', /makes no sense with <httpConnect>/],
  ['[::]:0', '', { socks: true }, '<socks>', /give <authFile> or <allow>, or listen on loopback/],
  ['0.0.0.0:0', '', { httpConnect: true }, '<httpConnect>', /may be reached from other machines/],
  ['0.0.0.0:0', '', { http: true }, '<http>', /may be reached from other machines/],
  ['/tmp/x.sock', 'a:1', { allow: ['10.0.0.0/8'] }, '<allow>', /a Unix socket has none/],
  ['/tmp/x.sock', 'a:1', { deny: ['10.0.0.0/8'] }, '<deny>', /a Unix socket has none/],
  ['0', 'a:1', { route: ['sni:a=udp://b:1'] }, '<route>', /leads to a stream, not to UDP/],
  ['0', 'a:1', { route: ['sni:a=tls://b:1'] }, '<route>', /instead of tls:\/\/, use <tlsOut> here/],
  ['0', '127.0.0.1:1', { resolve: '1s' }, '<resolve>', /only with a target that is a name/],
  ['0', 'localhost:1', { dnsServer: '127.0.0.1' }, '<dnsServer>', /only with a target that is a name/],
];
for (const [listen, targets, values, subject, message] of refused) {
  const what = JSON.stringify(values);
  test(`a pair ${listen} ${targets} with ${what} is refused at ${subject}`, (t) => {
    const error = t.throws(() => read(listen, targets, values), { code: 'TNET_E_USAGE', message });
    t.is((error as { subject?: string }).subject, subject);
  });
}

const served: readonly (readonly [listen: string, targets: string, values: Values])[] = [
  ['0', 'udp://a:1 udp://b:2', {}],
  ['udp://127.0.0.1:0', 'a:1', {}],
  ['0', '', { socks: true }],
  ['[::1]:0', '', { httpConnect: true }],
  ['/tmp/x.sock', '', { socks: true }],
  ['[::]:0', '', { socks: true, allow: ['10.0.0.0/8'] }],
  ['/tmp/x.sock', 'a:1', { allow: ['10.0.0.0/8'], acceptProxy: true }],
  ['0', '', { route: ['sni:a=b:1'] }],
  ['0', 'a:1', { tlsIn: true }],
  ['0', 'srv://_x._tcp.example', { resolve: '1s' }],
  ['0', '127.0.0.1:1', { route: ['sni:a=b:1'], resolve: '1s' }],
];
for (const [listen, targets, values] of served) {
  test(`a pair ${listen} ${targets} with ${JSON.stringify(values)} is served`, (t) => {
    t.notThrows(() => read(listen, targets, values));
  });
}
