import { Readable } from 'node:stream';
import type { ExecutionContext } from 'ava';
import { createRandom } from '../../src/transform/random.ts';
import { createSteeredWorld } from './steering.ts';

const statuses = [200, 201, 204, 400, 401, 403, 404, 405, 409, 413, 415, 429, 503];
const methods = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'PUT', 'OPTIONS'];
const names = [
  'a',
  'b',
  'c',
  '127.0.0.1:0',
  'latency',
  'limit',
  '',
  ' ',
  '%20',
  '%2F',
  '%',
  '..',
  'ü',
  '__proto__',
  '0',
  '1',
  '\0',
  'toxics',
  'constructor',
];
const shapes = [
  ...[
    '/v1/pairs',
    '/v1/pairs/N',
    '/v1/pairs/N/faults',
    '/v1/pairs/N/faults/N',
    '/v1/pairs/N/targets',
    '/v1/pairs/N/targets/N',
  ],
  ...[
    '/v1/connections',
    '/v1/connections/N',
    '/v1/connections/N/tap',
    '/v1/connections/N/recording',
    '/page.js',
    '/v1/totals',
    '/v1/totals/reset',
    '/v1/events',
    '/',
    '//',
    '/v1',
    '/N/N',
    'N',
    '*',
  ],
  ...[
    '/proxies',
    '/proxies/N',
    '/proxies/N/toxics',
    '/proxies/N/toxics/N',
    '/populate',
    '/reset',
    '/version',
    '/metrics',
  ],
];
const kinds = [
  'latency',
  'bandwidth',
  'slice',
  'slow-close',
  'limit',
  'timeout',
  'reset',
  'corrupt',
  'blackhole',
  'slow_close',
  'reset_peer',
  'slicer',
  'limit_data',
];
const members = [
  ...['name', 'settings', 'isEnabled', 'cut', 'fault', 'direction', 'toxicity', 'group', 'before', 'kind'],
  ...['delayMs', 'jitterMs', 'bytesPerSecond', 'bytes', 'variationBytes', 'afterMs', 'share', 'from'],
  ...[
    'listen',
    'targets',
    'latency',
    'idle',
    'allow',
    'deny',
    'maxConnections',
    'rate',
    'balance',
    'health',
    'seed',
  ],
  ...[
    'upstream',
    'enabled',
    'type',
    'stream',
    'attributes',
    'jitter',
    'rate',
    'timeout',
    'size_variation',
    '__proto__',
    'toString',
  ],
];

/**
 * Sends so many drawn requests to what answers a control address, over a real proxy. Each is answered, with a status and a
 * body that the interface has, and none is a fault of tnet. The same seed draws the same requests.
 */
