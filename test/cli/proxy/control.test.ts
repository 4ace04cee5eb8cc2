import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { promisify } from 'node:util';
import test from 'ava';
import { errorCode } from '../../../src/errors.ts';
import { collectUntilClose } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { askControl, startControlled, testInBoth } from '../../helpers/control.ts';
import { schemaOf } from '../../helpers/openapi.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { testWith } from '../../helpers/programs.ts';
import { exchange, startEcho, startNamed, waitEnd } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const run = promisify(execFile);

testInBoth('proxy --control alone starts with no pair, takes some, and ends by SIGTERM', async (t, start) => {
  const target = await startEcho(t);
  const { cli, ask } = await start(t);
  t.deepEqual((await ask('GET', '/v1/pairs')).body, { pairs: [] });
  const settings = { listen: '127.0.0.1:0', targets: [target] };
  const added = await ask('POST', '/v1/pairs', { body: { name: 'web one', settings } });
  t.is(added.status, 201);
  t.is(added.headers.location, '/v1/pairs/web%20one');
  const { address } = added.body as { readonly address: string };
  t.deepEqual(added.body, {
    ...{ name: 'web one', isEnabled: true, address, settings, faults: [] },
    targets: [{ address: target, isEnabled: true, isUp: null, connections: 0, settings: {} }],
  });
  t.deepEqual((await ask('GET', added.headers.location!)).body, added.body);
  t.is((await exchange(t, address, 'hello')).bytes.toString(), 'hello');
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
});

testInBoth(
  'a fault is switched on in an open connection of a pair of the command line, and off again',
  async (t, start) => {
    const target = await startEcho(t);
    const { cli, ask } = await start(t, '127.0.0.1:0', target, '--latency', '1ms');
    const socket = await connectPeer(t, await cli.address());
    const echo = async (word: string) => {
      const startedAt = performance.now();
      socket.write(word);
      t.is(String((await once(socket, 'data'))[0]), word);
      return performance.now() - startedAt;
    };
    await echo('first');
    const faults = '/v1/pairs/127.0.0.1:0/faults';
    t.deepEqual((await ask('GET', faults)).body.faults, [
      {
        name: 'latency',
        direction: 'both',
        toxicity: 1,
        fault: { kind: 'latency', delayMs: 1, jitterMs: 0 },
        group: 'options',
      },
    ]);
    const slow = { fault: { kind: 'latency', delayMs: 400 }, name: 'slow', direction: 'up' };
    const added = await ask('POST', faults, { body: slow });
    t.is(added.status, 201);
    t.is(added.body.connections, 1);
    t.true((await echo('slow')) >= 370);
    const changed = await ask('PATCH', `${faults}/slow`, { body: { fault: { delayMs: 5 }, toxicity: 0.5 } });
    t.like(changed.body.fault, { name: 'slow', toxicity: 0.5, fault: { kind: 'latency', delayMs: 5 } });
    t.deepEqual((await ask('DELETE', `${faults}/slow`)).status, 200);
    t.is((await ask('DELETE', faults)).body.connections, 1);
    t.deepEqual((await ask('GET', faults)).body, { faults: [] });
    await echo('last');
  },
);

