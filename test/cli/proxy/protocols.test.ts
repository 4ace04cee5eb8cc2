import { execFile, execFileSync } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import bcrypt from 'bcryptjs';
import { decodeProxyHeader } from '../../../src/protocol/proxy-protocol/decode.ts';
import { encodeProxyV2 } from '../../../src/protocol/proxy-protocol/encode.ts';
import { encodeSocksDatagram, decodeSocksDatagram } from '../../../src/protocol/socks/address.ts';
import { ask, collect, collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { exchange, startEcho, startNamed, startProxy } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

function portBytes(port: number): number[] {
  return [port >> 8, port & 255];
}

const portOf = (address: string) => Number(address.split(':').at(-1));

for (const version of [1, 2] as const) {
  test.serial(
    `PROXY headers of version ${version} go through two proxies, and the client's address with them`,
    async (t) => {
      const server = await startPeerServer(t, 'tcp');
      const words = server.words.join(':');
      const inner = await startProxy(t, words, '--accept-proxy', '--send-proxy', String(version));
      const outer = await startProxy(t, inner.address, '--send-proxy', String(version));
      const client = await connectPeer(t, outer.address);
      const { localPort } = client;
      client.end('hello');
      const upstream = await server.accept();
      upstream.end();
      const bytes = await collect(upstream);
      const decoded = decodeProxyHeader(bytes) as Exclude<
        ReturnType<typeof decodeProxyHeader>,
        { needBytes: number }
      >;
      t.deepEqual(decoded.header.ends, {
        family: 'tcp4',
        source: { host: '127.0.0.1', port: localPort! },
        destination: { host: '127.0.0.1', port: portOf(outer.address) },
      });
      t.is(decoded.header.version, version);
      t.is(bytes.subarray(decoded.headerBytes).toString(), 'hello');
    },
  );
}

test.serial('values of a PROXY header are kept on its way', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const { cli, address } = await startProxy(
    t,
    server.words.join(':'),
    '--accept-proxy',
    '--send-proxy',
    '2',
    '-v',
  );
  const header = encodeProxyV2({
    command: 'proxy',
    ends: {
      family: 'tcp6',
      source: { host: '2001:db8::1', port: 5 },
      destination: { host: '2001:db8::2', port: 6 },
    },
    values: [
      { type: 'authority', name: 'a.example' },
      { type: 'crc32c' },
      { type: 'other', code: 0xea, bytes: Buffer.from('vpc') },
    ],
  });
  const client = await connectPeer(t, address);
  // Byte by byte: a header may be cut anywhere.
  for (const byte of header) client.write(Buffer.from([byte]));
  client.end('x');
  const upstream = await server.accept();
  upstream.end();
  const got = await collect(upstream);
  t.deepEqual(got, Buffer.concat([header, Buffer.from('x')]));
  await cli.said(/its client is \[2001:db8::1\]:5/);
});

test.serial(
  'a client without the PROXY header that must come is reset, and a slow one is cut at the limit',
  async (t) => {
    const target = await startEcho(t);
    const { cli, address } = await startProxy(t, target, '--accept-proxy', '--handshake-limit', '300ms');
    const { error } = await exchange(t, address, 'GET / HTTP/1.1\r\n\r\n');
    t.truthy(error);
    await cli.said(/TNET_E_PROTOCOL/);
    const slow = await connectPeer(t, address);
    const drip = setInterval(() => slow.write('P'), 100);
    slow.write('PROXY TCP4 ');
    await collectUntilClose(slow);
    clearInterval(drip);
    await cli.said(/no PROXY header within 300 ms \(TNET_E_TIMEOUT\)/);
  },
);

test.serial('haproxy before and behind it speaks PROXY in both versions', async (t) => {
  try {
    execFileSync('haproxy', ['-v'], { stdio: 'ignore' });
  } catch {
    t.log('skipped: haproxy is not installed');
    return t.pass();
  }
  for (const [send, version] of [
    ['send-proxy', '1'],
    ['send-proxy-v2', '2'],
  ] as const) {
    const server = await startPeerServer(t, 'tcp');
    const [front, back] = [await closedPort(), await closedPort()];
    const proxy = await startProxy(t, `127.0.0.1:${back}`, '--accept-proxy', '--send-proxy', version);
    const config = join(tempDir(t), 'haproxy.cfg');
    writeFileSync(
      config,
      `defaults\n mode tcp\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n` +
        `listen a\n bind 127.0.0.1:${front}\n server s ${proxy.address} ${send}\n` +
        `listen b\n bind 127.0.0.1:${back} accept-proxy\n server s ${server.words.join(':')} send-proxy\n`,
    );
    const haproxy = execFile('haproxy', ['-db', '-q', '-f', config]);
    t.teardown(() => haproxy.kill('SIGKILL'));
    let client: net.Socket | undefined;
    while (!client) client = await connectPeer(t, `127.0.0.1:${front}`).catch(() => undefined);
    const { localPort } = client;
    client.end('hello');
    const upstream = await server.accept();
    upstream.end();
    const text = (await collect(upstream)).toString();
    t.is(text, `PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort!} ${front}\r\nhello`);
  }
});