export async function fuzzControl(t: ExecutionContext, requests: number, seed: number): Promise<void> {
  const random = createRandom(seed);
  const world = createSteeredWorld(t);
  const upTo = (count: number) => Math.floor(random() * count);
  const pick = <Value>(values: readonly Value[]): Value => values[upTo(values.length)] as Value;
  const isOne = (of: number) => upTo(of) === 0;

  const drawValue = (depth: number): unknown => {
    switch (upTo(depth > 0 ? 12 : 8)) {
      case 0:
        return null;
      case 1:
        return isOne(2);
      case 2:
        return pick([0, 1, -1, 0.5, 1e9, 1e308, 2 ** 53, 3]);
      case 3:
        return pick(names);
      case 4:
        return pick(kinds);
      case 5:
        return pick([
          '127.0.0.1:9',
          '127.0.0.1:0',
          'udp://127.0.0.1:9',
          '/nowhere/s',
          '5s',
          '10/s',
          'up',
          'down',
          'both',
          '',
        ]);
      case 6:
        return 'x'.repeat(upTo(300));
      case 7:
        return String.fromCharCode(upTo(0x300));
      case 8:
      case 9:
        return Array.from({ length: upTo(4) }, () => drawValue(depth - 1));
      default:
        return drawObject(depth);
    }
  };
  const drawObject = (depth: number): object =>
    JSON.parse(
      `{${Array.from({ length: upTo(5) }, () => `${JSON.stringify(pick(members))}:${JSON.stringify(drawValue(depth - 1))}`).join()}}`,
    ) as object;
  const drawSettings = () => ({
    listen: '127.0.0.1:0',
    targets: ['127.0.0.1:9', ...(isOne(2) ? ['127.0.0.1:8'] : [])],
    ...(isOne(2) && drawObject(1)),
  });
  /** Mostly what is right, so that there is something to steer. */
  const drawBody = (): unknown => {
    switch (upTo(7)) {
      case 0:
        return { name: pick(names), settings: drawSettings(), isEnabled: isOne(50) };
      case 1:
        return {
          name: pick(names),
          fault: { kind: pick(kinds), delayMs: upTo(9), bytes: 1 + upTo(9), ...drawObject(1) },
        };
      case 2:
        return { fault: { ...drawObject(1), kind: pick(kinds) }, toxicity: random() };
      case 3:
        return { settings: drawObject(2), isEnabled: isOne(50), cut: isOne(2) };
      case 4:
        return {
          name: pick(names),
          listen: '127.0.0.1:0',
          upstream: '127.0.0.1:9',
          enabled: isOne(50),
          ...(isOne(4) && drawObject(1)),
        };
      case 5:
        return {
          type: pick(kinds),
          name: pick(names),
          stream: pick(['upstream', 'downstream', 'both', 'x']),
          attributes: drawObject(1),
        };
      default:
        return drawValue(3);
    }
  };
  const drawText = (): string | undefined => {
    if (isOne(4)) return undefined;
    const text = JSON.stringify(drawBody());
    return isOne(20) ? text.slice(0, upTo(text.length)) : text;
  };
  const drawHeaders = (): object => {
    if (!isOne(20)) return {};
    return {
      [pick([
        'host',
        'origin',
        'content-type',
        'authorization',
        'sec-fetch-site',
        'content-length',
        'user-agent',
        'content-encoding',
      ])]: pick([
        ...[
          '',
          'evil.example',
          '127.0.0.1',
          'localhost:1',
          '[::1',
          '[::1]:9',
          'text/plain',
          'application/json',
          'null',
        ],
        ...['-1', '1e9', 'NaN', 'Mozilla/5.0', 'Bearer x', 'same-site', 'http://127.0.0.1:8474', 'gzip'],
      ]),
    };
  };
  /** One that makes sense, or nearly. */
  const drawSensible = (): [method: string, target: string, body: unknown] => {
    const [pair, fault] = [pick(['a', 'b', 'c']), pick(['d', 'e'])];
    const faults = `/v1/pairs/${pair}/faults`;
    switch (upTo(12)) {
      case 0:
      case 1:
        return ['POST', '/v1/pairs', { name: pair, settings: drawSettings(), isEnabled: isOne(50) }];
      case 2:
        return ['DELETE', `/v1/pairs/${pair}`, undefined];
      case 3:
        return ['PATCH', `/v1/pairs/${pair}`, { settings: drawObject(1), isEnabled: isOne(50) }];
      case 4:
        return ['POST', faults, { name: fault, fault: drawFault(), toxicity: random() }];
      case 5:
        return ['PATCH', `${faults}/${fault}`, { fault: drawFault() }];
      case 6:
        return ['DELETE', `${faults}/${fault}`, undefined];
      case 7:
        return ['PATCH', `/v1/pairs/${pair}/targets/127.0.0.1:9`, { isEnabled: isOne(2) }];
      case 8:
        return [
          'POST',
          '/proxies',
          { name: pair, listen: '127.0.0.1:0', upstream: '127.0.0.1:9', enabled: isOne(50) },
        ];
      case 9:
        return [
          'POST',
          `/proxies/${pair}/toxics`,
          { name: fault, type: pick(kinds), attributes: { latency: upTo(9) } },
        ];
      case 10:
        return [
          'POST',
          `/proxies/${pair}/toxics/${fault}`,
          { attributes: drawObject(1), toxicity: random() },
        ];
      default:
        return [
          'GET',
          pick([`/v1/pairs/${pair}`, '/v1/pairs', `/proxies/${pair}/toxics`, '/proxies', '/metrics']),
          undefined,
        ];
    }
  };
  const drawFault = () =>
    pick([
      { kind: 'latency', delayMs: upTo(100), jitterMs: upTo(9) },
      { kind: 'bandwidth', bytesPerSecond: upTo(1000) },
      { kind: 'slice', bytes: upTo(9) },
      { kind: 'reset', afterMs: upTo(9), from: pick(['start', 'first-byte', 'x']) },
      { kind: pick(kinds) },
    ]);
  const drawAny = (): [method: string, target: string, body: unknown] => {
    const method = pick(methods);
    const query = isOne(10) ? `?${pick(['cut', 'cut=true', 'cut=x', 'pair=a', 'pair=%', '='])}` : '';
    const target = pick(shapes).replaceAll('N', () => pick(names)) + query;
    return [method, target, method === 'GET' && !isOne(5) ? undefined : drawText()];
  };
  for (let nth = 0; nth < requests; nth++) {
    const [method, target, text] = isOne(2) ? drawSensible() : drawAny();
    const { status, body } = await world.ask(method, target, text, drawHeaders());
    if (body instanceof Readable) body.destroy();
    // What went wrong is told only then: a text for each request takes longer than its answer.
    const isRight =
      (statuses.includes(status) || isPortTaken(body)) && world.faults.length === 0 && isShown(body);
    if (isRight) continue;
    t.fail(
      `request ${nth} of seed ${seed}: ${method} ${target} ${JSON.stringify(text)} got ${status} ${JSON.stringify(body)}`,
    );
    return;
  }
  t.pass();
}

/** What toxiproxy says, with status 500, where another program has been given the port of a proxy that was disabled. */
function isPortTaken(body: unknown): boolean {
  const inUse = /^\{"error":"listen tcp 127\.0\.0\.1:\d+: bind: address already in use","status":500\}$/;
  return !(body instanceof Readable) && inUse.test(JSON.stringify(body));
}

/** JSON can be made of it. */
function isShown(body: unknown): boolean {
  if (typeof body !== 'object' || body instanceof Readable) return true;
  return /^[[{]/.test(JSON.stringify(body));
}