testInBoth(
  'connections are listed with what their clients said first, as docs/control.yaml describes it',
  async (t, start) => {
    const target = await startEcho(t);
    const port = Number(target.split(':').at(-1));
    const words = ['--socks', '--accept-proxy', '--tls-in', '127.0.0.1:0'];
    const { cli, ask } = await start(t, ...words);
    const raw = await connectPeer(t, await cli.address());
    raw.write('PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n');
    const client = tls.connect({ socket: raw, servername: 'db.example.com', rejectUnauthorized: false });
    client.write(Buffer.from([5, 1, 0]));
    t.deepEqual((await once(client, 'data'))[0], Buffer.from([5, 0]));
    client.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]));
    t.is(((await once(client, 'data')) as [Buffer])[0][1], 0);
    client.write('hello');
    t.is(String((await once(client, 'data'))[0]), 'hello');
    const answer = await ask('GET', '/v1/connections');
    const isAsSaid = schemaOf('listConnections', 200);
    t.true(isAsSaid(answer.body), JSON.stringify(isAsSaid.errors));
    const [connection] = answer.body.connections as [Record<string, unknown>];
    t.deepEqual(connection['greeting'], {
      client: '192.0.2.7:4711',
      tls: { protocol: 'TLSv1.3', serverName: 'db.example.com' },
      request: { command: 'connect', host: '127.0.0.1', port },
    });
    t.like(connection, { target, sentBytes: 5, receivedBytes: 5 });
    const shown = schemaOf('showConnection', 200);
    t.true(shown((await ask('GET', '/v1/connections/1')).body), JSON.stringify(shown.errors));
    client.destroy();
  },
);

testInBoth(
  'connections are listed and reset, and the totals count from when they are reset',
  async (t, start) => {
    const target = await startEcho(t);
    const { cli, ask } = await start(t, '127.0.0.1:0', target);
    const socket = await connectPeer(t, await cli.address());
    socket.write('hello');
    await once(socket, 'data');
    const { connections } = (await ask('GET', '/v1/connections?pair=127.0.0.1:0')).body;
    t.like(connections, [{ id: 1, pair: '127.0.0.1:0', target, sentBytes: 5, receivedBytes: 5 }]);
    t.is((await ask('GET', '/v1/connections?pair=none')).status, 404);
    t.like((await ask('POST', '/v1/totals/reset')).body, { connections: 0, open: 1, sentBytes: 0 });
    const end = collectUntilClose(socket);
    t.deepEqual((await ask('DELETE', '/v1/connections/1')).body, { connections: 1 });
    t.is(((await end).error as NodeJS.ErrnoException).code, 'ECONNRESET');
    const gone = await ask('DELETE', '/v1/connections/99');
    t.is(gone.status, 404);
    t.deepEqual(gone.body, {
      code: 'TNET_E_UNKNOWN_NAME',
      message: 'there is no open connection of this number',
      subject: '99',
    });
  },
);

testInBoth('settings and targets are changed, and a pair is disabled and removed', async (t, start) => {
  const [one, other] = [await startNamed(t, 'one'), await startNamed(t, 'other')];
  const { cli, ask } = await start(
    t,
    // Where no other test listens: a closed port must stay closed.
    '127.0.0.9:0',
    one,
    other,
    '--balance',
    'first',
    '--max-connections',
    '9',
  );
  const address = await cli.address();
  const pair = '/v1/pairs/127.0.0.9:0';
  const seen = async () => (await exchange(t, address)).bytes.toString();
  t.is(await seen(), 'one');
  const drained = await ask('PATCH', `${pair}/targets/${encodeURIComponent(one)}`, {
    body: { isEnabled: false },
  });
  t.like(drained.body.targets, [
    { address: one, isEnabled: false },
    { address: other, isEnabled: true },
  ]);
  t.is(await seen(), 'other');
  const denied = await ask('PATCH', pair, {
    body: { settings: { deny: ['127.0.0.1'], maxConnections: null } },
  });
  t.deepEqual(denied.body.pair.settings, {
    listen: '127.0.0.9:0',
    targets: [one, other],
    balance: 'first',
    deny: ['127.0.0.1'],
  });
  t.is(await waitEnd(t, address), 'ECONNRESET');
  t.is((await ask('PATCH', pair, { body: { isEnabled: false, settings: { deny: null } } })).status, 200);
  t.is(await waitEnd(t, address).catch((error: unknown) => errorCode(error)), 'ECONNREFUSED');
  t.is((await ask('PATCH', pair, { body: { isEnabled: true } })).body.pair.address, address);
  t.is(await seen(), 'other');
  t.is((await ask('DELETE', `${pair}?cut=true`)).status, 200);
  t.is((await ask('GET', pair)).status, 404);
});

