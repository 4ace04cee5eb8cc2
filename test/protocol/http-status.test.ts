import test from 'ava';
import fc from 'fast-check';
import { hasStatus, parseStatuses } from '../../src/protocol/http-status.ts';

for (const [text, good, bad] of [
  ['200', [200], [201, 204, 404, 20]],
  ['2xx', [200, 204, 299], [199, 300]],
  ['2XX', [200], [300]],
  ['200,3xx,401', [200, 301, 399, 401], [201, 400, 402, 500]],
] as const) {
  test(`${text} has the statuses that it names`, (t) => {
    const statuses = parseStatuses(text);
    t.deepEqual(
      good.map((status) => hasStatus(statuses, status)),
      good.map(() => true),
    );
    t.deepEqual(
      bad.map((status) => hasStatus(statuses, status)),
      bad.map(() => false),
    );
  });
}

for (const text of ['', '20', '2x', 'x2x', '600', '0xx', '200,', '200 201', '2xxx', 'ok', '-200']) {
  test(`'${text}' names no status and is refused`, (t) => {
    t.throws(() => parseStatuses(text), { code: 'TNET_E_USAGE' });
  });
}

test('a list has exactly what one of its parts has', (t) => {
  const part = fc.oneof(
    fc.integer({ min: 100, max: 599 }).map(String),
    fc.integer({ min: 1, max: 5 }).map((first) => `${first}xx`),
  );
  fc.assert(
    fc.property(fc.array(part, { minLength: 1 }), fc.integer({ min: 0, max: 999 }), (parts, status) => {
      const one = parts.some((text) => hasStatus(parseStatuses(text), status));
      t.is(hasStatus(parseStatuses(parts.join(',')), status), one);
    }),
  );
});

test('any text is read or refused', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        parseStatuses(text);
      } catch (error) {
        t.is((error as { code: string }).code, 'TNET_E_USAGE');
      }
    }),
  );
  t.pass();
});
