import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createAuthority } from '../../helpers/certificates.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { findProgram, testWith } from '../../helpers/programs.ts';
import { exchange } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const authority = createAuthority();
test.after.always(() => authority.remove());

/** A server that answers requests with a status that may change, and says its name to clients that ask nothing. */
interface Checked {
  readonly address: string;
  /** What was asked, each as it came. */
  readonly asked: string[];
  answer: string;
  /** Waits for one more check. */
  readonly next: () => Promise<string>;
}

const answerOf = (status: number) => `HTTP/1.1 ${status} x\r\nContent-Length: 2\r\n\r\nok`;

async function startChecked(
  t: ExecutionContext,
  name: string,
  { path, secure }: { readonly path?: string; readonly secure?: tls.TlsOptions } = {},
): Promise<Checked> {
  const server = secure
    ? tls.createServer({ ...secure, allowHalfOpen: true })
    : net.createServer({ allowHalfOpen: true });
  const asked: string[] = [];
  server.on(secure ? 'secureConnection' : 'connection', (socket: net.Socket) => {
    let text = '';
    socket
      .on('error', () => undefined)
      .on('data', (bytes) => {
        text += String(bytes);
        if (!text.endsWith('\r\n\r\n')) return;
        asked.push(text);
        server.emit('asked');
        if (checked.answer !== '') socket.end(checked.answer);
      })
      .on('end', () => {
        socket.end(text === '' ? name : '');
      });
  });
  server.on('tlsClientError', () => undefined);
  t.teardown(() => server.close());
  if (path === undefined) server.listen(0, '127.0.0.1');
  else server.listen(path);
  await once(server, 'listening');
  const checked: Checked = {
    address: path ?? `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    asked,
    answer: answerOf(200),
    async next() {
      await once(server, 'asked');
      return asked.at(-1)!;
    },
  };
  return checked;
}

const health = ['--balance', 'first', '--health', '50ms', '--health-fall', '1', '--health-rise', '1'];

async function name(t: ExecutionContext, address: string): Promise<string> {
  return String((await exchange(t, address)).bytes);
}

for (const [engine, env] of [
  ['the express lane', { TNET_EXPRESS: '', TNET_NATIVE: '' }],
  ['the native engine', { TNET_EXPRESS: '0', TNET_NATIVE: '' }],
  ['Node streams', { TNET_NATIVE: '0' }],
] as const) {
  test.serial(`a target whose answer is not good is left out until it is, by ${engine}`, async (t) => {
    const [a, b] = [await startChecked(t, 'a'), await startChecked(t, 'b')];
    const cli = startCli(t, ['proxy', '0', a.address, b.address, ...health, '--health-http', '/healthz'], {
      env,
    });
    const address = await cli.address();
    t.regex(await a.next(), /^GET \/healthz HTTP\/1\.1\r\n/);
    t.is(await name(t, address), 'a');
    a.answer = answerOf(503);
    await cli.said(new RegExp(`${a.address}: down, left out: answered with status 503, not 2xx,3xx`));
    t.is(await name(t, address), 'b');
    a.answer = answerOf(302);
    await cli.said(new RegExp(`${a.address}: up`));
    t.is(await name(t, address), 'a');
  });
}

test.serial('the Host of a check is its target, and the statuses and the Host can be chosen', async (t) => {
  const plain = await startChecked(t, 'a');
  const byAddress = startCli(t, ['proxy', '0', plain.address, ...health, '--health-http', '/']);
  await byAddress.address();
  t.regex(await plain.next(), new RegExp(`\r\nHost: ${plain.address}\r\n`, 'i'));
  byAddress.child.kill('SIGKILL');
  const named = await startChecked(t, 'a');
  const byName = startCli(t, [
    'proxy',
    '-4',
    '0',
    named.address.replace('127.0.0.1', 'localhost'),
    ...health,
    '--health-http',
    '/',
  ]);
  await byName.address();
  t.regex(await named.next(), /\r\nHost: localhost:\d+\r\n/i);
  const chosen = await startChecked(t, 'a');
  const flags = [
    '--health-http',
    '/ready?x=1,2',
    '--health-host',
    'www.example.com',
    '--health-status',
    '204,418',
  ];
  const cli = startCli(t, ['proxy', '0', chosen.address, ...health, ...flags]);
  await cli.said(/down, left out: answered with status 200, not 204,418/);
  t.regex(chosen.asked[0]!, /^GET \/ready\?x=1,2 HTTP\/1\.1\r\nHost: www\.example\.com\r\n/i);
  chosen.answer = answerOf(418);
  await cli.said(/: up/);
});

test.serial('checks speak TLS where clients do, with HTTP/1.1 whatever clients speak', async (t) => {
  const { cert, key } = authority.issue('good', 'IP:127.0.0.1');
  const offered: (readonly string[])[] = [];
  const secure: tls.TlsOptions = {
    ...{ cert, key },
    ALPNCallback({ protocols }) {
      offered.push(protocols);
      return protocols[0];
    },
  };
  const [a, b] = [await startChecked(t, 'a', { secure }), await startChecked(t, 'b', { secure })];
  const trust = ['--tls-out', '--tls-ca', authority.caFile, '--tls-alpn', 'h2'];
  const cli = startCli(t, ['proxy', '0', a.address, b.address, ...health, ...trust, '--health-http', '/x']);
  const address = await cli.address();
  t.regex(await a.next(), new RegExp(`^GET /x HTTP/1\\.1\r\nHost: ${a.address}\r\n`, 'i'));
  t.deepEqual(offered, []);
  t.is(await name(t, address), 'a');
  t.deepEqual(offered, [['h2']]);
  a.answer = answerOf(500);
  await cli.said(new RegExp(`${a.address}: down`));
  t.is(await name(t, address), 'b');
});

test.serial('a Unix socket, a WebSocket and a target behind a PROXY header are asked as well', async (t) => {
  const unix = await startChecked(t, 'a', { path: join(tempDir(t), 's') });
  startCli(t, ['proxy', '0', unix.address, ...health, '--health-http', '/']);
  t.regex(await unix.next(), /\r\nHost: localhost\r\n/i);
  const socket = await startChecked(t, 'a');
  startCli(t, ['proxy', '0', `ws://${socket.address}/chat`, ...health, '--health-http', '/up']);
  const request = await socket.next();
  t.regex(request, /^GET \/up /);
  t.notRegex(request, /upgrade/i);
  const header = await startChecked(t, 'a');
  startCli(t, ['proxy', '0', header.address, ...health, '--health-http', '/', '--send-proxy', '1']);
  t.regex(await header.next(), /^PROXY UNKNOWN\r\nGET \/ /);
});

