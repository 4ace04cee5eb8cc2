import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../helpers/bytes.ts';
import { createAuthority, type Authority } from '../helpers/certificates.ts';
import { closedPort, runCli, startCli, tnetPath, type Cli } from '../helpers/cli.ts';
import { openPackageClient, startPackageServer } from '../helpers/net/websockets.ts';
import { startEcho } from '../helpers/proxy.ts';
import { findProgram, testWith } from '../helpers/programs.ts';
import { startSshd } from '../helpers/sshd.ts';
import { chromium, startBrowser } from '../helpers/chromium.ts';
import { tempDir } from '../helpers/temp.ts';

let authority: Authority | undefined;
const issue = () => (authority ??= createAuthority());
test.after.always(() => authority?.remove());

/** A server that echoes on a WebSocket: its address. */
async function startEchoServer(t: ExecutionContext, ...flags: readonly string[]): Promise<string> {
  return startCli(t, ['echo', 'ws://127.0.0.1:0/echo', ...flags]).address();
}

/** Starts a command that listens: it, and the address that it says. */
async function startServer(
  t: ExecutionContext,
  ...words: readonly string[]
): Promise<{ cli: Cli; address: string }> {
  const cli = startCli(t, words);
  return { cli, address: await cli.address() };
}

/** Writes a file for one test. */
function fileOf(t: ExecutionContext, text: string): string {
  const path = join(tempDir(t), 'file');
  writeFileSync(path, text);
  return path;
}

test('connect and echo speak over a WebSocket to the last byte', async (t) => {
  const address = await startEchoServer(t);
  t.regex(address, /^ws:\/\/127\.0\.0\.1:\d+\/echo$/);
  const sent = payload(1_000_001);
  const { code, stdout, stderr } = await runCli(t, ['connect', address], sent);
  t.is(code, 0, stderr);
  t.is(stderr, '');
  sameBytes(t, stdout, sent);
});

test('connect and listen end one side each, in both orders', async (t) => {
  const one = await startServer(t, 'listen', 'ws://127.0.0.1:0');
  const client = startCli(t, ['connect', one.address]);
  client.stdin.end('from the client');
  t.is((await collect(one.cli.stdout)).toString(), 'from the client');
  one.cli.stdin.end('from the server');
  t.is((await collect(client.stdout)).toString(), 'from the server');
  t.deepEqual([(await client.exit).code, (await one.cli.exit).code], [0, 0]);

  const other = await startServer(t, 'listen', 'ws://127.0.0.1:0');
  other.cli.stdin.end('from the server');
  const later = startCli(t, ['connect', other.address]);
  t.is((await collect(later.stdout)).toString(), 'from the server');
  later.stdin.end('from the client');
  t.is((await collect(other.cli.stdout)).toString(), 'from the client');
  t.deepEqual([(await later.exit).code, (await other.cli.exit).code], [0, 0]);
});

test('-z tells a WebSocket from a port that only accepts', async (t) => {
  const address = await startEchoServer(t);
  const open = await runCli(t, ['connect', '-zv', address]);
  t.is(open.code, 0);
  t.regex(open.stderr, /succeeded!\n$/);
  t.is((await runCli(t, ['connect', '-z', address.replace('/echo', '/other')])).code, 1);
  const plain = await startEcho(t);
  t.is((await runCli(t, ['connect', '-z', `ws://${plain}`])).code, 1);
});

test('echo --ping checks an echo on a WebSocket', async (t) => {
  const address = await startEchoServer(t);
  const { code, stdout } = await runCli(t, [
    'echo',
    '--ping',
    '-c',
    '5',
    '--rate',
    'none',
    '--size',
    '100k',
    address,
  ]);
  t.is(code, 0);
  t.regex(stdout.toString(), /5 sent, 5 back/);
});

