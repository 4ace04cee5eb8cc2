import dgram from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import bcrypt from 'bcryptjs';
import { decodeSocksDatagram, encodeSocksDatagram } from '../../../src/protocol/socks/address.ts';
import { replyForErrorCode } from '../../../src/protocol/socks/messages.ts';
import { ask, collect } from '../../helpers/bytes.ts';
import { startCli } from '../../helpers/cli.ts';
import { countSockets, waitForSockets } from '../../helpers/descriptors.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { exchange, startNamed } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

/** A SOCKS server on every address, as its IPv4 clients reach it: with mapped addresses on its side. */
async function startDual(t: ExecutionContext, ...flags: string[]): Promise<string> {
  const cli = startCli(t, [
    'proxy',
    '[::]:0',
    '--socks',
    '--allow',
    '127.0.0.0/8',
    '--allow',
    '::1',
    ...flags,
  ]);
  return `127.0.0.1:${await cli.port()}`;
}

const anybody = Buffer.from([5, 1, 0]);

test.serial('on [::], BIND tells IPv4 clients IPv4 addresses, and lets the named peer in', async (t) => {
  const client = await connectPeer(t, await startDual(t));
  await ask(client, anybody, 2);
  const bound = await ask(client, Buffer.from([5, 2, 0, 1, 127, 0, 0, 5, 0, 0]), 10);
  t.deepEqual([...bound.subarray(0, 8)], [5, 0, 0, 1, 127, 0, 0, 1]);
  const port = bound.readUInt16BE(8);
  const peer = net.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.5', allowHalfOpen: true });
  t.teardown(() => peer.destroy());
  const second = await ask(client, '', 10);
  t.deepEqual([...second.subarray(0, 8)], [5, 0, 0, 1, 127, 0, 0, 5]);
  peer.end('from the peer');
  client.end('from the client');
  t.is((await collect(client)).toString(), 'from the peer');
  t.is((await collect(peer)).toString(), 'from the client');
});

test.serial('on [::], SOCKS 4 BIND announces the address that the client reached', async (t) => {
  const client = await connectPeer(t, await startDual(t));
  const bound = await ask(client, Buffer.from([4, 2, 0, 80, 127, 0, 0, 1, 0]), 8);
  t.deepEqual([...bound.subarray(0, 2), ...bound.subarray(4)], [0, 90, 127, 0, 0, 1]);
  t.true(bound.readUInt16BE(2) > 0);
});

test.serial('on [::], UDP ASSOCIATE takes the datagrams of an IPv4 client', async (t) => {
  const client = await connectPeer(t, await startDual(t));
  await ask(client, anybody, 2);
  const reply = await ask(client, Buffer.from([5, 3, 0, 1, 0, 0, 0, 0, 0, 0]), 10);
  t.deepEqual([...reply.subarray(0, 8)], [5, 0, 0, 1, 127, 0, 0, 1]);
});

/** An associated client's datagrams, by a server on loopback, to an echo. @returns what comes back */
async function throughAssociate(t: ExecutionContext, listen: string, host: string, type: 'udp4' | 'udp6') {
  const echo = dgram.createSocket({ type, ipv6Only: type === 'udp6' });
  echo.on('message', (data, { port, address }) => echo.send(data, port, address));
  echo.bind(0, type === 'udp6' ? '::1' : '127.0.0.1');
  t.teardown(() => echo.close());
  await once(echo, 'listening');
  const cli = startCli(t, ['proxy', listen, '--socks', ...(type === 'udp6' ? ['-6'] : [])]);
  const control = await connectPeer(t, await cli.address());
  await ask(control, anybody, 2);
  const reply = await ask(control, Buffer.from([5, 3, 0, 1, 0, 0, 0, 0, 0, 0]), 10);
  const isV4 = reply[3] === 1;
  const near = dgram.createSocket(isV4 ? 'udp4' : 'udp6');
  t.teardown(() => near.close());
  const port = reply.readUInt16BE(reply.length - 2);
  const data = Buffer.from('there and back');
  near.send(encodeSocksDatagram({ host, port: echo.address().port, data }), port, isV4 ? '127.0.0.1' : '::1');
  const [answer] = (await once(near, 'message')) as [Buffer];
  return decodeSocksDatagram(answer);
}

test.serial('a name that has only an IPv6 address is reached by UDP', async (t) => {
  // With -6, IPv6 is all that the name has.
  const { host, data } = await throughAssociate(t, '[::1]:0', 'localhost', 'udp6');
  t.is(host, '::1');
  t.is(data.toString(), 'there and back');
});

test.serial('a target in the mapped form is the IPv4 address it is', async (t) => {
  const { host, data } = await throughAssociate(t, '127.0.0.1:0', '::ffff:127.0.0.1', 'udp4');
  t.is(host, '127.0.0.1');
  t.is(data.toString(), 'there and back');
});

