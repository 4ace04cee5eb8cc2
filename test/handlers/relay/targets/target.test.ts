import test from 'ava';
import { errorCode } from '../../../../src/errors.ts';
import { parseEndpoint } from '../../../../src/address/parse.ts';
import {
  findDatagramEnds,
  formatTarget,
  isDatagramTarget,
  parseTarget,
} from '../../../../src/handlers/relay/targets/target.ts';
import { createTargetRules } from '../../../../src/handlers/relay/targets/rules.ts';
import { OwnAddresses } from '../../../../src/serve/own-addresses.ts';

for (const [text, shown, isDatagram] of [
  ['80', 'localhost:80', false],
  ['127.0.0.1:80', '127.0.0.1:80', false],
  ['[::1]:80', '[::1]:80', false],
  ['tls://example.com:443', 'tls://example.com:443', false],
  ['udp://127.0.0.1:53', 'udp://127.0.0.1:53', true],
  ['/run/x.sock', '/run/x.sock', false],
  ['unix:@name', 'unix:@name', false],
  ['srv://_http._tcp.example.com', 'srv://_http._tcp.example.com', false],
  ['SRV://_dns._UDP.example.com', 'srv://_dns._UDP.example.com', true],
] as const) {
  test(`the target ${text} is ${shown}, ${isDatagram ? 'by UDP' : 'a stream'}`, (t) => {
    const target = parseTarget(text);
    t.is(formatTarget(target), shown);
    t.is(isDatagramTarget(target), isDatagram);
  });
}

for (const [text, code] of [
  ['srv://', 'TNET_E_ADDRESS'],
  ['srv://a b', 'TNET_E_ADDRESS'],
  ['srv://-x', 'TNET_E_ADDRESS'],
  ['fd:3', 'TNET_E_USAGE'],
  ['127.0.0.1:99999', 'TNET_E_ADDRESS'],
  ['', 'TNET_E_ADDRESS'],
] as const) {
  test(`"${text}" is nothing that can be connected to`, (t) => {
    t.is(errorCode(t.throws(() => parseTarget(text))), code);
  });
}

for (const [listen, targets, expected] of [
  ['1', ['2'], undefined],
  ['udp://127.0.0.1:1', ['udp://127.0.0.1:2'], { client: true, target: true }],
  ['udp://127.0.0.1:1', ['2'], { client: true, target: false }],
  ['1', ['srv://_dns._udp.example.com'], { client: false, target: true }],
  ['udp://127.0.0.1:1', [], { client: true, target: false }],
] as const) {
  test(`${listen} to ${targets.join(' ')} has ${JSON.stringify(expected ?? 'no end')} by UDP`, (t) => {
    t.deepEqual(findDatagramEnds(parseEndpoint(listen), targets.map(parseTarget)), expected);
  });
}

const own = new OwnAddresses();
own.add('192.0.2.1:9090');
for (const [listen, address, port, reason] of [
  ['127.0.0.1:1', '127.0.0.1', 80, undefined],
  ['0.0.0.0:1', '127.0.0.1', 80, /loopback/],
  ['0.0.0.0:1', '::ffff:127.0.0.1', 80, /loopback/],
  ['0.0.0.0:1', '0.0.0.0', 80, /loopback/],
  ['0.0.0.0:1', '169.254.1.1', 80, /link-local/],
  ['0.0.0.0:1', '192.0.2.1', 9090, /a listener of this proxy/],
  ['0.0.0.0:1', '192.0.2.1', 80, undefined],
] as const) {
  test(`a client of ${listen} is ${reason ? 'kept from' : 'let through to'} ${address}:${port}`, (t) => {
    const judge = createTargetRules(parseEndpoint(listen), own).judgeOf(address, port);
    const denial = judge?.({ transport: 'stream', address, port });
    t.is(errorCode(denial), reason && 'TNET_E_DENIED');
    if (reason) t.regex(denial?.message ?? '', reason);
  });
}