testInBoth('what cannot be done is answered with its reason, and changes nothing', async (t, start) => {
  const target = await startEcho(t);
  const { cli, ask } = await start(t, '127.0.0.1:0', target);
  const address = await cli.address();
  const post = (body: unknown) => ask('POST', '/v1/pairs', { body });
  const pair = '/v1/pairs/127.0.0.1:0';
  const settings = { listen: '127.0.0.1:0', targets: [target] };
  const cases: [() => ReturnType<typeof ask>, number, object][] = [
    [() => post({ settings }), 409, { code: 'TNET_E_NAME_TAKEN', subject: '127.0.0.1:0' }],
    [
      () => post({ name: 'b', settings: { ...settings, latncy: '1s' } }),
      400,
      { code: 'TNET_E_CONFIG', subject: '/settings/latncy' },
    ],
    [
      () => post({ name: 'b', settings: { listen: target, targets: [address] } }),
      409,
      { code: 'EADDRINUSE', subject: target },
    ],
    [
      () => post({ name: 'b', settings: { ...settings, targets: [5] } }),
      400,
      { subject: '/settings/targets/0' },
    ],
    [() => post({ name: 'b' }), 400, { subject: '/settings' }],
    [() => post({ nme: 'b', settings }), 400, { subject: '/nme' }],
    [() => post([]), 400, { subject: '/' }],
    [() => post('{'), 400, { code: 'BAD_REQUEST' }],
    [() => ask('PATCH', pair, { body: { isEnabled: 1 } }), 400, { subject: '/isEnabled' }],
    [() => ask('PATCH', pair, { body: { settings: { targets: [address] } } }), 400, { code: 'TNET_E_LOOP' }],
    [
      () => ask('POST', `${pair}/faults`, { body: { fault: { kind: 'none' } } }),
      400,
      { subject: '/fault/kind' },
    ],
    [
      () => ask('POST', `${pair}/faults`, { body: { fault: { kind: 'latency', delayMs: -1 } } }),
      400,
      { subject: '/fault/delayMs' },
    ],
    [
      () => ask('POST', `${pair}/faults`, { body: { fault: { kind: 'blackhole', bytes: 1 } } }),
      400,
      { subject: '/fault/bytes' },
    ],
    [
      () => ask('POST', `${pair}/faults`, { body: { fault: { kind: 'blackhole' }, toxicity: 2 } }),
      400,
      { subject: '/toxicity' },
    ],
    [() => ask('PATCH', `${pair}/targets/x`, { body: { isEnabled: true } }), 404, { subject: 'x' }],
    [() => ask('PUT', pair, { body: {} }), 405, { code: 'METHOD_NOT_ALLOWED' }],
    [() => ask('GET', '/v1/none'), 404, { code: 'NOT_FOUND', subject: '/v1/none' }],
    [() => ask('GET', '/v1/pairs/%'), 400, { code: 'BAD_REQUEST' }],
  ];
  for (const [answer, status, expected] of cases) {
    const { status: given, body } = await answer();
    t.like(body, expected as never);
    t.is(given, status, JSON.stringify(body));
  }
  t.deepEqual((await ask('GET', '/v1/pairs')).body.pairs.length, 1);
  t.is((await exchange(t, address, 'still')).bytes.toString(), 'still');
});

testInBoth(
  'events are streamed as --json prints them, and the stream ends with the proxy',
  async (t, start) => {
    const target = await startEcho(t);
    const { cli, address } = await start(t, '127.0.0.1:0', target, '-v');
    const request = http.get({ host: '127.0.0.1', port: address.split(':')[1], path: '/v1/events' });
    request.on('error', () => undefined);
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    t.is(response.headers['content-type'], 'text/event-stream');
    response.setEncoding('utf8');
    await once(response, 'readable');
    await exchange(t, await cli.address(), 'hello');
    await cli.said(/eof, 5 bytes in/);
    cli.child.kill('SIGTERM');
    let text = '';
    for await (const part of response) text += String(part);
    const events = [...text.matchAll(/^data: (.*)$/gm)].map(
      ([, json]) => JSON.parse(json!) as Record<string, unknown>,
    );
    const names = events.map(({ event }) => event);
    t.deepEqual(
      names.filter((name) => name === 'accepted' || name === 'connected' || name === 'ended'),
      ['accepted', 'connected', 'ended'],
    );
    t.like(
      events.find(({ event }) => event === 'ended'),
      { id: 1, sentBytes: 5, receivedBytes: 5, reason: 'eof' },
    );
    t.regex(String(events[0]?.['time']), /^\d{4}-.*Z$/);
  },
);