testWith('openssl')('wss:// is TLS, whose certificate is verified', async (t) => {
  const { caFile, issue: make } = issue();
  const { certFile, keyFile } = make('ws', 'DNS:localhost,IP:127.0.0.1');
  const { address } = await startServer(
    t,
    'echo',
    'wss://127.0.0.1:0/a',
    '--tls-cert',
    certFile,
    '--tls-key',
    keyFile,
  );
  t.regex(address, /^wss:/);
  const trusted = await runCli(t, ['connect', '--tls-ca', caFile, address], 'secret');
  t.is(trusted.code, 0, trusted.stderr);
  t.is(trusted.stdout.toString(), 'secret');
  const untrusted = await runCli(t, ['connect', address], 'secret');
  t.is(untrusted.code, 1);
  t.is(untrusted.stdout.length, 0);
  // The flag makes it secure as well as the address.
  const flagged = await runCli(t, ['connect', '--tls-ca', caFile, address.replace('wss:', 'ws:')], 'secret');
  t.is(flagged.stdout.toString(), 'secret');
});

testWith('openssl')('proxy joins WebSockets to plain streams, on either side or both', async (t) => {
  const { caFile, issue: make } = issue();
  const { certFile, keyFile } = make('relay', 'IP:127.0.0.1');
  const target = await startEcho(t);
  const inner = await startServer(
    t,
    ...['proxy', 'wss://127.0.0.1:0/in', target, '--tls-cert', certFile, '--tls-key', keyFile],
  );
  const middle = await startServer(t, 'proxy', 'ws://127.0.0.1:0', inner.address, '--tls-ca', caFile);
  const outer = await startServer(t, 'proxy', '127.0.0.1:0', middle.address);
  const sent = payload(700_001);
  const { code, stdout, stderr } = await runCli(t, ['connect', outer.address], sent);
  t.is(code, 0, stderr);
  sameBytes(t, stdout, sent);
});

