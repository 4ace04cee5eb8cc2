/**
 * Requests to toxiproxy's interface, one after the other, with their answers. `%1` to `%9` are free ports; in answers, a
 * port that the system has chosen is `%0`. Of the reason why a body cannot be read, only the beginning is said.
 */
export interface ToxiproxyCall {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
  readonly status: number;
  /** Undefined: a body that is no JSON, or none. */
  readonly answer?: unknown;
  /** What toxiproxy answers, where tnet answers otherwise on purpose. */
  readonly theirs?: { readonly status?: number; readonly answer?: unknown };
}

const upstream = 'localhost:20001';
const failed = (status: number, error: string) => ({ status, answer: { error, status } });
const unreadable = failed(400, 'bad request body: …');
const noProxy = failed(404, 'proxy not found');
const noToxic = failed(404, 'toxic not found');

const proxy = (name: string, listen: string, more = {}) => ({
  name,
  listen,
  upstream,
  enabled: true,
  toxics: [],
  ...more,
});
const toxic = (type: string, attributes: object, more = {}) => ({
  attributes,
  name: `${type}_downstream`,
  type,
  stream: 'downstream',
  toxicity: 1,
  ...more,
});

const proxies = '/proxies';
const toxics = '/proxies/a/toxics';
const added = (type: string, attributes: object): ToxicToAdd => ({
  method: 'POST',
  path: toxics,
  body: { type, attributes },
  status: 200,
  answer: toxic(type, attributes),
});
type ToxicToAdd = ToxicCallOf<'POST'>;
type ToxicCallOf<Method extends string> = ToxiproxyCall & { readonly method: Method };

const creation: readonly ToxiproxyCall[] = [
  { method: 'GET', path: proxies, status: 200, answer: {} },
  { method: 'POST', path: proxies, ...unreadable },
  { method: 'POST', path: proxies, body: [], ...unreadable },
  { method: 'POST', path: proxies, body: { name: 5 }, ...unreadable },
  { method: 'POST', path: proxies, body: { name: '' }, ...failed(400, 'missing required field: name') },
  { method: 'POST', path: proxies, body: { name: 'x' }, ...failed(400, 'missing required field: upstream') },
  {
    method: 'POST',
    path: proxies,
    body: { name: 'a', listen: 'localhost:0', upstream },
    status: 201,
    answer: proxy('a', '127.0.0.1:%0'),
  },
  {
    method: 'POST',
    path: proxies,
    body: { name: 'a', listen: 'localhost:0', upstream },
    ...failed(409, 'proxy already exists'),
  },
  {
    method: 'POST',
    path: proxies,
    body: { name: 'b', listen: 'localhost:%1', upstream, enabled: false },
    status: 201,
    answer: proxy('b', 'localhost:%1', { enabled: false }),
  },
  // A free port of loopback, in place of one of every address.
  {
    method: 'POST',
    path: proxies,
    body: { name: 'c', upstream },
    status: 201,
    answer: proxy('c', '127.0.0.1:%0'),
    theirs: { answer: proxy('c', '[::]:%0') },
  },
  {
    method: 'POST',
    path: proxies,
    body: { name: 'd', listen: ':%2', upstream },
    status: 201,
    answer: proxy('d', '[::]:%2'),
  },
  {
    method: 'POST',
    path: proxies,
    body: { name: 'e', listen: '127.0.0.1:%3', upstream },
    status: 201,
    answer: proxy('e', '127.0.0.1:%3'),
  },
  {
    method: 'POST',
    path: proxies,
    body: { name: 'f', listen: '127.0.0.1:%3', upstream },
    ...failed(500, 'listen tcp 127.0.0.1:%3: bind: address already in use'),
  },
  // What cannot be an address is the client's mistake.
  {
    method: 'POST',
    path: proxies,
    body: { name: 'f', listen: '127.0.0.1:99999', upstream },
    status: 400,
    theirs: { status: 500 },
  },
  { method: 'GET', path: '/proxies/e', status: 200, answer: proxy('e', '127.0.0.1:%3') },
  { method: 'GET', path: '/proxies/f', ...noProxy },
];