testInBoth(
  'a file is reloaded by its pairs: what was added goes, and what stays keeps its port',
  async (t, start) => {
    const [target, file] = [await startEcho(t), join(tempDir(t), 'tnet.json')];
    const web = { name: 'web', listen: '127.0.0.1:0', targets: [target] };
    const write = (...pairs: object[]) => writeFileSync(file, JSON.stringify({ pairs }));
    write(web);
    const { cli, ask } = await start(t, '--config', file);
    const { address } = (await ask('GET', '/v1/pairs/web')).body;
    await ask('POST', '/v1/pairs', {
      body: { name: 'guest', settings: { listen: '127.0.0.1:0', targets: [target] } },
    });
    write({ ...web, idle: '1h' }, { name: 'other', listen: '127.0.0.1:0', targets: [target] });
    cli.child.kill('SIGHUP');
    await cli.said(/reloaded, 2 pairs/);
    const { pairs } = (await ask('GET', '/v1/pairs')).body;
    t.like(pairs, [
      { name: 'web', address, settings: { idle: '1h' } },
      { name: 'other', isEnabled: true },
    ]);
  },
);

test('a path is a Unix socket for this user only, and is gone at the end', async (t) => {
  const path = join(tempDir(t), 'control');
  const { cli, ask } = await startControlled(t, '--control', path);
  t.is(statSync(path).mode & 0o7777, 0o600);
  t.is((await ask('GET', '/v1/totals')).status, 200);
  cli.child.kill('SIGTERM');
  await cli.exit;
  t.throws(() => statSync(path), { code: 'ENOENT' });
});

test('the control address is announced after those of the pairs, and no pair may lead to it', async (t) => {
  const target = await startEcho(t);
  const cli = startCli(t, ['proxy', '127.0.0.1:0', target, '--control', '127.0.0.1:0', '--ready-fd', '1']);
  const chunks: Buffer[] = [];
  cli.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await cli.said(/steered at/);
  while (!Buffer.concat(chunks).includes('\n', Buffer.concat(chunks).indexOf('\n') + 1))
    await once(cli.stdout, 'data');
  const [pair, control] = Buffer.concat(chunks).toString().trim().split('\n');
  t.is(pair, await cli.address());
  t.is((await askControl(control!, 'GET', '/v1/totals')).status, 200);
});

const usage: [string, string[], RegExp][] = [
  [
    'an address that others reach',
    ['--control', '0.0.0.0:0'],
    /other machines reach it: give --control-token-file and --control-allow/,
  ],
  [
    'the same with no list',
    ['--control', '0.0.0.0:0', '--control-token-file', 'TOKEN'],
    /give --control-token-file and --control-allow/,
  ],
  ['UDP', ['--control', 'udp://127.0.0.1:0'], /listens on TCP or a Unix socket/],
  [
    'a token without the address',
    ['--control-token-file', 'TOKEN', '127.0.0.1:0', '127.0.0.1:9'],
    /--control/,
  ],
  ['a short token', ['--control', '127.0.0.1:0', '--control-token-file', 'SHORT'], /at least 16 characters/],
  [
    'no file with a token',
    ['--control', '127.0.0.1:0', '--control-token-file', '/none'],
    /cannot be read \(ENOENT\)/,
  ],
  [
    'a list for a path',
    ['--control', '/tmp/no-such/c', '--control-allow', '127.0.0.1'],
    /a Unix socket has none/,
  ],
];
for (const [what, words, expected] of usage) {
  test(`proxy --control refuses ${what}`, async (t) => {
    const [token, short] = ['TOKEN', 'SHORT'].map((name) => join(tempDir(t), name));
    writeFileSync(token!, 'a token that is long enough'.replaceAll(' ', '-'));
    writeFileSync(short!, 'short\n');
    const files: Record<string, string> = { TOKEN: token!, SHORT: short! };
    const { code, stderr } = await runCli(t, ['proxy', ...words.map((word) => files[word] ?? word)]);
    t.regex(stderr, expected);
    t.is(code, 2);
  });
}

