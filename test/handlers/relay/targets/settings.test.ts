import test from 'ava';
import fc from 'fast-check';
import { formatEndpoint } from '../../../../src/address/endpoint.ts';
import { formatSettings, splitTargets } from '../../../../src/handlers/relay/targets/settings.ts';
import type { TargetSettings } from '../../../../src/handlers/relay/targets/target-settings.ts';
import { formatTarget, parseRoute, parseTarget } from '../../../../src/handlers/relay/targets/target.ts';

for (const [text, address, settings] of [
  ['10.0.0.1:80', '10.0.0.1:80', undefined],
  ['10.0.0.1:80,weight=3', '10.0.0.1:80', { weight: 3 }],
  ['a.example:80,backup,max=10', 'a.example:80', { backup: true, max: 10 }],
  ['[::1]:80,max=1', '[::1]:80', { max: 1 }],
  ['8080,weight=256', 'localhost:8080', { weight: 256 }],
  ['udp://10.0.0.1:53,backup', 'udp://10.0.0.1:53', { backup: true }],
  ['/run/app.sock,weight=2', '/run/app.sock', { weight: 2 }],
  // A comma of the path stays one.
  ['/run/a,b,max=3', '/run/a,b', { max: 3 }],
  ['/run/weight=3', '/run/weight=3', undefined],
  ['/run/a,weight=3/b', '/run/a,weight=3/b', undefined],
  ['serial:/dev/ttyS0@115200,8N1,max=1', 'serial:/dev/ttyS0@115200,8N1', { max: 1 }],
  ['ws://h/a?b=c,d&weight=3', 'ws://h:80/a?b=c,d&weight=3', undefined],
  ['ws://h/a?b=c,weight=3', 'ws://h:80/a?b=c', { weight: 3 }],
  ['srv://_web._tcp.example.com,max=5', 'srv://_web._tcp.example.com', { max: 5 }],
  ['exec:cat a,b', 'exec:cat a,b', undefined],
  ["exec:cat 'a,backup'", 'exec:cat a,backup', undefined],
  ['exec:cat a,max=2', 'exec:cat a', { max: 2 }],
] as const) {
  test(`${text} is ${address} with ${JSON.stringify(settings ?? {})}`, (t) => {
    const target = parseTarget(text);
    t.is(formatTarget(target), address);
    t.deepEqual(target.settings, settings);
  });
}

for (const [text, message] of [
  ['h:80,weight=0', 'weight=0: expected a whole number from 1 to 256'],
  ['h:80,weight=257', 'weight=257: expected a whole number from 1 to 256'],
  ['h:80,weight=1.5', 'weight=1.5: expected a whole number from 1 to 256'],
  ['h:80,max=0', 'max=0: expected a whole number of at least 1'],
  ['h:80,max=', 'max=: expected a whole number of at least 1'],
  ['h:80,max=1,weight=2,max=3', 'max is given twice'],
  ['h:80,wieght=3', 'unknown setting wieght=3: expected weight=N, max=N or backup'],
  ['h:80,wieght=3,max=1', 'unknown setting wieght=3: expected weight=N, max=N or backup'],
  ['h:80,backup=1', 'unknown setting backup=1: expected weight=N, max=N or backup'],
  ['h:80,h:81', 'unknown setting h:81: expected weight=N, max=N or backup'],
  ['h:80;weight=3', 'port 80;weight=3: not a port: a number from 0 to 65535 or a service name'],
] as const) {
  test(`${text} is refused: ${message}`, (t) => {
    t.is(t.throws(() => parseTarget(text)).message, message);
  });
}

test('in a list a setting belongs to the target before it', (t) => {
  t.deepEqual(splitTargets('a:80,weight=3,b:80,/run/x=1,c:80,backup,max=2,nonsense=1'), [
    'a:80,weight=3',
    'b:80',
    '/run/x=1',
    'c:80,backup,max=2,nonsense=1',
  ]);
  const { targets } = parseRoute('sni:a.example=a:80,weight=3,b:80,backup');
  t.deepEqual(
    targets.map((target) => [formatTarget(target), target.settings]),
    [
      ['a:80', { weight: 3 }],
      ['b:80', { backup: true }],
    ],
  );
});

const settings: fc.Arbitrary<TargetSettings> = fc.record(
  {
    weight: fc.integer({ min: 1, max: 256 }),
    max: fc.integer({ min: 1, max: 2 ** 40 }),
    backup: fc.constant<true>(true),
  },
  { requiredKeys: [] },
);
const addresses = fc.constantFrom(
  'h:80',
  '/run/a,b',
  'ws://h:80/x,y',
  'unix:@name',
  '[::1]:1',
  'exec:cat a,b',
);

test('settings are read as they are written, behind any address, alone and in a list', (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(addresses, settings), { minLength: 1, maxLength: 4 }), (all) => {
      const words = all.map(([address, some]) => address + formatSettings(some));
      words.forEach((word, index) => {
        const { settings: read = {}, ...endpoint } = parseTarget(word);
        t.deepEqual(read, all[index]?.[1]);
        t.is(endpoint.kind === 'srv' ? '' : formatEndpoint(endpoint), all[index]![0]);
      });
      const plain = words.filter((_, index) => !all[index]![0].includes(','));
      if (plain.length > 0) t.deepEqual(splitTargets(plain.join(',')), plain);
    }),
  );
});
