import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { errorCode } from '../../../src/errors.ts';
import { collect, collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { exchange, startEcho, startNamed } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const portOf = (address: string) => Number(address.split(':').at(-1));

async function startHttpProxy(t: ExecutionContext, ...flags: readonly string[]) {
  const cli = startCli(t, ['proxy', '127.0.0.1:0', '--http', ...flags]);
  return { cli, address: await cli.address() };
}

/** A server that hands over the head of each connection's first request, to be answered byte for byte. */
async function startTarget(
  t: ExecutionContext,
  answer: (socket: net.Socket, head: string) => void = (socket) => socket.end(plain('hello')),
): Promise<{ authority: string; heads: string[]; sockets: net.Socket[] }> {
  const heads: string[] = [];
  const sockets: net.Socket[] = [];
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    sockets.push(socket);
    let head = '';
    const onData = (chunk: Buffer) => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      socket.off('data', onData).pause();
      const end = head.indexOf('\r\n\r\n') + 4;
      socket.unshift(Buffer.from(head.slice(end), 'latin1'));
      heads.push(head.slice(0, end));
      answer(socket, head.slice(0, end));
      socket.resume();
    };
    socket.on('data', onData);
  });
  return { authority: words.join(':'), heads, sockets };
}

function plain(body: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

function get(authority: string, path = '/', fields = ''): string {
  return `GET http://${authority}${path} HTTP/1.1\r\nHost: ${authority}\r\n${fields}\r\n`;
}

/** Reads from a connection until what has come matches. */
async function readUntil(socket: net.Socket, pattern: RegExp): Promise<string> {
  let text = '';
  while (!pattern.test(text)) {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    text += chunk.toString('latin1');
  }
  return text;
}

test.serial(
  'a request goes to its target in origin-form, without what is about the connection, and so does its answer',
  async (t) => {
    const target = await startTarget(t, (socket) =>
      socket.end(
        'HTTP/1.1 203 Really Fine\r\nX-A: 1\r\nx-a: 2\r\nKeep-Alive: timeout=9\r\nConnection: X-Secret, close\r\n' +
          'X-Secret: s\r\nProxy-Authenticate: Basic realm="x"\r\nVia: 1.0 inner\r\nContent-Length: 2\r\n\r\nhi',
      ),
    );
    const { address } = await startHttpProxy(t);
    const sent =
      `GET http://${target.authority}?q=%41%2f../b HTTP/1.1\r\nHost: other.example\r\nX-B: 1\r\nx-b:  2 \r\n` +
      'Connection: keep-alive, X-Drop, Content-Length, Host\r\nX-Drop: 1\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\n' +
      'Upgrade: websocket\r\nKeep-Alive: 5\r\nProxy-Authorization: Basic eDp5\r\nVia: 1.0 outer\r\nCookie: a=b\r\n\r\n';
    const { bytes, error } = await exchange(t, address, sent);
    t.is(error, undefined);
    t.is(
      target.heads[0],
      `GET /?q=%41%2f../b HTTP/1.1\r\nHost: ${target.authority}\r\nX-B: 1\r\nx-b: 2\r\nCookie: a=b\r\n` +
        'Via: 1.0 outer, 1.1 tnet\r\nConnection: close\r\n\r\n',
    );
    t.is(
      bytes.toString(),
      'HTTP/1.1 203 Really Fine\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 2\r\nVia: 1.0 inner, 1.1 tnet\r\n' +
        'Connection: close\r\n\r\nhi',
    );
  },
);

test.serial('bodies in chunks go both ways with their trailers, and are whole', async (t) => {
  const body = payload(300_000);
  const serve = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const got = await collect(request);
    response.writeHead(200, { Trailer: 'X-Sum', 'X-Got': JSON.stringify(request.trailers) });
    response.write(got);
    response.addTrailers({ 'X-Sum': String(got.length) });
    response.end();
  };
  const server = http.createServer((request, response) => void serve(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as net.AddressInfo;
  const { address } = await startHttpProxy(t);
  for (const method of ['POST', 'PUT']) {
    const request = http.request({
      ...{ host: '127.0.0.1', port: portOf(address), method, path: `http://127.0.0.1:${port}/` },
      headers: { Trailer: 'X-End', 'Transfer-Encoding': 'chunked' },
    });
    request.write(body.subarray(0, 1000));
    request.write(body.subarray(1000));
    request.addTrailers({ 'X-End': 'yes' });
    request.end();
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    sameBytes(t, await collect(response), body);
    t.is(response.headers['x-got'], '{"x-end":"yes"}');
    t.deepEqual(response.trailers, { 'x-sum': String(body.length) });
  }
});

test.serial(
  'a client that waits for 100 Continue is told by its target, and may be refused before it sends',
  async (t) => {
    const target = await startTarget(t, (socket, head) => {
      if (head.startsWith('POST /no')) return void socket.end('HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n');
      socket.write('HTTP/1.1 100 Continue\r\n\r\n');
      socket.once('data', (body: Buffer) => socket.end(plain(`got ${body.toString()}`)));
    });
    const { address } = await startHttpProxy(t);
    const head = (path: string) =>
      `POST http://${target.authority}${path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n`;
    const client = await connectPeer(t, address);
    client.write(head('/'));
    t.is(await readUntil(client, /\r\n\r\n/), 'HTTP/1.1 100 Continue\r\n\r\n');
    client.write('body');
    t.regex(await readUntil(client, /got body$/), /^HTTP\/1\.1 200 OK\r\n/);
    const refused = await connectPeer(t, address);
    refused.write(head('/no'));
    t.regex((await collectUntilClose(refused)).bytes.toString(), /^HTTP\/1\.1 417 No\r\n/);
    t.true(target.heads.every((one) => one.includes('Expect: 100-continue\r\n')));
  },
);

const breaks: [what: string, start: string, how: 'end' | 'reset'][] = [
  ['of a length ends early', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart', 'end'],
  ['of a length is reset', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart', 'reset'],
  ['in chunks ends early', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n', 'end'],
  ['in chunks is reset', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n', 'reset'],
  ['without a length is reset', 'HTTP/1.1 200 OK\r\n\r\npart', 'reset'],
  ['has a broken chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nxyz\r\n', 'end'],
];
for (const version of ['1.1', '1.0']) {
  for (const [what, start, how] of breaks) {
    test.serial(
      `an answer that ${what} reaches a client of HTTP/${version} as what came, and then as a reset`,
      async (t) => {
        const target = await startTarget(t, (socket) =>
          socket.write(start, () => (how === 'end' ? socket.end() : socket.resetAndDestroy())),
        );
        const { cli, address } = await startHttpProxy(t);
        const client = await connectPeer(t, address);
        client.write(get(target.authority).replace('HTTP/1.1', `HTTP/${version}`));
        const { bytes, error } = await collectUntilClose(client);
        t.is(errorCode(error), 'ECONNRESET');
        if (how === 'end' && !what.includes('broken')) t.regex(bytes.toString(), /part/);
        await cli.said(new RegExp(`tnet proxy: ${target.authority}: `));
        cli.child.kill('SIGUSR1');
        await cli.said(/1 connection \(1 failed\)/);
      },
    );
  }
}

test.serial('an answer without a length is whole at its end, for a client of either version', async (t) => {
  const target = await startTarget(t, (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'));
  const { address } = await startHttpProxy(t);
  const newer = (await exchange(t, address, get(target.authority))).bytes.toString();
  t.regex(newer, /\r\nVia: 1\.0 tnet\r\n[^]*Transfer-Encoding: chunked\r\n\r\n9\r\nall of it\r\n0\r\n\r\n$/);
  const older = await exchange(t, address, get(target.authority).replace('HTTP/1.1', 'HTTP/1.0'));
  t.is(older.error, undefined);
  t.regex(older.bytes.toString(), /Connection: close\r\n\r\nall of it$/);
});

const refusals: [status: string, request: string, flags?: readonly string[]][] = [
  ['400 Bad Request', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['400 Bad Request', 'GET https://x/ HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['400 Bad Request', 'GET http://user:secret@x/ HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['400 Bad Request', 'GET http://127.1/ HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['400 Bad Request', 'GET http://x/ HTTP/1.1\r\n\r\n'],
  ['400 Bad Request', 'GET http://x/ HTTP/1.1\r\nHost x\r\n\r\n'],
  ['400 Bad Request', 'no request at all, but much longer\r\n\r\n'],
  [
    '400 Bad Request',
    'POST http://x/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  ],
  ['403 Forbidden', 'GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n', ['--deny-target', 'loopback']],
  ['403 Forbidden', 'GET http://a.example/ HTTP/1.1\r\nHost: x\r\n\r\n', ['--allow-target', '*:443']],
  ['405 Method Not Allowed', 'TRACE http://x/ HTTP/1.1\r\nHost: x\r\n\r\n'],
  [
    '413 Payload Too Large',
    'POST http://x/ HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n',
    ['--max-body', '10'],
  ],
  ['414 URI Too Long', `GET http://x/${'a'.repeat(9_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['414 URI Too Long', `GET http://x/${'a'.repeat(40_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  [
    '431 Request Header Fields Too Large',
    `GET http://x/ HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`,
  ],
  [
    '431 Request Header Fields Too Large',
    `GET http://x/ HTTP/1.1\r\nHost: x\r\n${'X: 1\r\n'.repeat(120)}\r\n`,
  ],
  [
    '501 Not Implemented',
    'POST http://x/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  ],
];
for (const [status, request, flags = []] of refusals) {
  test.serial(
    `${JSON.stringify(request.slice(0, 70))} of ${request.length} bytes ${flags.join(' ')} is answered ${status} in a line`,
    async (t) => {
      const { cli, address } = await startHttpProxy(t, ...flags);
      const { bytes, error } = await exchange(t, address, request);
      t.is(error, undefined);
      t.true(bytes.toString().startsWith(`HTTP/1.1 ${status}\r\n`), bytes.toString());
      t.true(bytes.toString().endsWith(`\r\n\r\n${status}\n`), bytes.toString());
      await cli.said(/\(TNET_E_\w+\)\n/);
      t.is(cli.stderr().trimEnd().split('\n').length, 2, cli.stderr());
      cli.child.kill('SIGUSR1');
      await cli.said(/1 connection \(1 failed/);
    },
  );
}

test.serial(
  'a target that cannot be reached, or says no HTTP, is 502, and one that takes too long is 504',
  async (t) => {
    const { address } = await startHttpProxy(t);
    const status = async (authority: string) =>
      (await exchange(t, address, get(authority))).bytes.toString().slice(9, 12);
    t.is(await status(`127.0.0.1:${await closedPort()}`), '502');
    for (const said of [
      '',
      'SSH-2.0-x\r\n',
      'HTTP/1.1 200 OK\r\nbad header\r\n\r\n',
      'HTTP/1.1 101 Up\r\nUpgrade: x\r\n\r\n',
    ])
      t.is(await status((await startTarget(t, (socket) => socket.end(said))).authority), '502', said);
    const silent = await startPeerServer(t, 'tcp', (socket) => socket.resume());
    const slow = await startHttpProxy(t, '-x', `socks5://${silent.words.join(':')}`, '-w', '300ms');
    const { bytes } = await exchange(t, slow.address, get('192.0.2.1'));
    t.regex(bytes.toString(), /^HTTP\/1\.1 504 Gateway Timeout\r\n/);
  },
);

test.serial(
  'a body in chunks that is longer than --max-body is 413, and its target sees no end of it',
  async (t) => {
    const ended = Promise.withResolvers<unknown>();
    const target = await startTarget(t, (socket) => {
      socket.on('error', (error) => ended.resolve(error)).on('end', () => ended.resolve('an end'));
    });
    const { address } = await startHttpProxy(t, '--max-body', '1k');
    const client = await connectPeer(t, address);
    client.write(
      `POST http://${target.authority}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n`,
    );
    client.write(`${'a'.repeat(0x400)}\r\n1\r\na\r\n`);
    t.regex(await readUntil(client, /\n$/), /^HTTP\/1\.1 413 /);
    t.is(((await ended.promise) as NodeJS.ErrnoException).code, 'ECONNRESET');
  },
);

test.serial('a client that leaves in the middle of its body has its target reset', async (t) => {
  const ended = Promise.withResolvers<unknown>();
  const begun = Promise.withResolvers<undefined>();
  const target = await startTarget(t, (socket) => {
    socket.on('error', (error) => ended.resolve(error)).on('end', () => ended.resolve('an end'));
    begun.resolve(undefined);
  });
  const { address } = await startHttpProxy(t);
  const client = await connectPeer(t, address);
  client.write(`POST http://${target.authority}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart`);
  await begun.promise;
  client.end();
  t.is(((await ended.promise) as NodeJS.ErrnoException).code, 'ECONNRESET');
});

test.serial(
  'requests on one connection are served in their order, those sent at once too, each to its own target',
  async (t) => {
    const release = Promise.withResolvers<undefined>();
    const slow = await startTarget(t, (socket) => void release.promise.then(() => socket.end(plain('slow'))));
    const quick = await startTarget(t, (socket) => socket.end(plain('quick')));
    const { cli, address } = await startHttpProxy(t, '-v');
    const client = await connectPeer(t, address);
    client.write(get(quick.authority));
    await readUntil(client, /quick$/);
    client.write(get(slow.authority) + get(quick.authority, '/2') + get(quick.authority, '/3'));
    await cli.said(new RegExp(`connected to ${slow.authority} `));
    release.resolve(undefined);
    const all = await readUntil(client, /slow[^]*quick[^]*quick$/);
    t.is(all.match(/HTTP\/1\.1 200 OK/g)?.length, 3);
    t.is(quick.heads.length, 3);
    client.end();
    await cli.said(/: eof, \d+ bytes in/);
    cli.child.kill('SIGUSR1');
    await cli.said(/1 connection,/);
  },
);

test.serial(
  'CONNECT, plain requests and SOCKS share a port, and CONNECT may follow other requests',
  async (t) => {
    const target = await startTarget(t);
    const echo = await startEcho(t);
    const { address } = await startHttpProxy(t, '--socks');
    const connect = `CONNECT ${echo} HTTP/1.1\r\nHost: ${echo}\r\n\r\n`;
    t.regex(
      (await exchange(t, address, `${connect}abc`)).bytes.toString(),
      /^HTTP\/1\.1 200 [^]*\r\n\r\nabc$/,
    );
    const client = await connectPeer(t, address);
    client.write(get(target.authority));
    await readUntil(client, /hello$/);
    client.write(connect);
    await readUntil(client, /established\r\n\r\n$/);
    const sent = payload(100_000);
    client.end(sent);
    sameBytes(t, await collect(client), sent);
    const socks = await connectPeer(t, address);
    const port = portOf(echo);
    socks.end(Buffer.from([4, 1, port >> 8, port & 255, 127, 0, 0, 1, 0, 0x61, 0x62]));
    t.is((await collect(socks)).subarray(8).toString(), 'ab');
    const denied = await connectPeer(t, address);
    denied.write(get(target.authority));
    await readUntil(denied, /hello$/);
    denied.write(`CONNECT 127.0.0.1:${await closedPort()} HTTP/1.1\r\nHost: x\r\n\r\n`);
    t.regex((await collectUntilClose(denied)).bytes.toString(), /^HTTP\/1\.1 502 /);
  },
);

test.serial('HEAD has no body, and a POST without one says so', async (t) => {
  const target = await startTarget(t, (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'));
  const { address } = await startHttpProxy(t);
  const head = get(target.authority).replace('GET', 'HEAD');
  const { bytes } = await exchange(t, address, head);
  t.regex(bytes.toString(), /^HTTP\/1\.1 200 OK\r\nContent-Length: 5\r\n[^]*\r\n\r\n$/);
  const none = await startTarget(t, (socket) => socket.end('HTTP/1.1 204 None\r\n\r\n'));
  await exchange(t, address, get(none.authority).replace('GET', 'POST'));
  t.regex(none.heads[0] ?? '', /^POST \/ HTTP\/1\.1\r\n[^]*\r\nContent-Length: 0\r\n/);
});

test.serial(
  'with --drain, SIGTERM ends connections that wait for a request, and lets an answer be completed',
  async (t) => {
    const release = Promise.withResolvers<undefined>();
    const target = await startTarget(
      t,
      (socket) => void release.promise.then(() => socket.end(plain('late'))),
    );
    const quick = await startTarget(t);
    const { cli, address } = await startHttpProxy(t, '--drain', '30s', '-v');
    const idle = await connectPeer(t, address);
    idle.write(get(quick.authority));
    await readUntil(idle, /hello$/);
    const busy = await connectPeer(t, address);
    busy.write(get(target.authority));
    await cli.said(new RegExp(`connected to ${target.authority} `));
    const [ended] = [collectUntilClose(idle)];
    cli.child.kill('SIGTERM');
    t.is((await ended).error, undefined);
    release.resolve(undefined);
    const { bytes, error } = await collectUntilClose(busy);
    t.is(error, undefined);
    t.regex(bytes.toString(), /Connection: close\r\n\r\nlate$/);
    t.is((await cli.exit).code, 143);
    t.notRegex(cli.stderr(), /failed|cut/);
  },
);

test.serial(
  'SIGTERM resets an answer that is under way, and ends a waiting connection in order',
  async (t) => {
    const target = await startTarget(
      t,
      (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart'),
    );
    const quick = await startTarget(t);
    const { cli, address } = await startHttpProxy(t);
    const idle = await connectPeer(t, address);
    idle.write(get(quick.authority));
    await readUntil(idle, /hello$/);
    const busy = await connectPeer(t, address);
    busy.write(get(target.authority));
    await readUntil(busy, /part$/);
    const ends = [collectUntilClose(idle), collectUntilClose(busy)];
    cli.child.kill('SIGTERM');
    const [waiting, cut] = await Promise.all(ends);
    t.is(waiting?.error, undefined);
    t.is(errorCode(cut?.error), 'ECONNRESET');
    t.is((await cli.exit).code, 143);
    t.regex(cli.stderr(), /1 connection\b.*\n/);
  },
);

test.serial(
  '--idle resets a request whose target is silent, and faults and recordings see what the client sees',
  async (t) => {
    const silent = await startTarget(t, () => undefined);
    const target = await startTarget(t);
    const record = join(tempDir(t), 'record');
    const { cli, address } = await startHttpProxy(
      t,
      '--idle',
      '2s',
      '--slice',
      '-o',
      record,
      '--format',
      'raw',
    );
    const { bytes } = await exchange(t, address, get(target.authority));
    t.regex(bytes.toString(), /hello$/);
    const client = await connectPeer(t, address);
    client.write(get(silent.authority));
    t.is(((await collectUntilClose(client)).error as NodeJS.ErrnoException).code, 'ECONNRESET');
    await cli.said(/TNET_E_TIMEOUT/);
    cli.child.kill('SIGTERM');
    await cli.exit;
    t.true(readFileSync(record).includes(get(target.authority)));
    t.true(readFileSync(record).includes(bytes));
  },
);

test.serial(
  'a first request that does not come in time is answered 408, and later ones are waited for longer',
  async (t) => {
    const target = await startTarget(t);
    const { cli, address } = await startHttpProxy(t, '--handshake-limit', '300ms');
    const slow = await connectPeer(t, address);
    slow.write(`GET http://${target.authority}/ HTTP/1.1\r\n`);
    t.regex((await collectUntilClose(slow)).bytes.toString(), /^HTTP\/1\.1 408 /);
    await cli.said(/did not say what it wants within 300 ms \(TNET_E_TIMEOUT\)/);
  },
);

test.serial('workers serve HTTP too', async (t) => {
  const target = await startTarget(t);
  const cli = startCli(t, ['proxy', '127.0.0.1:0', '--http', '--workers', '2']);
  const address = await cli.address();
  for (let count = 0; count < 4; count++)
    t.regex((await exchange(t, address, get(target.authority))).bytes.toString(), /hello$/);
});

test.serial('a client behind a PROXY header has it passed on to each target', async (t) => {
  const target = await startTarget(t, (socket) => socket.end(plain('hello')));
  const { address } = await startHttpProxy(t, '--accept-proxy', '--send-proxy', '1');
  const header = 'PROXY TCP4 192.0.2.7 127.0.0.1 1000 80\r\n';
  await exchange(t, address, header + get(target.authority));
  t.true(target.heads[0]?.startsWith(`${header}GET / HTTP/1.1\r\n`), target.heads[0]);
});

for (const [args, message] of [
  [['0.0.0.0:0', '--http'], /--http: .*give --auth-file or --allow, or listen on loopback/],
  [['0', '1', '--http'], /makes no sense with --http/],
  [['0', '--http', '--http-connect'], /--http-connect: makes no sense with --http/],
  [['0', '--socks', '--max-body', '1k'], /--max-body: makes sense only with --http/],
] as const) {
  test.serial(`proxy ${args.join(' ')} is refused in one line`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', ...args]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}

test.serial('the default denial holds for plain requests beyond loopback', async (t) => {
  const port = portOf(await startNamed(t, 'in'));
  const cli = startCli(t, ['proxy', '0.0.0.0:0', '--http', '--allow', '127.0.0.1']);
  const address = `127.0.0.1:${await cli.port()}`;
  const { bytes } = await exchange(t, address, get(`localhost:${port}`));
  t.regex(bytes.toString(), /^HTTP\/1\.1 403 Forbidden\r\n/);
});