test('where a token is asked for, changes need it; elsewhere than on loopback reading needs it too', async (t) => {
  const path = join(tempDir(t), 'token');
  const token = 'correct-horse-battery';
  writeFileSync(path, `${token}\n`);
  const flags = ['--control-token-file', path, '--control-allow', '127.0.0.0/8'];
  for (const host of ['127.0.0.1', '0.0.0.0']) {
    const { address, cli } = await startControlled(t, '--control', `${host}:0`, ...flags);
    const place = address.replace('0.0.0.0', '127.0.0.1');
    const status = async (method: string, given?: string, more: Record<string, string> = {}) => {
      const headers = { ...(given !== undefined && { authorization: `Bearer ${given}` }), ...more };
      const url = method === 'GET' ? '/v1/totals' : '/v1/totals/reset';
      return (await askControl(place, method, url, { headers })).status;
    };
    t.is(await status('POST'), 401);
    t.is(await status('POST', token.slice(0, -1)), 401);
    t.is(await status('POST', `${token}x`), 401);
    t.is(await status('POST', token), 200);
    t.is(await status('GET'), host === '127.0.0.1' ? 200 : 401);
    t.is(await status('GET', token), 200);
    // Whoever has the token may use any name for the machine, but not from the page of another.
    t.is(await status('GET', token, { host: 'proxy.internal' }), 200);
    t.is(await status('GET', token, { origin: 'http://evil.example' }), 403);
    cli.child.kill('SIGTERM');
    await cli.exit;
  }
});

test('clients that --control-allow does not name are turned away before they say a word', async (t) => {
  const { cli, address } = await startControlled(
    t,
    '--control',
    '127.0.0.1:0',
    '--control-allow',
    '192.0.2.1',
  );
  t.is(await waitEnd(t, address), 'ECONNRESET');
  await cli.said(/refused 127\.0\.0\.1:\d+: not allowed/);
});

const attacks: [string, string, Record<string, string>, number][] = [
  ['a name that an attacker made resolve to this machine', 'GET', { host: 'evil.example' }, 403],
  ['that name with the port', 'POST', { host: 'evil.example:8474' }, 403],
  ['a name that only begins like an address', 'GET', { host: '127.0.0.1.evil.example' }, 403],
  ['a page of another origin', 'POST', { origin: 'http://evil.example' }, 403],
  ['a page of another port of this machine', 'POST', { origin: 'http://127.0.0.1:1' }, 403],
  ['a page without an origin', 'GET', { origin: 'null' }, 403],
  ['a browser that says that another site sent it', 'POST', { 'sec-fetch-site': 'cross-site' }, 403],
  ['another port of this machine', 'DELETE', { 'sec-fetch-site': 'same-site' }, 403],
  ['a form', 'POST', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
  ['a form with files', 'POST', { 'content-type': 'multipart/form-data; boundary=x' }, 415],
  ['a form of text that looks like JSON', 'POST', { 'content-type': 'text/plain' }, 415],
  ['a compressed body', 'POST', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, 415],
  ['a question of a browser before such a request', 'OPTIONS', { origin: 'http://evil.example' }, 403],
];
test('what a page of a browser can be made to send is refused', async (t) => {
  const { ask, address } = await startControlled(t);
  for (const [what, method, headers, status] of attacks) {
    const answer = await ask(method, '/v1/totals', { headers, ...(method === 'POST' && { body: '{}' }) });
    t.is(answer.status, status, `${what}: ${answer.text}`);
    t.is(answer.headers['access-control-allow-origin'], undefined);
  }
  for (const host of ['localhost:1', '127.0.0.1', '[::1]:80', address]) {
    t.is((await ask('GET', '/v1/totals', { headers: { host, origin: `http://${host}` } })).status, 200, host);
  }
});

test('a body that is too long is refused, whether its length is told or not', async (t) => {
  const { ask } = await startControlled(t);
  const body = JSON.stringify({ settings: 'x'.repeat(1024 * 1024) });
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }, { expect: '100-continue' }]) {
    const { status, body: error } = await ask('POST', '/v1/pairs', { body, headers });
    t.is(status, 413, JSON.stringify(headers));
    t.is(error.code, 'BODY_TOO_LARGE');
  }
  t.is((await ask('GET', '/v1/totals', { headers: { 'x-long': 'x'.repeat(20_000) } })).status, 431);
  t.is((await ask('GET', '/v1/totals')).status, 200);
});

