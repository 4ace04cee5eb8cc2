import test from 'ava';
import { Control } from '../../../src/control/control.ts';
import { answerToxiproxy } from '../../../src/control/toxiproxy/routes.ts';
import { toSteered } from '../../helpers/steering.ts';
import { Proxy } from '../../../commands/proxy/library.ts';

const proxy = '{"name":"a","listen":"127.0.0.1:0","upstream":"127.0.0.1:1","enabled":false}';

interface Case {
  readonly what: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly target?: string;
  readonly text?: string;
  readonly token?: string;
  readonly status: number;
  readonly error?: RegExp;
}

const form = { 'content-type': 'application/x-www-form-urlencoded' };

const cases: readonly Case[] = [
  { what: 'JSON', headers: { 'content-type': 'application/json' }, status: 201 },
  { what: 'JSON of a client that calls it a form', headers: { ...form, 'user-agent': 'Ruby' }, status: 201 },
  { what: 'JSON of a client that calls it nothing', status: 201 },
  {
    what: 'a text in place of a body',
    target: '/reset',
    headers: { 'content-type': 'text/plain' },
    text: '',
    status: 204,
  },
  {
    what: 'a form of a browser',
    headers: { ...form, 'user-agent': 'Mozilla/5.0' },
    status: 415,
    error: /JSON/,
  },
  {
    what: 'a form of another origin',
    headers: { ...form, origin: 'http://evil.test' },
    status: 403,
    error: /origin/,
  },
  {
    what: 'a form of a page without an origin',
    headers: { ...form, origin: 'null' },
    status: 403,
    error: /origin/,
  },
  {
    what: 'a form of this origin',
    headers: { ...form, origin: 'http://127.0.0.1:8474' },
    status: 415,
    error: /JSON/,
  },
  { what: 'a form for another interface', target: '/v1/pairs', headers: form, status: 415 },
  {
    what: 'a name that this machine has not',
    headers: { host: 'evil.test:8474' },
    status: 403,
    error: /name/,
  },
  { what: 'what is no JSON', text: '{', status: 400, error: /not JSON/ },
  { what: 'a path with half an escape', target: '/proxies/%e', status: 400, error: /escape/ },
  { what: 'a change without the token', token: 'a token of some length', status: 401, error: /token/ },
];

for (const { what, headers, target = '/proxies', text = proxy, token, status, error } of cases) {
  test(`${what} is answered with ${status}`, async (t) => {
    await using steered = new Proxy();
    const control = new Control({
      token,
      isPublic: false,
      host: '127.0.0.1',
      interfaces: [answerToxiproxy(toSteered(steered))],
      isEnding: () => false,
      report: (fault) => t.fail(fault.message),
    });
    const length = { 'content-length': String(Buffer.byteLength(text)) };
    const head = { method: 'POST', target, headers: { host: '127.0.0.1:8474', ...length, ...headers } };
    const answer = await control.answer(head, () => Promise.resolve(text));
    t.is(answer.status, status, JSON.stringify(answer.body));
    if (!error) return;
    const body = answer.body as { error: string };
    t.deepEqual(body, { error: body.error, status });
    t.regex(body.error, error);
  });
}