const change: readonly ToxiproxyCall[] = [
  {
    method: 'PATCH',
    path: '/proxies/b',
    body: { enabled: true },
    status: 200,
    answer: proxy('b', '127.0.0.1:%1'),
  },
  {
    method: 'PATCH',
    path: '/proxies/b',
    body: { enabled: false },
    status: 200,
    answer: proxy('b', '127.0.0.1:%1', { enabled: false }),
  },
  {
    method: 'POST',
    path: '/proxies/b',
    body: { upstream: 'localhost:20002' },
    status: 200,
    answer: proxy('b', '127.0.0.1:%1', { enabled: false, upstream: 'localhost:20002' }),
  },
  {
    method: 'POST',
    path: '/proxies/b',
    body: { name: 'other', listen: 'localhost:%4', upstream, enabled: true },
    status: 200,
    answer: proxy('b', '127.0.0.1:%4'),
  },
  {
    method: 'POST',
    path: '/proxies/b',
    body: { listen: 'localhost:%4' },
    status: 200,
    answer: proxy('b', '127.0.0.1:%4'),
  },
  { method: 'POST', path: '/proxies/b', ...unreadable },
  { method: 'POST', path: '/proxies/b', body: { enabled: 'yes' }, ...unreadable },
  { method: 'PATCH', path: '/proxies/f', body: { enabled: true }, ...noProxy },
  { method: 'DELETE', path: '/proxies/e', status: 204 },
  { method: 'DELETE', path: '/proxies/e', ...noProxy },
  { method: 'PUT', path: '/proxies/b', status: 405 },
  { method: 'DELETE', path: proxies, status: 405 },
];

const latencyUp = (attributes: object, toxicity: number) =>
  toxic('latency', attributes, { name: 'latency_upstream', stream: 'upstream', toxicity });

const toxicCalls: readonly ToxiproxyCall[] = [
  { method: 'GET', path: toxics, status: 200, answer: [] },
  {
    method: 'POST',
    path: toxics,
    body: { type: 'latency' },
    status: 200,
    answer: toxic('latency', { latency: 0, jitter: 0 }),
  },
  { method: 'POST', path: toxics, body: { type: 'latency' }, ...failed(409, 'toxic already exists') },
  {
    method: 'POST',
    path: toxics,
    body: {
      type: 'latency',
      stream: 'upstream',
      toxicity: 0.2,
      attributes: { latency: 100, jitter: 10, unknown: 1 },
    },
    status: 200,
    answer: latencyUp({ latency: 100, jitter: 10 }, 0.2),
  },
  // Of another type or stream, but of the same name.
  {
    method: 'POST',
    path: toxics,
    body: { name: 'latency_upstream', type: 'slow_close' },
    ...failed(409, 'toxic already exists'),
  },
  {
    method: 'POST',
    path: toxics,
    body: { name: 'odd', type: 'latency', attributes: { latency: 1.5 } },
    ...unreadable,
  },
  {
    method: 'POST',
    path: toxics,
    body: { name: 'odd', type: 'latency', attributes: { latency: '1' } },
    ...unreadable,
  },
  {
    method: 'POST',
    path: toxics,
    body: { name: 'odd', type: 'latency', attributes: { latency: -1 } },
    ...unreadable,
    theirs: {
      status: 200,
      answer: toxic('latency', { latency: -1, jitter: 0 }, { name: 'odd' }),
    },
  },
  { method: 'DELETE', path: `${toxics}/odd`, ...noToxic, theirs: { status: 204, answer: undefined } },
  {
    method: 'POST',
    path: toxics,
    body: { type: 'latency', stream: 'sideways' },
    ...failed(400, 'stream was invalid, can be either upstream or downstream'),
  },
  { method: 'POST', path: toxics, body: { type: 'down' }, ...failed(400, 'invalid toxic type') },
  { method: 'POST', path: toxics, body: {}, ...failed(400, 'invalid toxic type') },
  added('bandwidth', { rate: 64 }),
  added('slow_close', { delay: 20 }),
  added('timeout', { timeout: 30 }),
  added('reset_peer', { timeout: 40 }),
  added('slicer', { average_size: 50, size_variation: 5, delay: 60 }),
  added('limit_data', { bytes: 70 }),
  added('noop', {}),
  {
    method: 'GET',
    path: toxics,
    status: 200,
    answer: [
      latencyUp({ latency: 100, jitter: 10 }, 0.2),
      toxic('latency', { latency: 0, jitter: 0 }),
      toxic('bandwidth', { rate: 64 }),
      toxic('slow_close', { delay: 20 }),
      toxic('timeout', { timeout: 30 }),
      toxic('reset_peer', { timeout: 40 }),
      toxic('slicer', { average_size: 50, size_variation: 5, delay: 60 }),
      toxic('limit_data', { bytes: 70 }),
      toxic('noop', {}),
    ],
  },
  {
    method: 'GET',
    path: `${toxics}/timeout_downstream`,
    status: 200,
    answer: toxic('timeout', { timeout: 30 }),
  },
  { method: 'GET', path: `${toxics}/none`, ...noToxic },
  {
    method: 'PATCH',
    path: `${toxics}/latency_upstream`,
    body: { toxicity: 0.5, attributes: { latency: 1000 } },
    status: 200,
    answer: latencyUp({ latency: 1000, jitter: 10 }, 0.5),
  },
  // What it is and where it is stays.
  {
    method: 'POST',
    path: `${toxics}/latency_upstream`,
    body: { name: 'other', type: 'timeout', stream: 'downstream', attributes: { jitter: 3 } },
    status: 200,
    answer: latencyUp({ latency: 1000, jitter: 3 }, 0.5),
  },
  { method: 'PATCH', path: `${toxics}/none`, body: {}, ...noToxic },
  { method: 'DELETE', path: `${toxics}/latency_upstream`, status: 204 },
  { method: 'DELETE', path: `${toxics}/latency_upstream`, ...noToxic },
  { method: 'GET', path: '/proxies/f/toxics', ...noProxy },
  { method: 'POST', path: '/proxies/f/toxics', body: { type: 'latency' }, ...noProxy },
  { method: 'DELETE', path: '/proxies/f/toxics/x', ...noProxy },
];