testWith('curl')('the commands of docs/control.md work one after the other', async (t) => {
  const target = await startEcho(t);
  const { cli, address } = await startControlled(t);
  const page = readFileSync(new URL('../../../docs/control.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```sh\n([^]*?)```/g)].map(([, block = '']) => block);
  const commands = blocks.flatMap((block) => block.replaceAll('\\\n', ' ').trim().split('\n'));
  t.is(commands.shift(), 'tnet proxy --control 127.0.0.1:8474');
  t.true(commands.length >= 10);
  let client: Socket | undefined;
  for (const command of commands) {
    const isEndless = command.startsWith('curl -N');
    const own = command
      .replace(/^curl /, `curl -sS -w '%{http_code}' --fail-with-body --max-time ${isEndless ? 0.5 : 20} `)
      .replaceAll('127.0.0.1:8474', address)
      .replaceAll('127.0.0.1:5432', target);
    // What was open before is listed and reset.
    const { stdout } = await run('sh', ['-c', `${own}${isEndless ? ' || true' : ''}`]);
    t.regex(stdout, /20[01]$/, command);
    if (!client && command.includes('"db"')) {
      client = await connectPeer(t, await cli.address());
      client.on('error', () => undefined).write('hello');
      await once(client, 'data');
    }
  }
  if (!client!.closed) await new Promise((resolve) => client!.once('close', resolve));
  t.true(client!.closed);
});

test('over loopback without a token, no pair gets a program, a file or a descriptor that it did not have', async (t) => {
  const target = await startEcho(t);
  const { ask } = await startControlled(t, '-L', `127.0.0.1:0=${target}`, '-L', '127.0.0.2:0=exec:cat');
  const change = (path: string, settings: object) =>
    ask('PATCH', `/v1/pairs/${path}`, { body: { settings } });
  const add = (settings: object) => ask('POST', '/v1/pairs', { body: { name: 'new', settings } });
  const listen = '127.0.0.1:0';
  for (const [asked, subject] of [
    [add({ listen, targets: ['exec:id'] }), 'exec:id'],
    [add({ listen, targets: ['sh:id'] }), 'sh:id'],
    [add({ listen, targets: [target], route: ['proto:http=file:/etc/passwd'] }), 'file:/etc/passwd'],
    [add({ listen: 'fd:9', targets: [target] }), 'fd:9'],
    [change(listen, { targets: ['pty:sh'] }), 'pty:sh'],
    [change('127.0.0.2:0', { targets: ['exec:id'] }), 'exec:id'],
  ] as const) {
    const { status, body } = await asked;
    t.is(status, 403, subject);
    t.like(body, { code: 'TNET_E_EXPOSED' }, subject);
  }
  t.is((await change('127.0.0.2:0', { idle: '1m' })).status, 200);
});