test('a target that breaks off is a break for the client of a WebSocket', async (t) => {
  const server = net.createServer((socket) => socket.once('data', () => socket.resetAndDestroy()));
  t.teardown(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const { address } = await startServer(t, 'proxy', 'ws://127.0.0.1:0', `127.0.0.1:${port}`);
  const client = await openPackageClient(t, address);
  client.socket.send('x');
  t.is((await client.closed).code, 1006);
});

test('a WebSocket goes through an HTTP CONNECT and a SOCKS proxy', async (t) => {
  const address = await startEchoServer(t);
  const { address: proxy } = await startServer(t, 'proxy', '--socks', '--http-connect', '127.0.0.1:0');
  for (const scheme of ['socks5', 'http']) {
    const run = await runCli(t, ['connect', '-x', `${scheme}://${proxy}`, address], scheme);
    t.is(run.code, 0, run.stderr);
    t.is(run.stdout.toString(), scheme);
  }
});

test('a PROXY header comes before the handshake, and names the client behind it', async (t) => {
  const { cli, address } = await startServer(t, 'echo', 'ws://127.0.0.1:0', '--accept-proxy', '-v');
  const run = await runCli(t, ['connect', '--send-proxy=2', address], 'x');
  t.is(run.stdout.toString(), 'x');
  await cli.said(/is a connection of 127\.0\.0\.1:\d+|127\.0\.0\.1:\d+.*127\.0\.0\.1:\d+/);
});

test('listen -k serves several WebSockets, and runs a program for each', async (t) => {
  const { address } = await startServer(t, 'listen', '-k', '-e', 'tr a-z A-Z', 'ws://127.0.0.1:0/p');
  for (const word of ['one', 'two']) {
    const { code, stdout } = await runCli(t, ['connect', address], word);
    t.is(code, 0);
    t.is(stdout.toString(), word.toUpperCase());
  }
});

test('listen -k --broadcast sends its input to every WebSocket', async (t) => {
  const { cli, address } = await startServer(t, 'listen', '-k', '-v', '--broadcast', 'ws://127.0.0.1:0');
  const clients = await Promise.all([1, 2].map(() => openPackageClient(t, address)));
  await cli.said(/accepted[^]*accepted|from[^]*from/);
  cli.stdin.end('to all');
  for (const { closed } of clients) t.is((await closed).code, 1000);
  for (const { messages } of clients) t.is(messages.map(({ data }) => data.toString()).join(''), 'to all');
});

test('workers serve WebSockets', async (t) => {
  const address = await startEchoServer(t, '--workers', '2');
  const { code, stdout } = await runCli(t, ['connect', address], 'to a worker');
  t.is(code, 0);
  t.is(stdout.toString(), 'to a worker');
});

for (const [what, act, status, line] of [
  ['1000', 'close', 0, /^$/],
  [
    '1011',
    'fail',
    1,
    /closed the WebSocket with an error: 1011 \(internal error\): "bad day" \(TNET_E_WEBSOCKET\)\n$/,
  ],
  ['no close frame', 'terminate', 1, /./],
] as const) {
  test(`a server that ends with ${what} makes the status ${status}, after its last bytes`, async (t) => {
    const port = await startPackageServer(t, (client) => {
      client.send('last words', () => {
        if (act === 'close') client.close(1000);
        else if (act === 'fail') client.close(1011, 'bad day');
        else client.terminate();
      });
    });
    const run = startCli(t, ['connect', `ws://127.0.0.1:${port}`]);
    t.is((await collect(run.stdout)).toString(), 'last words');
    // Its input is still open: the server takes nothing more, and there is nothing for it.
    t.is((await run.exit).code, status);
    t.regex(run.stderr(), line);
  });
}

test('input that a server no longer takes after its close frame is missed', async (t) => {
  const port = await startPackageServer(t, (client) => client.close(1000));
  const run = startCli(t, ['connect', '-v', `ws://127.0.0.1:${port}`]);
  await run.said(/connected/);
  run.stdin.on('error', () => undefined);
  const timer = setInterval(() => run.stdin.write('more and more\n'), 1);
  const { code } = await run.exit;
  clearInterval(timer);
  // Where the close frame came before anything was read, nothing is missing.
  if (code !== 0) t.regex(run.stderr(), /did not take .*\(TNET_E_UNSENT\)/);
  t.true(code === 0 || code === 1);
});

test('--ws-protocol is offered, chosen and required', async (t) => {
  const address = await startEchoServer(t, '--ws-protocol', 'b,a');
  t.is((await runCli(t, ['connect', '--ws-protocol', 'a', address], 'x')).stdout.toString(), 'x');
  const client = await openPackageClient(t, address, {}, ['a', 'b']);
  t.is(client.socket.protocol, 'b');
});

test('--ws-protocol refuses a client that offers another', async (t) => {
  const address = await startEchoServer(t, '--ws-protocol', 'a');
  const { code, stderr } = await runCli(t, ['connect', '--ws-protocol', 'c', address], 'x');
  t.is(code, 1);
  t.regex(stderr, /the server answers 400 Bad Request/);
});

test('--header sends fields from the command line and from a file', async (t) => {
  const asked = Promise.withResolvers<http.IncomingHttpHeaders>();
  const port = await startPackageServer(t, (client) => client.close(1000), {
    verifyClient: ({ req }: { req: http.IncomingMessage }) => {
      asked.resolve(req.headers);
      return true;
    },
  });
  const secrets = fileOf(t, 'Authorization: Bearer secret\n\nX-More: 2\r\n');
  const words = ['--header', 'X-Name: value', '--header', `@${secrets}`];
  t.is((await runCli(t, ['connect', ...words, `ws://127.0.0.1:${port}`])).code, 0);
  t.like(await asked.promise, { 'x-name': 'value', authorization: 'Bearer secret', 'x-more': '2' });
});

const refused: [what: string, words: readonly string[], line: RegExp][] = [
  [
    'a secret on the command line',
    ['--header', 'Cookie: a=b', 'ws://127.0.0.1:1'],
    /Cookie is a secret.*@FILE/,
  ],
  ['a line break in a field', ['--header', 'X: a\nY: b', 'ws://127.0.0.1:1'], /not one line/],
  ['a field of the handshake', ['--header', 'Host: b', 'ws://127.0.0.1:1'], /set by the WebSocket handshake/],
  [
    'a file that is not there',
    ['--header', '@/nowhere/file', 'ws://127.0.0.1:1'],
    /cannot be read \(ENOENT\)/,
  ],
  ['a flag without a WebSocket', ['--ws-text', '127.0.0.1:1'], /--ws-text goes with ws:\/\/ or wss:\/\//],
  ['a server flag', ['--ws-auth-file', 'x', 'ws://127.0.0.1:1'], /unknown option/],
  ['two origins', ['--ws-origin', 'http://a', '--ws-origin', 'http://b', 'ws://127.0.0.1:1'], /one origin/],
];

for (const [what, words, line] of refused) {
  test(`connect refuses ${what} before anything is opened`, async (t) => {
    const { code, stderr } = await runCli(t, ['connect', ...words]);
    t.is(code, 2);
    t.regex(stderr, line);
  });
}

for (const words of [['--socks'], ['--http-connect'], ['--route', 'proto:ssh=127.0.0.1:22', '127.0.0.1:1']]) {
  test(`proxy refuses ${words[0]} for clients of a WebSocket`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', 'ws://127.0.0.1:0', ...words]);
    t.is(code, 2);
    t.regex(stderr, /makes no sense with a WebSocket/);
  });
}

test('--ws-auth-file asks for the password that --ws-password-file gives', async (t) => {
  const hash = `{SHA}${createHash('sha1').update('pass:word').digest('base64')}`;
  const address = await startEchoServer(t, '--ws-auth-file', fileOf(t, `ann:${hash}\n`));
  const right = await runCli(
    t,
    ['connect', '--ws-password-file', fileOf(t, 'ann:pass:word\n'), address],
    'x',
  );
  t.is(right.stdout.toString(), 'x');
  for (const flags of [[], ['--ws-password-file', fileOf(t, 'ann:wrong\n')]]) {
    const { code, stderr } = await runCli(t, ['connect', ...flags, address], 'x');
    t.is(code, 1);
    t.regex(stderr, /the server answers 401 Unauthorized: .*--ws-password-file/);
  }
});

test('--ws-origin lets in the pages that it names, and no other', async (t) => {
  const address = await startEchoServer(t, '--ws-origin', 'https://example.com');
  const asPage = (origin: string) => runCli(t, ['connect', '--ws-origin', origin, address], 'x');
  t.is((await asPage('https://example.com')).stdout.toString(), 'x');
  t.regex((await asPage('https://evil.example')).stderr, /403 Forbidden/);
  // No browser: it names no origin.
  t.is((await runCli(t, ['connect', address], 'x')).code, 0);
  // Without the option, no page is let in, not even one that names the listener itself.
  const closed = await startEchoServer(t);
  const own = closed.replace('ws:', 'http:').replace('/echo', '');
  t.regex((await runCli(t, ['connect', '--ws-origin', own, closed], 'x')).stderr, /403 Forbidden/);
});

test('--ws-text sends a line a message, and writes a message a line', async (t) => {
  const seen: string[] = [];
  const port = await startPackageServer(t, (client) => {
    client.on('message', (data: Buffer, isBinary) => {
      seen.push(`${isBinary ? 'binary' : 'text'} ${data.toString()}`);
      client.send(`got ${data.toString()}`);
    });
  });
  const { code, stdout } = await runCli(
    t,
    ['connect', '--ws-text', `ws://127.0.0.1:${port}`],
    'one\ntwo\nthree',
  );
  t.is(code, 0);
  t.deepEqual(seen, ['text one', 'text two', 'text three']);
  t.is(stdout.toString(), 'got one\ngot two\ngot three\n');
});

test('--ws-deflate compresses between connect and proxy', async (t) => {
  const counting = net.createServer((client) => {
    let bytes = 0;
    const target = net.connect(Number(new URL(address).port), '127.0.0.1');
    client.on('data', (chunk) => (bytes += chunk.length)).on('close', () => counted.resolve(bytes));
    for (const socket of [client, target]) socket.on('error', () => undefined);
    client.pipe(target).pipe(client);
  });
  const counted = Promise.withResolvers<number>();
  const address = await startEchoServer(t, '--ws-deflate');
  t.teardown(() => counting.close());
  counting.listen(0, '127.0.0.1');
  await once(counting, 'listening');
  const { port } = counting.address() as net.AddressInfo;
  const sent = Buffer.from('again and again '.repeat(50_000));
  const run = await runCli(t, ['connect', '--ws-deflate', `ws://127.0.0.1:${port}/echo`], sent);
  t.is(run.code, 0, run.stderr);
  sameBytes(t, run.stdout, sent);
  t.true((await counted.promise) < sent.length / 20);
});

test('--ws-ping ends the connection with a peer that answers none', async (t) => {
  const port = await startPackageServer(t, () => undefined, { autoPong: false });
  const cli = startCli(t, ['connect', '--ws-ping', '100ms', `ws://127.0.0.1:${port}`]);
  t.is((await cli.exit).code, 1);
  t.regex(cli.stderr(), /has not answered a ping within 100 ms \(TNET_E_WEBSOCKET\)/);
});

test('--ws-max refuses a longer message', async (t) => {
  const { cli, address } = await startServer(t, 'listen', '-d', '--ws-max', '1k', 'ws://127.0.0.1:0');
  const client = await openPackageClient(t, address);
  client.socket.send(Buffer.alloc(1025));
  t.is((await client.closed).code, 1009);
  t.is((await cli.exit).code, 1);
  t.regex(cli.stderr(), /longer than --ws-max allows \(TNET_E_WEBSOCKET\)/);
});

test('a configuration file has the options of WebSockets', async (t) => {
  const target = await startEcho(t);
  const config = {
    pairs: [{ listen: 'ws://127.0.0.1:0/x', targets: [target], wsProtocol: 'a', wsMax: '1M' }],
  };
  const path = join(tempDir(t), 'proxy.json');
  writeFileSync(path, JSON.stringify(config));
  const { address } = await startServer(t, 'proxy', '--config', path);
  const { stdout } = await runCli(t, ['connect', '--ws-protocol', 'a', address], 'x');
  t.is(stdout.toString(), 'x');
});

test('plain HTTP, another path and another method get their answers', async (t) => {
  const address = new URL((await startEchoServer(t)).replace('ws:', 'http:'));
  const ask = (path: string, method = 'GET') =>
    new Promise<number | undefined>((resolve, reject) => {
      const request = http.request(
        { host: address.hostname, port: address.port, path, method },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      request.on('error', reject).end();
    });
  t.deepEqual([await ask('/echo'), await ask('/'), await ask('/echo', 'POST')], [426, 404, 405]);
});

testWith(
  'ssh',
  'sshd',
  'ssh-keygen',
)('ssh logs in through a WebSocket', async (t) => {
  const port = await closedPort();
  const { config } = await startSshd(t, tempDir(t), port);
  const { address } = await startServer(t, 'proxy', 'ws://127.0.0.1:0/ssh', `127.0.0.1:${port}`);
  const command = `${process.execPath} ${tnetPath} connect ${address}`;
  const sent = payload(500_001);
  const ssh = spawn('ssh', ['-F', config, '-o', `ProxyCommand=${command}`, '127.0.0.1', 'cat'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.teardown(() => ssh.kill('SIGKILL'));
  ssh.stdin.end(sent);
  const exit = once(ssh, 'exit');
  sameBytes(t, await collect(ssh.stdout), sent);
  t.deepEqual(await exit, [0, null]);
});

/** A Python that has the package websockets. */
const python = ['/usr/bin/python3', findProgram('python3')].find(
  (file) =>
    file !== undefined && spawnSync(file, ['-c', 'import websockets'], { stdio: 'ignore' }).status === 0,
);
if (python === undefined) console.log("skipped: Python's websockets is not installed");

(python === undefined ? test.skip : test)("Python's websockets is a client and a server", async (t) => {
  const address = await startEchoServer(t, '--ws-deflate');
  const script = `
import asyncio, sys, websockets
async def main():
    async with websockets.connect(sys.argv[1], max_size=None) as ws:
        data = bytes(range(256)) * 8000
        await ws.send(data)
        back = b''
        while len(back) < len(data): back += await ws.recv()
        print(back == data, flush=True)
    async def echo(ws, *path):
        async for message in ws: await ws.send(message)
    async with websockets.serve(echo, '127.0.0.1', 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())`;
  const child = spawn(python!, ['-c', script, address], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = child.stdout
    .setEncoding('utf8')
    .iterator({ destroyOnReturn: false }) as AsyncIterator<string>;
  let said = '';
  while (said.split('\n').length < 3) said += String((await lines.next()).value);
  const [same, port] = said.split('\n');
  t.is(same, 'True');
  // This server answers a close frame at once: the input is held open until everything is back.
  const sent = payload(300_001);
  const cli = startCli(t, ['connect', '--ws-deflate', `ws://127.0.0.1:${port}/`]);
  cli.stdin.write(sent);
  const heard: Buffer[] = [];
  let left = sent.length;
  cli.stdout.on('data', (chunk: Buffer) => {
    heard.push(chunk);
    left -= chunk.length;
    if (left === 0) cli.stdin.end();
  });
  t.is((await cli.exit).code, 0, cli.stderr());
  sameBytes(t, Buffer.concat(heard), sent);
});

if (chromium === undefined) console.log('skipped: Chromium is not installed');

const page = (address: string) => `<script>
const report = (text) => fetch('/report', { method: 'POST', body: text });
const socket = new WebSocket('${address}');
socket.binaryType = 'arraybuffer';
const data = new Uint8Array(200000).map((_, index) => index * 7);
const heard = [];
let length = 0;
socket.onopen = () => socket.send(data);
socket.onmessage = (event) => {
  heard.push(new Uint8Array(event.data));
  length += event.data.byteLength;
  if (length === data.length) socket.close(1000);
};
socket.onclose = (event) => {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of heard) { all.set(part, at); at += part.length; }
  const isSame = all.every((byte, index) => byte === data[index]) && length === data.length;
  report([isSame, event.code, event.wasClean].join(' '));
};
</script>`;

(chromium === undefined ? test.serial.skip : test.serial)(
  "Chromium's WebSocket is served where --ws-origin names the page, and refused elsewhere",
  async (t) => {
    t.timeout(120_000);
    const reports: ((text: string) => void)[] = [];
    let address = '';
    const server = http.createServer((request, response) => {
      if (request.method === 'POST') {
        let body = '';
        request.setEncoding('utf8').on('data', (text: string) => (body += text));
        request.on('end', () => reports.shift()?.(body));
        response.end();
      } else response.setHeader('content-type', 'text/html').end(page(address));
    });
    t.teardown(() => server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
    const visit = async (to: string) => {
      address = to;
      const report = new Promise<string>((resolve) => reports.push(resolve));
      const browser = startBrowser(t, `${origin}/`);
      browser.stdout.resume();
      browser.stderr.resume();
      const said = await report;
      await browser.close();
      return said;
    };
    t.is(await visit(await startEchoServer(t, '--ws-origin', origin, '--ws-deflate')), 'true 1000 true');
    t.is(await visit(await startEchoServer(t)), 'false 1006 false');
  },
);