const one = { name: 'one', listen: 'localhost:%5', upstream };
const slow = toxic('latency', { latency: 0, jitter: 0 });

const populating: readonly ToxiproxyCall[] = [
  {
    method: 'POST',
    path: '/populate',
    body: [],
    status: 201,
    answer: { proxies: [] },
    theirs: { answer: { proxies: null } },
  },
  {
    method: 'POST',
    path: '/populate',
    body: [one, { name: '', upstream }],
    status: 400,
    answer: { error: 'missing required field: name at proxy 2', status: 400, proxies: [] },
    theirs: { answer: { error: 'missing required field: name at proxy 2', status: 400, proxies: null } },
  },
  { method: 'GET', path: '/proxies/one', ...noProxy },
  {
    method: 'POST',
    path: '/populate',
    body: [one, { ...one, name: 'two' }, { name: 'three', listen: 'localhost:%6', upstream }],
    status: 500,
    answer: {
      error: 'listen tcp 127.0.0.1:%5: bind: address already in use',
      status: 500,
      proxies: [proxy('one', '127.0.0.1:%5')],
    },
  },
  { method: 'GET', path: '/proxies/three', ...noProxy },
  { method: 'POST', path: '/proxies/one/toxics', body: { type: 'latency' }, status: 200, answer: slow },
  {
    method: 'POST',
    path: '/populate',
    body: [one, { name: 'four', listen: 'localhost:%7', upstream, enabled: false }],
    status: 201,
    answer: {
      proxies: [
        proxy('one', '127.0.0.1:%5', { toxics: [slow] }),
        proxy('four', 'localhost:%7', { enabled: false }),
      ],
    },
  },
  {
    method: 'POST',
    path: '/populate',
    body: [{ ...one, upstream: 'localhost:20002' }],
    status: 201,
    answer: { proxies: [proxy('one', '127.0.0.1:%5', { upstream: 'localhost:20002' })] },
  },
  { method: 'GET', path: '/populate', status: 405 },
  { method: 'POST', path: '/reset', status: 204 },
  {
    method: 'GET',
    path: proxies,
    status: 200,
    answer: {
      a: proxy('a', '127.0.0.1:%0'),
      b: proxy('b', '127.0.0.1:%4'),
      c: proxy('c', '127.0.0.1:%0'),
      d: proxy('d', '[::]:%2'),
      one: proxy('one', '127.0.0.1:%5', { upstream: 'localhost:20002' }),
      four: proxy('four', '127.0.0.1:%7'),
    },
    theirs: {
      answer: {
        a: proxy('a', '127.0.0.1:%0'),
        b: proxy('b', '127.0.0.1:%4'),
        c: proxy('c', '[::]:%0'),
        d: proxy('d', '[::]:%2'),
        one: proxy('one', '127.0.0.1:%5', { upstream: 'localhost:20002' }),
        four: proxy('four', '127.0.0.1:%7'),
      },
    },
  },
  { method: 'GET', path: '/reset', status: 405 },
];

export const toxiproxyCalls: readonly ToxiproxyCall[] = [
  ...creation,
  ...change,
  ...toxicCalls,
  ...populating,
];

/** Puts ports in the place of `%1` to `%9`. */
export function withPorts(value: unknown, ports: readonly number[]): unknown {
  const text = JSON.stringify(value) as string | undefined;
  return text === undefined
    ? undefined
    : JSON.parse(text.replace(/%([1-9])/g, (_all, nth) => String(ports[Number(nth) - 1])));
}

/** Writes an answer as the calls above have it. */
export function withoutPorts(answer: unknown, ports: readonly number[]): unknown {
  const text = JSON.stringify(answer) as string | undefined;
  if (text === undefined) return undefined;
  return JSON.parse(
    text
      .replace(/:(\d+)(?=[":])/g, (all, port) => {
        const nth = ports.indexOf(Number(port));
        return nth >= 0 ? `:%${nth + 1}` : Number(port) >= 20_000 && Number(port) <= 20_002 ? all : ':%0';
      })
      .replace(/bad request body: [^"\\]*(?:\\.[^"\\]*)*/g, 'bad request body: …')
      // Recent versions of toxiproxy show a field by mistake.
      .replaceAll('"Logger":{},', ''),
  );
}
