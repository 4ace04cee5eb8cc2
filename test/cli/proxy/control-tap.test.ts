import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ask as exchange } from '../../helpers/bytes.ts';
import { askControl, startControlled, testInBoth } from '../../helpers/control.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';

const token = 'a-token-of-many-letters';

/** A steered proxy before an echo server, with a client that has had one answer. */
async function startTapped(t: ExecutionContext, start = startControlled, ...words: string[]) {
  const server = net.createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  t.teardown(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const target = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const { cli, address } = await start(t, ...words, '127.0.0.1:0', target);
  const client = net.connect(await cli.port(), '127.0.0.1');
  t.teardown(() => client.destroy());
  await exchange(client, 'first', 5);
  return { address, client };
}

/** Begins to read an answer that goes on. */
async function open(address: string, path: string, headers: http.OutgoingHttpHeaders = {}) {
  const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
  const request = http.get({ host, port, path, headers, agent: false });
  request.on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return response;
}

testInBoth('a connection is tapped over HTTP from then on, and the tap ends with it', async (t, start) => {
  const { address, client } = await startTapped(t, start);
  const response = await open(address, '/v1/connections/1/tap');
  t.is(response.headers['content-type'], 'text/event-stream');
  const text = response.setEncoding('utf8').toArray();
  await exchange(client, 'second', 6);
  client.end();
  const events = ((await text) as string[])
    .join('')
    .split('\n\n')
    .filter((part) => part.startsWith('data: '))
    .map((part) => JSON.parse(part.slice(6)) as Record<string, unknown>);
  t.deepEqual(
    events.map(({ event, direction, offset }) => [event, direction, offset]),
    [
      ['open', undefined, undefined],
      ['data', 'up', 5],
      ['data', 'down', 5],
      ['end', 'up', undefined],
      ['end', 'down', undefined],
      ['close', undefined, undefined],
    ],
  );
});

testInBoth(
  'a recording of one connection is downloaded, and tshark reads what passed',
  async (t, start) => {
    t.timeout(60_000);
    const { address, client } = await startTapped(t, start);
    const response = await open(address, '/v1/connections/1/recording');
    t.is(response.headers['content-type'], 'application/x-pcapng');
    t.is(response.headers['content-disposition'], 'attachment; filename="connection-1.pcapng"');
    const parts = response.toArray();
    await exchange(client, 'second', 6);
    client.end();
    const file = join(tempDir(t), 'connection.pcapng');
    writeFileSync(file, Buffer.concat((await parts) as Buffer[]));
    const fields = ['-T', 'fields', '-e', 'tcp.payload'];
    const said = execFileSync('tshark', ['-r', file, '-Y', 'tcp.len > 0', ...fields], { stdio: 'pipe' });
    const second = Buffer.from('second').toString('hex');
    t.deepEqual(said.toString().trim().split('\n'), [second, second]);
    const notes = execFileSync('tshark', ['-r', file, '-T', 'fields', '-e', 'frame.comment'], {
      stdio: 'pipe',
    });
    t.regex(notes.toString(), /recorded after 5 bytes from the client and 5 from the target/);
  },
  testWith('tshark'),
);

testInBoth('a recording ends after durationMs, and what is no time is refused', async (t, start) => {
  const { address } = await startTapped(t, start);
  const response = await open(address, '/v1/connections/1/recording?durationMs=50');
  const file = Buffer.concat((await response.toArray()) as Buffer[]);
  t.true(response.complete);
  t.is(file.readUInt32LE(0), 0x0a0d0d0a);
  for (const written of ['0', '1.5', 'x', '']) {
    const { status, body } = await askControl(
      address,
      'GET',
      `/v1/connections/1/recording?durationMs=${written}`,
    );
    t.deepEqual([status, body.subject], [400, '?durationMs'], written);
  }
});

for (const view of ['tap', 'recording'])
  testInBoth(
    `${view}: what is no open connection is answered with 404, and HEAD without a body`,
    async (t, start) => {
      const { address } = await startTapped(t, start);
      const { status, body } = await askControl(address, 'GET', `/v1/connections/99/${view}`);
      t.deepEqual([status, body.code], [404, 'TNET_E_UNKNOWN_NAME']);
      const head = await askControl(address, 'HEAD', `/v1/connections/1/${view}`);
      t.deepEqual([head.status, head.text], [200, '']);
      const { headers } = await askControl(address, 'POST', `/v1/connections/1/${view}`, { body: {} });
      t.is(headers.allow, 'GET');
    },
  );

test('where there is a token, the bytes of a connection are shown to nobody without it', async (t) => {
  const file = join(tempDir(t), 'token');
  writeFileSync(file, token);
  const { address } = await startTapped(t, startControlled, '--control-token-file', file);
  for (const path of ['/v1/connections/1/tap', '/v1/connections/1/recording', '/v1/connections/1/%74ap']) {
    t.is((await askControl(address, 'GET', path)).status, 401, path);
  }
  const headers = { authorization: `Bearer ${token}` };
  const { status } = await askControl(address, 'GET', '/v1/connections/1/recording?durationMs=1', {
    headers,
  });
  t.is(status, 200);
  t.is((await askControl(address, 'GET', '/v1/connections')).status, 200);
});

test('a wrong token is refused also where none is needed', async (t) => {
  const file = join(tempDir(t), 'token');
  writeFileSync(file, token);
  const { address } = await startTapped(t, startControlled, '--control-token-file', file);
  const headers = { authorization: 'Bearer another-token' };
  t.is((await askControl(address, 'GET', '/v1/pairs', { headers })).status, 401);
});

test('the live page is there, with a strict policy, for everyone who reaches the address; the rest needs the token', async (t) => {
  const file = join(tempDir(t), 'token');
  writeFileSync(file, token);
  const words = ['--control', '0.0.0.0:0', '--control-allow', '127.0.0.1', '--control-token-file', file];
  const { address: bound } = await startTapped(t, startControlled, ...words);
  const address = bound.replace('0.0.0.0', '127.0.0.1');
  for (const path of ['/', '/page.css', '/page.js']) {
    const { status, headers, text } = await askControl(address, 'GET', path, {
      headers: { host: 'a.example' },
    });
    t.is(status, 200, path);
    t.true(text.length > 1000, path);
    t.regex(String(headers['content-security-policy']), /^default-src 'none'; script-src 'self'; /);
    t.is(headers['x-content-type-options'], 'nosniff');
    t.is(headers['cache-control'], 'no-store');
  }
  t.regex((await askControl(address, 'GET', '/')).text, /<body data-token="always">/);
  t.is((await askControl(address, 'GET', '/v1/pairs')).status, 401);
  t.is((await askControl(address, 'POST', '/', { body: {} })).status, 401);
});
