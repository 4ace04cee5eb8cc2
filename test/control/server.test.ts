import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import { Control } from '../../src/control/control.ts';
import type { AnswerControl } from '../../src/control/request.ts';
import { serveControl, type ControlServerOptions } from '../../src/control/server.ts';
import { collectUntilClose } from '../helpers/bytes.ts';
import { askControl } from '../helpers/control.ts';

async function startControl(
  t: ExecutionContext,
  answer: AnswerControl,
  options: Partial<ControlServerOptions> = {},
): Promise<string> {
  const control = new Control({
    ...{ isPublic: false, host: '127.0.0.1', interfaces: [answer], isEnding: () => false },
    report: (fault) => t.log(fault.message),
  });
  const own = {
    control,
    refused: () => undefined,
    fail: (_: string, error: unknown) => t.log(String(error)),
  };
  const server = await serveControl({ kind: 'tcp', host: '127.0.0.1', port: 0 }, { ...own, ...options });
  t.teardown(() => server.close());
  return server.address;
}

const done: AnswerControl = () => Promise.resolve({ status: 204 });

function open(t: ExecutionContext, address: string): net.Socket {
  const socket = net.connect(Number(address.split(':')[1]), '127.0.0.1');
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  return socket;
}

for (const [what, text] of [
  ['does not finish its first lines', 'GET /v1/totals HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '],
  ['says nothing', ''],
] as const) {
  test(`a client that ${what} is cut off, and does not hold up the others`, async (t) => {
    const address = await startControl(t, done, { headersMs: 2_000 });
    const slow = open(t, address);
    slow.write(text);
    t.is((await askControl(address, 'GET', '/')).status, 204);
    const { bytes } = await collectUntilClose(slow);
    t.regex(bytes.toString(), /^HTTP\/1\.1 408 |^$/);
  });
}

test('a request is read with its path decoded, its query and its body', async (t) => {
  const seen: object[] = [];
  const address = await startControl(t, ({ method, path, query, text, body }) => {
    seen.push({ method, path, query: [...query], text, body });
    return Promise.resolve({ status: 200, body: { ok: true } });
  });
  const answer = await askControl(address, 'POST', '/a%2Fb/%C3%BC/?x=1&y=%20', { body: '{"z": [1]}' });
  t.deepEqual(answer.body, { ok: true });
  await askControl(address, 'GET', '/');
  t.deepEqual(seen, [
    {
      method: 'POST',
      path: ['a/b', 'ü'],
      query: [
        ['x', '1'],
        ['y', ' '],
      ],
      text: '{"z": [1]}',
      body: { z: [1] },
    },
    { method: 'GET', path: [], query: [], text: '', body: undefined },
  ]);
});

test('an exception of an interface is a fault of tnet, answered with 500', async (t) => {
  const address = await startControl(t, () => Promise.reject(new TypeError('oops')));
  const { status, body } = await askControl(address, 'GET', '/');
  t.is(status, 500);
  t.deepEqual(body, { code: 'TNET_E_INTERNAL', message: 'a fault of tnet: TypeError: oops' });
});

test('a reader who is gone ends the stream that it was given', async (t) => {
  const stream = new Readable({ read: () => undefined });
  stream.push('begin');
  const address = await startControl(t, () => Promise.resolve({ status: 200, body: stream }));
  const request = http.get(`http://${address}/`).on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  await once(response, 'data');
  request.destroy();
  await once(stream, 'close');
  t.true(stream.destroyed);
});

test('a stream that breaks does not look complete to its reader', async (t) => {
  const stream = new Readable({ read: () => undefined });
  stream.push('begin');
  const address = await startControl(t, () => Promise.resolve({ status: 200, body: stream }));
  // The request may hear of it as well.
  const request = http.get(`http://${address}/`).on('error', () => undefined);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  await once(response, 'data');
  stream.destroy();
  const [error] = (await once(response, 'error')) as [NodeJS.ErrnoException];
  t.is(error.code, 'ECONNRESET');
});

test('HEAD gets the first lines of GET, and a body that was not asked for is not sent', async (t) => {
  const address = await startControl(t, () => Promise.resolve({ status: 200, body: { a: 1 } }));
  const answer = await askControl(address, 'HEAD', '/');
  t.is(answer.headers['content-length'], '8');
  t.is(answer.text, '');
});
