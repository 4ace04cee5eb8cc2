import { once } from 'node:events';
import test from 'ava';
import { dial } from '../../src/dial/dial.ts';
import { formatProxy, parseProxy } from '../../src/address/proxy-url.ts';
import { errorCode } from '../../src/errors.ts';
import { collect, payload, sameBytes } from '../helpers/bytes.ts';
import { startPeerServer } from '../helpers/peers.ts';
import { startSocks } from '../helpers/socks.ts';

const ways = [
  ['socks4', '127.0.0.1', '127.0.0.1'],
  ['socks4', 'localhost', '127.0.0.1'],
  ['socks4a', 'localhost', 'localhost'],
  ['socks5', 'localhost', 'localhost'],
  ['socks5', '127.0.0.1', '127.0.0.1'],
] as const;
for (const [protocol, host, asked] of ways) {
  test(`dial asks a ${protocol} proxy for ${asked} when it is to reach ${host}`, async (t) => {
    const proxy = await startSocks(t);
    const reply = payload(100_001);
    const target = await startPeerServer(
      t,
      'tcp',
      (socket) => void collect(socket).then((bytes) => socket.end(bytes)),
    );
    const hop = parseProxy(`${protocol}://ada@127.0.0.1:${proxy.port}`);
    const proxies = [protocol === 'socks5' ? { ...hop, user: undefined } : hop];
    const socket = await dial({ kind: 'tcp', host, port: Number(target.words[1]) }, { proxies });
    t.teardown(() => socket.destroy());
    socket.end(reply);
    sameBytes(t, await collect(socket), reply);
    t.is(proxy.requests[0]!.host, asked);
    t.is(proxy.requests[0]!.user, protocol === 'socks5' ? undefined : 'ada');
  });
}

test('a chain that is aborted leaves no connection open', async (t) => {
  const ended = Promise.withResolvers<unknown>();
  const proxy = await startPeerServer(t, 'tcp', (socket) => {
    socket.resume();
    socket.once('close', ended.resolve);
    socket.once('end', () => socket.end());
  });
  const controller = new AbortController();
  const proxies = [parseProxy(proxy.words.join(':'))];
  const dialled = dial(
    { kind: 'tcp', host: 'example.invalid', port: 1 },
    { proxies, signal: controller.signal },
  );
  await once(proxy.server, 'connection');
  controller.abort(new Error('enough'));
  await t.throwsAsync(dialled, { message: 'enough' });
  await ended.promise;
  t.pass();
});

test('a proxy that sends no end of greetings is refused within a bound', async (t) => {
  const proxy = await startPeerServer(t, 'tcp', (socket) => {
    const flood = () => {
      while (socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(10)));
    };
    socket.on('drain', flood).resume();
    flood();
  });
  const proxies = [parseProxy(`http://${proxy.words.join(':')}`)];
  const error = await t.throwsAsync(dial({ kind: 'tcp', host: 'example.invalid', port: 1 }, { proxies }));
  t.is(errorCode(error), 'TNET_E_PROXY');
  t.regex(error.message, /no way to example\.invalid:1: the proxy sent more than 16 1xx responses/);
});

const texts: readonly (readonly [string, string])[] = [
  ['127.0.0.1:1080', 'socks5://127.0.0.1:1080'],
  ['proxy.example', 'socks5://proxy.example:1080'],
  ['http://proxy.example', 'http://proxy.example:3128'],
  ['HTTP://proxy.example:80/', 'http://proxy.example:80'],
  ['socks4a://ada@[::1]:9', 'socks4a://ada@[::1]:9'],
  ['socks5://[::1]', 'socks5://[::1]:1080'],
  ['socks5://a%40b@h:1', 'socks5://a%40b@h:1'],
];
for (const [text, shown] of texts) {
  test(`the proxy ${text} is ${shown}`, (t) => {
    t.is(formatProxy(parseProxy(text)), shown);
  });
}

for (const text of [
  '',
  'ftp://h:1',
  'socks5://a:b@h:1',
  'socks5://%zz@h:1',
  'h:0',
  'h:99999',
  'unix:/x',
  'http://',
  'a b:1',
]) {
  test(`"${text}" is no proxy`, (t) => {
    const error = t.throws(() => parseProxy(text));
    t.regex(errorCode(error) ?? '', /^TNET_E_(USAGE|ADDRESS)$/);
  });
}