test.serial('a client of UDP ASSOCIATE may leave while its name is looked up', async (t) => {
  // Only a name that the system looks up takes long enough.
  const name = hostname();
  const found = await lookup(name, { family: 4 }).catch(() => undefined);
  if (!found) {
    t.log('left out: this machine does not know its own name');
    t.pass();
    return;
  }
  const echo = dgram.createSocket('udp4');
  echo.bind(0, found.address);
  t.teardown(() => echo.close());
  await once(echo, 'listening');
  echo.on('message', (data, { port, address }) => echo.send(data, port, address));
  const datagram = encodeSocksDatagram({ host: name, port: echo.address().port, data: Buffer.from('x') });
  const cli = startCli(t, ['proxy', '0', '--socks']);
  const address = await cli.address();
  const open = countSockets(cli.child.pid!);
  const near = dgram.createSocket('udp4');
  t.teardown(() => near.close());
  const associate = async () => {
    const control = await connectPeer(t, address);
    await ask(control, anybody, 2);
    const reply = await ask(control, Buffer.from([5, 3, 0, 1, 0, 0, 0, 0, 0, 0]), 10);
    near.send(datagram, reply.readUInt16BE(8), '127.0.0.1');
    return control;
  };
  for (let n = 0; n < 5; n++) (await associate()).destroy();
  t.is(await waitForSockets(cli.child.pid!, open), open);
  await associate();
  const [answer] = (await once(near, 'message')) as [Buffer];
  t.is(decodeSocksDatagram(answer).data.toString(), 'x');
});

test('a time-out has its own reply, and a target that is not allowed too', (t) => {
  for (const [code, reply] of [
    ['TNET_E_TIMEOUT', 'ttl-expired'],
    ['ETIMEDOUT', 'ttl-expired'],
    ['ENOTFOUND', 'host-unreachable'],
    ['EHOSTUNREACH', 'host-unreachable'],
    ['EAI_NODATA', 'host-unreachable'],
    ['TNET_E_ADDRESS', 'host-unreachable'],
    ['ECONNREFUSED', 'connection-refused'],
    ['ENETUNREACH', 'network-unreachable'],
    ['TNET_E_DENIED', 'not-allowed'],
    ['TNET_E_UNSUPPORTED', 'command-not-supported'],
    ['ECONNRESET', 'general-failure'],
    [undefined, 'general-failure'],
  ] as const) {
    t.is(replyForErrorCode(code), reply, code);
  }
});

test.serial('nobody who comes within the limit is reply 6 to BIND', async (t) => {
  const cli = startCli(t, ['proxy', '0', '--socks', '-w', '100ms']);
  const client = await connectPeer(t, await cli.address());
  await ask(client, anybody, 2);
  t.is((await ask(client, Buffer.from([5, 2, 0, 1, 127, 0, 0, 5, 0, 0]), 20))[11], 6);
});

test.serial(
  'an empty password is a password: right for a user who has it, wrong for all others',
  async (t) => {
    const file = join(tempDir(t), 'htpasswd');
    writeFileSync(file, `eve:${await bcrypt.hash('', 4)}\nada:${await bcrypt.hash('secret', 4)}\n`);
    const cli = startCli(t, ['proxy', '0', '--socks', '--auth-file', file]);
    const address = await cli.address();
    for (const [user, status] of [
      ['eve', 0],
      ['ada', 1],
      ['bob', 1],
    ] as const) {
      const client = await connectPeer(t, address);
      await ask(client, Buffer.from([5, 1, 2]), 2);
      const login = Buffer.from([1, 3, ...Buffer.from(user), 0]);
      t.deepEqual(await ask(client, login, 2), Buffer.from([1, status]), user);
    }
  },
);

test.serial('connect goes through a SOCKS proxy with an empty password', async (t) => {
  const file = join(tempDir(t), 'htpasswd');
  writeFileSync(file, `eve:${await bcrypt.hash('', 4)}\n`);
  const proxy = startCli(t, ['proxy', '0', '--socks', '--auth-file', file]);
  const target = await startNamed(t, 'in');
  const cli = startCli(t, ['connect', '-d', '-x', `socks5://eve@${await proxy.address()}`, target], {
    env: { TNET_PROXY_PASSWORD: '' },
  });
  t.is((await collect(cli.stdout)).toString(), 'in');
  t.is((await cli.exit).code, 0);
});

test.serial('a CONNECT target of 24,000 bytes is answered 414', async (t) => {
  const cli = startCli(t, ['proxy', '0', '--http-connect']);
  const request = `CONNECT ${'x'.repeat(24_000)}:1 HTTP/1.1\r\nHost: a\r\n\r\n`;
  t.regex(
    (await exchange(t, await cli.address(), request)).bytes.toString(),
    /^HTTP\/1\.1 414 URI Too Long\r\n/,
  );
});
