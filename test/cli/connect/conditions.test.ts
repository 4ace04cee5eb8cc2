import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { rmSync, writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { createAuthority } from '../../helpers/certificates.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { startScriptedServer } from '../../helpers/scripted-server.ts';
import { makeNamespace, silentAddress, testInNamespace } from '../../helpers/netns.ts';
import { tempDir } from '../../helpers/temp.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

async function listen(t: ExecutionContext, listener: net.Server): Promise<number> {
  t.teardown(() => listener.close());
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return (listener.address() as net.AddressInfo).port;
}

function serveHttp(t: ExecutionContext, answer: RequestListener): Promise<number> {
  return listen(t, createHttpServer(answer));
}

test.serial('--wait-http asks again with a new connection until the status is right', async (t) => {
  const asked: string[] = [];
  const ports = new Set<number>();
  const port = await serveHttp(t, ({ method, url, headers, socket }, answer) => {
    asked.push(`${method} ${url} ${headers.host} ${headers.connection}`);
    ports.add(socket.remotePort!);
    answer.writeHead(asked.length < 3 ? 503 : 200).end('a body');
  });
  const url = `http://127.0.0.1:${port}/health?deep=1`;
  const args = ['connect', '--wait', '60s', '--wait-http', '200', url, '--', 'echo', 'healthy'];
  const { code, stdout, stderr } = await runCli(t, args);
  t.deepEqual([code, stdout.toString(), stderr], [0, 'healthy\n', '']);
  t.deepEqual(
    asked,
    Array.from({ length: 3 }, () => `GET /health?deep=1 127.0.0.1:${port} close`),
  );
  t.is(ports.size, 3);
});

test.serial('--wait-http waits for a server that is not there yet, and reports each try', async (t) => {
  const port = await closedPort();
  const url = `http://127.0.0.1:${port}/`;
  const cli = startCli(t, ['connect', '-v', '--wait', '60s', '--wait-http', '2xx', url]);
  await cli.said(/connection refused \(ECONNREFUSED\); retry 1 in/);
  const late = createHttpServer((_request, answer) => answer.writeHead(204).end());
  t.teardown(() => late.close());
  late.listen(port, '127.0.0.1');
  t.is((await cli.exit).code, 0);
  t.true(cli.stderr().includes(`tnet connect: ${url} answered 204\n`), cli.stderr());
});

test.serial('--wait-http does not follow a redirect, and says what came instead', async (t) => {
  const asked: string[] = [];
  const port = await serveHttp(t, ({ url }, answer) => {
    asked.push(url!);
    answer.writeHead(302, { location: '/elsewhere' }).end();
  });
  const url = `http://127.0.0.1:${port}/here`;
  const refused = await runCli(t, [
    'connect',
    '--retry',
    '1',
    '--retry-delay',
    '10ms',
    '--wait-http',
    '200',
    url,
  ]);
  t.is(refused.code, 1);
  t.is(refused.stderr, `tnet connect: ${url}: answered with status 302, not 200 (TNET_E_EXPECT)\n`);
  t.is((await runCli(t, ['connect', '-z', '--wait-http', '200,3xx', url])).code, 0);
  t.deepEqual(asked, ['/here', '/here', '/here']);
});

test.serial(
  '--wait-http that is never answered rightly ends with status 124 and the last reason',
  async (t) => {
    const port = await serveHttp(t, (_request, answer) => answer.writeHead(500).end());
    const url = `http://127.0.0.1:${port}/`;
    const args = ['connect', '--wait', '300ms', '--wait-http', '200', url, '--', 'echo', 'ran'];
    const { code, stdout, stderr } = await runCli(t, args);
    t.deepEqual([code, stdout.length], [124, 0]);
    const reason = 'answered with status 500, not 200, TNET_E_EXPECT';
    t.is(stderr, `tnet connect: ${url}: not ready within 300 ms: ${reason} (TNET_E_TIMEOUT)\n`);
  },
);

test.serial('-z --wait-http --json reports the status', async (t) => {
  const port = await serveHttp(t, (_request, answer) => answer.writeHead(418).end());
  const url = `http://127.0.0.1:${port}/`;
  const { code, stderr } = await runCli(t, ['connect', '-z', '--json', '--wait-http', '4xx', url]);
  t.is(code, 0);
  t.like(JSON.parse(stderr), {
    event: 'checked',
    address: url,
    host: url,
    state: 'open',
    wanted: 'http',
    status: 418,
  });
});

test.serial('a body without an end keeps --wait-http for a moment only', async (t) => {
  const port = await serveHttp(t, (_request, answer) => {
    answer.writeHead(200);
    const more = setInterval(() => answer.write('x'.repeat(1000)), 1);
    answer.on('close', () => clearInterval(more));
  });
  const { code } = await runCli(t, ['connect', '-z', '--wait-http', '200', `http://127.0.0.1:${port}/`]);
  t.is(code, 0);
});

for (const [what, bytes, message] of [
  ['an answer that is not HTTP', 'SSH-2.0-OpenSSH\r\n', 'the answer is not HTTP'],
  ['a server that says nothing', '', 'the server ended the connection without an answer'],
  [
    'a head that breaks off',
    'HTTP/1.1 200 OK\r\nContent-',
    'the server ended the connection without an answer',
  ],
] as const) {
  test.serial(`${what} fails --wait-http in one line`, async (t) => {
    const peer = await startScriptedServer(t, (socket) => socket.once('data', () => socket.end(bytes)));
    const url = `http://127.0.0.1:${peer.port}/`;
    const { code, stderr } = await runCli(t, ['connect', '-zv', '--wait-http', '200', url]);
    t.is(code, 1);
    t.is(stderr, `tnet connect: ${url}: ${message} (TNET_E_EXPECT)\n`);
  });
}

test.serial('a server that never answers a request is status 124, within -w', async (t) => {
  const port = await serveHttp(t, () => undefined);
  const url = `http://127.0.0.1:${port}/`;
  const { code, stderr } = await runCli(t, ['connect', '-zv', '-w', '300ms', '--wait-http', '200', url]);
  t.is(code, 124);
  t.is(stderr, `tnet connect: ${url}: no answer to the request within 300 ms (TNET_E_TIMEOUT)\n`);
});

test.serial('--wait-http checks the certificate of an https URL, with the flags of TLS', async (t) => {
  const port = await listen(
    t,
    createHttpsServer({ cert: server.cert, key: server.key }, (_request, answer) => answer.end('secure')),
  );
  const url = `https://localhost:${port}/`;
  const ask = (...flags: string[]) => runCli(t, ['connect', '-zv', ...flags, '--wait-http', '200', url]);
  const trusted = await ask('--tls-ca', authority.caFile);
  t.is(trusted.code, 0, trusted.stderr);
  t.true(trusted.stderr.includes(`${url} answered 200`), trusted.stderr);
  const unknown = await ask();
  t.is(unknown.code, 1);
  t.regex(unknown.stderr, /issuer is not trusted: .* \(UNABLE_TO_VERIFY_LEAF_SIGNATURE\)\n$/);
});

test.serial('--wait-http waits for other addresses too, which only have to accept', async (t) => {
  const port = await serveHttp(t, (_request, answer) => answer.end());
  const closed = await closedPort();
  const words = ['--wait-http', '200', `http://127.0.0.1:${port}/`, `127.0.0.1:${closed}`];
  const { code, stderr } = await runCli(t, ['connect', '--retry', '0', ...words]);
  t.is(code, 1);
  t.is(stderr, `tnet connect: 127.0.0.1:${closed}: connection refused (ECONNREFUSED)\n`);
});

test.serial('--wait-closed waits until nobody listens, and then runs the command', async (t) => {
  const listener = net.createServer((socket) =>
    socket
      .on('error', () => undefined)
      .resume()
      .end(),
  );
  const port = await listen(t, listener);
  const args = ['connect', '-v', '--wait', '60s', '--wait-closed', '127.0.0.1', String(port)];
  const cli = startCli(t, [...args, '--', 'echo', 'gone']);
  const chunks: Buffer[] = [];
  cli.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await cli.said(/it still accepts connections \(TNET_E_OPEN\); retry 2 in/);
  listener.close();
  t.is((await cli.exit).code, 0);
  t.is(Buffer.concat(chunks).toString(), 'gone\n');
  t.true(
    cli
      .stderr()
      .endsWith(`tnet connect: 127.0.0.1 port ${port} (tcp) is closed: connection refused (ECONNREFUSED)\n`),
    cli.stderr(),
  );
});

test.serial('--wait-closed is over when a Unix path is gone, or nobody listens on it', async (t) => {
  const path = join(tempDir(t), 's');
  t.is((await runCli(t, ['connect', '-z', '--wait-closed', path])).code, 0);
  const listener = net.createServer((socket) => socket.resume().end()).listen(path);
  await once(listener, 'listening');
  t.is((await runCli(t, ['connect', '-z', '--wait-closed', '-U', path])).code, 1);
  const cli = startCli(t, ['connect', '-v', '--wait', '60s', '--wait-closed', path]);
  await cli.said(/it still accepts connections/);
  listener.close();
  t.is((await cli.exit).code, 0);
  rmSync(path, { force: true });
  writeFileSync(path, '');
  t.is((await runCli(t, ['connect', '-z', '--wait-closed', path])).code, 0);
});

test.serial('--wait-closed on a port that stays open is status 124 with --wait, 1 with -z', async (t) => {
  const port = await listen(
    t,
    net.createServer((socket) => socket.resume().end()),
  );
  const address = `127.0.0.1:${port}`;
  const waited = await runCli(t, ['connect', '--wait', '200ms', '--wait-closed', address]);
  t.is(waited.code, 124);
  const reason = 'it still accepts connections, TNET_E_OPEN';
  t.is(waited.stderr, `tnet connect: ${address}: not closed within 200 ms: ${reason} (TNET_E_TIMEOUT)\n`);
  const checked = await runCli(t, ['connect', '-zv', '--wait-closed', address]);
  t.is(checked.code, 1);
  t.is(
    checked.stderr,
    `tnet connect: 127.0.0.1 port ${port} (tcp): it still accepts connections (TNET_E_OPEN)\n`,
  );
});

test.serial('--wait-closed wants all addresses closed', async (t) => {
  const port = await listen(
    t,
    net.createServer((socket) => socket.resume().end()),
  );
  const ports = `${port},${await closedPort()}`;
  t.is((await runCli(t, ['connect', '-z', '--wait-closed', '127.0.0.1', ports])).code, 1);
  t.is((await runCli(t, ['connect', '-z', '--any', '--wait-closed', '127.0.0.1', ports])).code, 0);
});

testInNamespace()('--wait-closed does not take a host that never answers for closed', async (t) => {
  const { inside } = makeNamespace(t, silentAddress);
  const args = ['connect', '-z', '-w', '300ms', '--wait-closed', '10.9.9.2', '80'];
  t.is((await runCli(t, args, '', { inside })).code, 124);
});

test.serial('--wait-name succeeds when the names can be looked up, and connects to nothing', async (t) => {
  const closed = await closedPort();
  const args = ['connect', '-zv', '--wait-name', 'localhost', '127.0.0.1', `localhost:${closed}`];
  const { code, stderr } = await runCli(t, args);
  t.is(code, 0, stderr);
  t.true(stderr.includes('tnet connect: localhost is 127.0.0.1\n'), stderr);
});

testInNamespace()('--wait-name waits until a name is there', async (t) => {
  const { inside, hosts } = makeNamespace(t, []);
  const args = ['connect', '-v', '--wait', '60s', '--wait-name', 'later.example', '--', 'echo', 'found'];
  const cli = startCli(t, args, { inside });
  cli.stdout.resume();
  await cli.said(/later\.example: .*; retry 1 in/);
  writeFileSync(hosts, '10.0.0.7 later.example\n');
  await cli.said(/later\.example is 10\.0\.0\.7/);
  t.is((await cli.exit).code, 0);
});
