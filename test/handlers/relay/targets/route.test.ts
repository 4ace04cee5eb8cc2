import test from 'ava';
import { parseRoute, formatTarget } from '../../../../src/handlers/relay/targets/target.ts';

const good: readonly (readonly [text: string, kind: string, name: string, targets: string])[] = [
  ['sni:Shop.Example=a:1', 'sni', 'shop.example', 'a:1'],
  ['sni:*.example=/tmp/x.sock', 'sni', '*.example', '/tmp/x.sock'],
  ['alpn:H2=a:1,b:2', 'alpn', 'H2', 'a:1 b:2'],
  ['proto:HTTP=a:1', 'proto', 'http', 'a:1'],
  ['proto:tls=srv://_x._tcp.example', 'proto', 'tls', 'srv://_x._tcp.example'],
  // What comes after the first = is the targets'.
  ['sni:a=unix:/tmp/b=c', 'sni', 'a', '/tmp/b=c'],
];
for (const [text, kind, name, targets] of good) {
  test(`the route ${text} is for ${kind} ${name}, and leads to ${targets}`, (t) => {
    const route = parseRoute(text);
    t.is(route.kind, kind as typeof route.kind);
    t.is(route.name, name);
    t.is(route.targets.map(formatTarget).join(' '), targets);
  });
}

const bad: readonly (readonly [text: string, code: string, message: RegExp])[] = [
  ['a:1', 'TNET_E_USAGE', /expected sni:NAME=TARGET/],
  ['sni:=a:1', 'TNET_E_USAGE', /expected/],
  ['sni:a=', 'TNET_E_USAGE', /expected/],
  ['host:a=b:1', 'TNET_E_USAGE', /expected/],
  ['SNI:a=b:1', 'TNET_E_USAGE', /expected/],
  ['proto:gopher=a:1', 'TNET_E_USAGE', /unknown protocol gopher/],
  ['sni:a=fd:3', 'TNET_E_USAGE', /cannot connect to fd:3/],
  ['sni:a=b:99999', 'TNET_E_ADDRESS', /./],
];
for (const [text, code, message] of bad) {
  test(`the route ${text} is refused with ${code}`, (t) => {
    t.throws(() => parseRoute(text), { code, message });
  });
}

test('a password in a route that is refused is not shown', (t) => {
  const error = t.throws(() => parseRoute('proto:gopher=me:secret@a:1'));
  t.false(JSON.stringify([error.message, (error as { subject?: string }).subject]).includes('secret'));
});