test.serial('SOCKS 4, 4a and 5 clients are connected to what they name, and told what fails', async (t) => {
  const target = portOf(await startEcho(t));
  const cli = startCli(t, ['proxy', '0', '--socks']);
  const address = await cli.address();
  const four = await connectPeer(t, address);
  t.deepEqual(
    (await ask(four, Buffer.from([4, 1, ...portBytes(target), 127, 0, 0, 1, 0]), 8)).subarray(0, 2),
    Buffer.from([0, 90]),
  );
  t.is((await ask(four, 'abc', 3)).toString(), 'abc');
  const named = await connectPeer(t, address);
  const request4a = Buffer.concat([
    Buffer.from([4, 1, ...portBytes(target), 0, 0, 0, 1, 0]),
    Buffer.from('localhost\0early'),
  ]);
  const answer = await ask(named, request4a, 8 + 5);
  t.is(answer[1], 90);
  t.is(answer.subarray(8).toString(), 'early');
  const five = await connectPeer(t, address);
  t.deepEqual(await ask(five, Buffer.from([5, 1, 0]), 2), Buffer.from([5, 0]));
  t.is((await ask(five, Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, ...portBytes(target)]), 10))[1], 0);
  five.end('whole');
  t.is((await collect(five)).toString(), 'whole');
  const refused = await connectPeer(t, address);
  await ask(refused, Buffer.from([5, 1, 0]), 2);
  const reply = await ask(
    refused,
    Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, ...portBytes(await closedPort())]),
    10,
  );
  t.is(reply[1], 5, 'connection refused');
  await collectUntilClose(refused);
});

test.serial('a request, data and the end that come at once are all served', async (t) => {
  const target = portOf(await startEcho(t));
  const cli = startCli(t, ['proxy', '0', '--socks', '--http-connect']);
  const address = await cli.address();
  const socks = await exchange(
    t,
    address,
    Buffer.from([4, 1, ...portBytes(target), 127, 0, 0, 1, 0, 65, 66]),
  );
  t.is(socks.bytes.subarray(8).toString(), 'AB');
  const connect = `CONNECT 127.0.0.1:${target} HTTP/1.1\r\nHost: 127.0.0.1:${target}\r\n\r\nAB`;
  const http = await exchange(t, address, connect);
  t.is(http.bytes.toString(), 'HTTP/1.1 200 Connection established\r\n\r\nAB');
});

test.serial('SOCKS BIND lets the named peer in and no other', async (t) => {
  const cli = startCli(t, ['proxy', '0', '--socks']);
  const client = await connectPeer(t, await cli.address());
  await ask(client, Buffer.from([5, 1, 0]), 2);
  const bound = await ask(client, Buffer.from([5, 2, 0, 1, 127, 0, 0, 5, 0, 0]), 10);
  t.is(bound[1], 0);
  const port = bound.readUInt16BE(8);
  const stranger = net.connect({ host: '127.0.0.1', port });
  t.teardown(() => stranger.destroy());
  await once(stranger, 'error').catch(() => undefined);
  const peer = net.connect({ host: '127.0.0.1', port, localAddress: '127.0.0.5', allowHalfOpen: true });
  t.teardown(() => peer.destroy());
  const second = await ask(client, '', 10);
  t.deepEqual([...second.subarray(0, 8)], [5, 0, 0, 1, 127, 0, 0, 5]);
  peer.end('from the peer');
  client.end('from the client');
  t.is((await collect(client)).toString(), 'from the peer');
  t.is((await collect(peer)).toString(), 'from the client');
});