for (const [what, answer, message] of [
  ['is not HTTP', 'SSH-2.0-x\r\n\r\n', /down, left out: the answer is not HTTP/],
  ['does not come', '', /down, left out: no answer to the request within/],
] as const) {
  test.serial(`a target whose answer ${what} is down`, async (t) => {
    const target = await startChecked(t, 'a');
    target.answer = answer;
    const cli = startCli(t, ['proxy', '0', target.address, ...health, '--health-http', '/']);
    await cli.said(message);
    t.pass();
  });
}

testWith('nginx')('nginx is asked for its health page', async (t) => {
  const dir = tempDir(t);
  const [sick, well] = [await closedPort(), await closedPort()];
  const server = (port: number, status: number) =>
    `server { listen 127.0.0.1:${port}; location = /healthz { return ${status}; } location / { return 200 "${port}"; } }`;
  const lines = [
    'master_process off;',
    `pid ${dir}/pid;`,
    'events {}',
    'http {',
    'access_log off;',
    ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((one) => `${one}_temp_path ${dir}/${one};`),
    server(sick, 503),
    server(well, 204),
    '}',
  ];
  writeFileSync(join(dir, 'nginx.conf'), lines.join('\n'));
  const words = ['-p', dir, '-c', join(dir, 'nginx.conf'), '-e', join(dir, 'error.log'), '-g', 'daemon off;'];
  await waitForPort(well, startProgram(t, findProgram('nginx') ?? '', words));
  const targets = [sick, well].map((port) => `127.0.0.1:${port}`);
  const cli = startCli(t, ['proxy', '0', ...targets, ...health, '--health-http', '/healthz']);
  await cli.said(new RegExp(`${targets[0]!}: down, left out: answered with status 503`));
  const { bytes } = await exchange(t, await cli.address(), 'GET / HTTP/1.0\r\n\r\n');
  t.is(String(bytes).split('\r\n\r\n')[1], String(well));
});

for (const [words, message] of [
  ['h:1 --health-http /', /--health-http: makes sense only with --health/],
  ['h:1 --health 1s --health-http healthz', /--health-http healthz: .*expected a path such as \/healthz/],
  ['h:1 --health 1s --health-status 200', /--health-status: makes sense only with --health-http/],
  ['h:1 --health 1s --health-host a', /--health-host: makes sense only with --health-http/],
  ['h:1 --health 1s --health-http / --health-host a/b', /--health-host a\/b: .*expected a host name/],
  [
    'h:1 --health 1s --health-http / --health-status 600',
    /--health-status 600: .*expected a status such as 200/,
  ],
  ['exec:cat --health 1s --health-http /', /--health-http: makes no sense with a program/],
] as const) {
  test.serial(`proxy 0 ${words} is a usage error`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', '0', ...words.split(' ')]);
    t.is(code, 2);
    t.regex(stderr, message);
  });
}
