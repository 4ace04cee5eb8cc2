import type net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { createTargetList, type TargetListOptions } from '../../../../src/access/target-list.ts';
import { parseEndpoint } from '../../../../src/address/parse.ts';
import { parseProxy } from '../../../../src/address/proxy-url.ts';
import { errorCode } from '../../../../src/errors.ts';
import type { ProxyHost } from '../../../../src/handlers/relay/host.ts';
import { connectNamed, type RequestRules } from '../../../../src/handlers/relay/request.ts';
import { createTargetRules } from '../../../../src/handlers/relay/targets/rules.ts';
import type { TargetDialing } from '../../../../src/handlers/relay/targets/upstream.ts';
import { Ledger } from '../../../../src/serve/ledger.ts';
import { startPeerServer } from '../../../helpers/peers.ts';
import { startSocks } from '../../../helpers/socks.ts';

const host: ProxyHost = {
  ledger: new Ledger(),
  emit: () => undefined,
  fail: () => undefined,
  signal: new AbortController().signal,
};

/** A resolver that gives each answer once, and the last one from then on. */
function answering(...answers: readonly (readonly string[])[]): net.LookupFunction {
  let asked = 0;
  return (_name, _options, done) => {
    const addresses = answers[Math.min(asked++, answers.length - 1)] ?? [];
    (done as (error: null, found: object[]) => void)(
      null,
      addresses.map((address) => ({ address, family: 4 })),
    );
  };
}

async function createRules(
  listen: string,
  lists: TargetListOptions,
  options: TargetDialing['options'],
): Promise<RequestRules> {
  const rules = createTargetRules(parseEndpoint(listen), undefined, await createTargetList(lists));
  return { rules, dial: { host, timeoutMs: 10_000, options } };
}

/** A server on every loopback address, and what becomes of a request for `name` at its port. */
async function startServer(t: ExecutionContext) {
  const seen: (string | undefined)[] = [];
  const { words, server } = await startPeerServer(t, 'tcp', (socket) => {
    seen.push(socket.localAddress);
    socket.resume();
  });
  server.close();
  server.listen(Number(words[1]), '0.0.0.0');
  const port = Number(words[1]);
  const request = async (rules: RequestRules, name: string) => {
    try {
      const socket = await connectNamed({ host: name, port }, rules, { listener: 'x' });
      const { remoteAddress } = socket;
      socket.destroy();
      return remoteAddress;
    } catch (error) {
      return errorCode(error);
    }
  };
  return { port, seen, request };
}

test('a name that is rebound to a denied address between two requests is not followed there', async (t) => {
  const { seen, request } = await startServer(t);
  const lookup = answering(['127.0.0.1'], ['127.0.0.2'], ['127.0.0.1']);
  const rules = await createRules('127.0.0.1:1', { deny: ['127.0.0.2'] }, { lookup });
  t.is(await request(rules, 'a.example'), '127.0.0.1');
  t.is(await request(rules, 'a.example'), 'TNET_E_DENIED');
  t.is(await request(rules, 'a.example'), '127.0.0.1');
  t.false(seen.includes('127.0.0.2'));
});

test('an allowed name does not open a denied address, and of several addresses only those allowed are tried', async (t) => {
  const { seen, request } = await startServer(t);
  const lists = { allow: ['*.example'], deny: ['127.0.0.2'] };
  const both = await createRules('127.0.0.1:1', lists, { lookup: answering(['127.0.0.2', '127.0.0.1']) });
  t.is(await request(both, 'a.example'), '127.0.0.1');
  const one = await createRules('127.0.0.1:1', lists, { lookup: answering(['127.0.0.2']) });
  t.is(await request(one, 'a.example'), 'TNET_E_DENIED');
  t.deepEqual([...new Set(seen)], ['127.0.0.1']);
});

test('what other machines may not reach by default is opened by an entry for just that, and by nothing else', async (t) => {
  const { port, request } = await startServer(t);
  const lookup = answering(['127.0.0.1']);
  for (const [allow, result] of [
    [['*'], 'TNET_E_DENIED'],
    [['a.example'], 'TNET_E_DENIED'],
    [['0.0.0.0/0'], 'TNET_E_DENIED'],
    [['special'], 'TNET_E_DENIED'],
    [['127.0.0.2'], 'TNET_E_DENIED'],
    [[`loopback:${port === 1 ? 2 : 1}`], 'TNET_E_DENIED'],
    [['loopback'], '127.0.0.1'],
    [[`127.0.0.1:${port}`], '127.0.0.1'],
    [['a.example', '127.0.0.0/8'], '127.0.0.1'],
  ] as const) {
    const rules = await createRules('0.0.0.0:1', { allow }, { lookup });
    t.is(await request(rules, 'a.example'), result, allow.join(' '));
  }
  const denied = await createRules('0.0.0.0:1', { allow: ['loopback'], deny: ['127.0.0.1'] }, { lookup });
  t.is(await request(denied, 'a.example'), 'TNET_E_DENIED');
});

test('a name that is denied is not looked up', async (t) => {
  const { request } = await startServer(t);
  const lookup: net.LookupFunction = () => t.fail('it was looked up');
  for (const lists of [{ deny: ['*.example'] }, { allow: ['b.example'] }]) {
    const rules = await createRules('127.0.0.1:1', lists, { lookup });
    t.is(await request(rules, 'a.example'), 'TNET_E_DENIED');
  }
});

test('through other proxies, names are judged as names, and refused where their address would have to be known', async (t) => {
  const { request } = await startServer(t);
  const socks = await startSocks(t);
  const proxies = [parseProxy(`socks5://127.0.0.1:${socks.port}`)];
  for (const [lists, name, isAsked] of [
    [{ allow: ['*.example'] }, 'a.example', true],
    [{ allow: ['*.example'] }, 'a.test.com', false],
    [{ allow: ['10.0.0.0/8'] }, 'a.example', false],
    [{ deny: ['private'] }, 'a.example', false],
    [{ deny: ['private'] }, '127.0.0.1', true],
    [{ deny: ['loopback'] }, '127.0.0.1', false],
    [{ deny: ['loopback'] }, 'localhost', false],
    [{ deny: ['private:1'] }, 'a.example', true],
  ] as const) {
    const rules = await createRules('127.0.0.1:1', lists, { proxies });
    socks.requests.length = 0;
    const result = await request(rules, name);
    t.is(socks.requests.length, isAsked ? 1 : 0, `${JSON.stringify(lists)} ${name}`);
    t.is(result === 'TNET_E_DENIED', !isAsked, `${JSON.stringify(lists)} ${name}: ${result ?? ''}`);
  }
});