test.serial('SOCKS UDP ASSOCIATE carries datagrams both ways until the connection ends', async (t) => {
  const echo = dgram.createSocket('udp4');
  echo.on('message', (data, { port, address }) => echo.send(data, port, address));
  echo.bind(0, '127.0.0.1');
  t.teardown(() => echo.close());
  await once(echo, 'listening');
  const cli = startCli(t, ['proxy', '0', '--socks']);
  const control = await connectPeer(t, await cli.address());
  await ask(control, Buffer.from([5, 1, 0]), 2);
  const reply = await ask(control, Buffer.from([5, 3, 0, 1, 0, 0, 0, 0, 0, 0]), 10);
  t.is(reply[1], 0);
  const near = dgram.createSocket('udp4');
  t.teardown(() => near.close());
  const data = payload(1200);
  const to = { host: '127.0.0.1', port: echo.address().port };
  near.send(encodeSocksDatagram({ ...to, data }), reply.readUInt16BE(8), '127.0.0.1');
  const [answer] = (await once(near, 'message')) as [Buffer];
  const decoded = decodeSocksDatagram(answer);
  sameBytes(t, decoded.data, data);
  t.is(decoded.port, to.port);
  control.end();
  await collectUntilClose(control);
});

async function writeUsers(t: ExecutionContext): Promise<string> {
  const file = join(tempDir(t), 'htpasswd');
  writeFileSync(file, `ada:${await bcrypt.hash('secret', 4)}\nbob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n`);
  return file;
}

test.serial('servers ask for the users of a htpasswd file', async (t) => {
  const target = await startNamed(t, 'in');
  const cli = startCli(t, [
    'proxy',
    '127.0.0.1:0',
    '--socks',
    '--http-connect',
    '--auth-file',
    await writeUsers(t),
  ]);
  const address = `127.0.0.1:${portOf(await cli.address())}`;
  const connect = (login: string) => {
    const authorization =
      login === '' ? '' : `Proxy-Authorization: Basic ${Buffer.from(login).toString('base64')}\r\n`;
    return exchange(t, address, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${authorization}\r\n`);
  };
  for (const login of ['ada:secret', 'bob:secret']) {
    t.regex((await connect(login)).bytes.toString(), /^HTTP\/1\.1 200 .*\r\n\r\nin$/s);
  }
  for (const login of ['', 'ada:wrong', 'eve:secret']) {
    t.regex((await connect(login)).bytes.toString(), /^HTTP\/1\.1 407 /);
  }
  const socks = async (password: string) => {
    const client = await connectPeer(t, address);
    t.deepEqual(await ask(client, Buffer.from([5, 2, 0, 2]), 2), Buffer.from([5, 2]));
    const login = Buffer.concat([
      Buffer.from([1, 3]),
      Buffer.from('ada'),
      Buffer.from([password.length]),
      Buffer.from(password),
    ]);
    return (await ask(client, login, 2))[1];
  };
  t.is(await socks('secret'), 0);
  t.is(await socks('wrong'), 1);
  await cli.said(/the password of "ada" is wrong/);
});

test.serial('curl goes through both servers', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody'));
  });
  const cli = startCli(t, ['proxy', '0', '--socks', '--http-connect']);
  const address = await cli.address();
  const url = `http://${server.words.join(':')}/`;
  for (const flags of [
    ['--socks5', address],
    ['--socks4a', address],
    ['--socks5-hostname', address],
    ['-p', '-x', address],
  ]) {
    try {
      const { stdout } = await promisify(execFile)('curl', ['-s', '--max-time', '10', ...flags, url]);
      t.is(stdout, 'body', flags.join(' '));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      t.log('skipped: curl is not installed');
      return t.pass();
    }
  }
});

test.serial(
  'clients are sent where their TLS name, ALPN or protocol says, and no byte is lost',
  async (t) => {
    const server = await startPeerServer(t, 'tcp');
    const [a, wild, h2, ssh] = [
      server,
      await startPeerServer(t, 'tcp'),
      await startPeerServer(t, 'tcp'),
      await startNamed(t, 'ssh'),
    ];
    const cli = startCli(t, [
      'proxy',
      '127.0.0.1:0',
      await startEcho(t),
      ...[
        '--route',
        `sni:a.example=${a.words.join(':')}`,
        '--route',
        `sni:*.b.example=${wild.words.join(':')}`,
      ],
      ...['--route', `alpn:h2=${h2.words.join(':')}`, '--route', `proto:ssh=${ssh}`],
      ...['--handshake-limit', '300ms'],
    ]);
    const address = await cli.address();
    const port = portOf(address);
    for (const [wanted, options] of [
      [a, { servername: 'A.example' }],
      [wild, { servername: 'x.b.example' }],
      [h2, { servername: 'c.example', ALPNProtocols: ['h2', 'http/1.1'] }],
    ] as const) {
      const client = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
      client.on('error', () => undefined);
      t.teardown(() => client.destroy());
      const socket = await wanted.accept();
      const [hello] = (await once(socket.resume(), 'data')) as [Buffer];
      t.is(hello[0], 22);
      t.true(hello.length > 100, 'the whole hello is there');
      client.destroy();
    }
    t.is((await exchange(t, address, 'SSH-2.0-x\r\n')).bytes.toString(), 'ssh');
    t.is((await exchange(t, address, 'GET / HTTP/1.1\r\n\r\n')).bytes.toString(), 'GET / HTTP/1.1\r\n\r\n');
    t.is((await exchange(t, address, 'SS')).bytes.toString(), 'SS', 'too little to tell, and the end');
    t.is((await exchange(t, address, '')).bytes.toString(), '');
    const late = await connectPeer(t, address);
    await new Promise((resolve) => setTimeout(resolve, 400));
    late.end('late');
    t.is((await collect(late)).toString(), 'late', 'a client that waits goes to the default');
  },
);

for (const [name, first] of [
  ['http', 'GET / HTTP/1.1\r\n\r\n'],
  ['HTTP', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['http/1', 'GET / HTTP/1.1\r\n\r\n'],
  ['http/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['ssh', 'SSH-2.0-x\r\n'],
  ['redis', '*1\r\n$4\r\nPING\r\n'],
  ['socks4', '\x04\x01\x00\x50\x7f\x00\x00\x01\x00'],
  ['telnet', '\xff\xfb\x01'],
] as const) {
  test.serial(`--route proto:${name} takes a client that begins with ${JSON.stringify(first)}`, async (t) => {
    const route = `proto:${name}=${await startNamed(t, 'routed')}`;
    const cli = startCli(t, ['proxy', '127.0.0.1:0', await startEcho(t), '--route', route]);
    const { bytes } = await exchange(t, await cli.address(), Buffer.from(first, 'latin1'));
    t.is(bytes.toString(), 'routed');
  });
}

test.serial('--route proto:http leaves a client of another protocol to the default', async (t) => {
  const route = `proto:http=${await startNamed(t, 'routed')}`;
  const cli = startCli(t, ['proxy', '127.0.0.1:0', await startEcho(t), '--route', route]);
  t.is((await exchange(t, await cli.address(), 'SSH-2.0-x\r\n')).bytes.toString(), 'SSH-2.0-x\r\n');
});

test.serial('without a default, a client that no route fits is reset and counted', async (t) => {
  const cli = startCli(t, ['proxy', '127.0.0.1:0', '--route', `sni:a.example=${await startEcho(t)}`]);
  const { error } = await exchange(t, await cli.address(), 'plain text\n');
  t.truthy(error);
  await cli.said(/refused 127\.0\.0\.1:\d+: no route/);
});

for (const [args, message] of [
  [['0.0.0.0:0', '--socks'], /--socks: 0\.0\.0\.0:0 may be reached from other machines/],
  [['0.0.0.0:0', '--http-connect'], /--http-connect: 0\.0\.0\.0:0 may be reached/],
  [['0', '1', '--socks'], /TARGET: makes no sense with --socks/],
  [['0', '--socks', '--balance', 'least'], /--balance: makes no sense with --socks/],
  [['0', '1', '--auth-file', 'x'], /--auth-file: makes sense only with --socks or --http-connect/],
  [['0', '--socks', '--auth-file', '/nonexistent'], /\/nonexistent: the file cannot be read \(ENOENT\)/],
  [['0', '1', '--send-proxy', '3'], /--send-proxy 3: the PROXY protocol has the versions 1 and 2/],
  [['0', '1', '--route', 'sni=2'], /--route: sni=2: expected sni:NAME=TARGET/],
  [
    ['0', '1', '--route', 'proto:gopher=2'],
    /--route: proto:gopher=2: unknown protocol gopher: expected one of http, proxy-v1, .*, http\/1 /,
  ],
  [['0', '1', '--handshake-limit', '1s'], /--handshake-limit: makes sense only with/],
] as const) {
  test.serial(`proxy ${args.join(' ')} is refused before a socket opens`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', ...args]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.false(stderr.includes('listening'));
  });
}
