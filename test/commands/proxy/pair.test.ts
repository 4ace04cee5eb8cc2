import { readFileSync } from 'node:fs';
import test from 'ava';
import { TnetError } from '../../../src/errors.ts';
import { format, resolveConfig } from 'prettier';
import { createConfigSchema, createSettingsType } from '../../../scripts/config-schema.ts';
import { readConfig } from '../../../commands/proxy/config-file.ts';
import { longNameOf } from '../../../commands/options/row.ts';
import { pairRows } from '../../../commands/proxy/options.ts';
import { readPair } from '../../../commands/proxy/pair.ts';
import { readRate, readSpread, readTimeMs } from '../../../src/quantities.ts';

const name = (part: string) => `<${part}>`;

function failure(run: () => unknown): TnetError {
  try {
    run();
  } catch (error) {
    if (error instanceof TnetError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

function pairOf(values: Record<string, unknown>) {
  return readPair({ listen: '0', targets: ['example.test:1'], values }, { name });
}

test('a pair without a host listens on loopback, of the family that is asked for', (t) => {
  const written = { listen: '80', targets: ['81'], values: {} };
  t.deepEqual(readPair(written, { name }).listen, { kind: 'tcp', host: '127.0.0.1', port: 80 });
  t.deepEqual(readPair(written, { name, family: 6 }).listen, { kind: 'tcp', host: '::1', port: 80 });
  t.deepEqual(readPair({ ...written, listen: '*:80'.slice(1) }, { name }).listen, {
    kind: 'tcp',
    host: '127.0.0.1',
    port: 80,
  });
});

for (const [values, subject] of [
  [{ nonsense: 1 }, '<nonsense>'],
  [{ latency: 'soon' }, '<latency>'],
  [{ latency: '10ms±20ms' }, '<latency>'],
  [{ corrupt: 1.5 }, '<corrupt>'],
  [{ maxConnections: 0 }, '<maxConnections>'],
  [{ rate: '0/s' }, '<rate>'],
  [{ reject: true }, '<reject>'],
  [{ reject: 'yes' }, '<reject>'],
  [{ seed: 1 }, '<seed>'],
  [{ direction: 'up' }, '<direction>'],
  [{ direction: 'left' }, '<direction>'],
  [{ probability: 0.5 }, '<probability>'],
  [{ blackhole: true, latency: '1s' }, '<latency>'],
] as const) {
  test(`a pair with ${JSON.stringify(values)} is refused by the setting's name`, (t) => {
    const error = failure(() => pairOf(values));
    t.is(error.subject, subject);
    t.is(error.exitCode, 2);
  });
}

test('what cannot be listened on or connected to is refused', (t) => {
  t.truthy(failure(() => readPair({ listen: 'tcp://', targets: ['1'], values: {} }, { name })));
  t.is(
    failure(() => readPair({ listen: '1', targets: ['fd:3'], values: {} }, { name })).subject,
    '<targets>',
  );
  t.is(failure(() => readPair({ listen: '1', targets: [], values: {} }, { name })).subject, '<targets>');
});

test('rates, spreads and times are read with their units', (t) => {
  t.deepEqual(readRate('10'), { count: 10, perMs: 1000 });
  t.deepEqual(readRate('5/10s'), { count: 5, perMs: 10_000 });
  t.deepEqual(readRate('100/m'), { count: 100, perMs: 60_000 });
  t.deepEqual(readSpread('100ms+-20ms', readTimeMs), { mean: 100, spread: 20 });
  t.deepEqual(readSpread('100ms±20ms', readTimeMs), { mean: 100, spread: 20 });
  t.throws(() => readRate('ten'));
});

for (const [text, subject] of [
  ['{', 'f.json'],
  ['[]', 'f.json: /'],
  ['{"pairs":[]}', 'f.json: /pairs'],
  ['{"pairs":[{}],"more":1}', 'f.json: /more'],
  ['{"pairs":[{"targets":["1"]}]}', 'f.json: /pairs/0/listen'],
  ['{"pairs":[{"listen":"1","targets":["2"]},{"listen":"1","targets":[3]}]}', 'f.json: /pairs/1/targets/0'],
  ['{"pairs":[{"listen":"1","targets":["2"],"idle":"long"}]}', 'f.json: /pairs/0/idle'],
  ['{"pairs":[{"listen":"65536","targets":["2"]}]}', 'f.json: /pairs/0/listen: 65536'],
] as const) {
  test(`the configuration ${text} is refused with its place`, (t) => {
    const error = failure(() => readConfig(text, 'f.json', {}));
    t.is(error.code, 'TNET_E_CONFIG');
    t.is(error.subject, subject);
    t.false(error.message.includes('\n'));
  });
}

test('settings of the command line hold for the pairs of a file that have none of their own', (t) => {
  const text = '{"pairs":[{"listen":"1","targets":["2"],"idle":5},{"listen":"2","targets":["2"]}]}';
  const pairs = readConfig(text, 'f', { values: { idle: '7s' } });
  t.deepEqual(
    pairs.map(({ pair }) => pair.values.idle),
    [5000, 7000],
  );
});

test('docs/proxy-config.schema.json is what the settings say', (t) => {
  const file = new URL('../../../docs/proxy-config.schema.json', import.meta.url);
  t.deepEqual(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(JSON.stringify(createConfigSchema())));
});

test('the type of the settings of a pair is what the option rows say', async (t) => {
  const file = new URL('../../../commands/proxy/pair-settings.ts', import.meta.url);
  const options = { ...(await resolveConfig(file)), parser: 'typescript' };
  t.is(readFileSync(file, 'utf8'), await format(createSettingsType(), options));
});

test('an option keeps a pair out of the express lane unless its row says that the engine does it', (t) => {
  const seen: string[] = [];
  for (const [key, row] of pairRows) {
    const { sample, entry } = row.value;
    const written = sample === undefined ? true : entry ? [sample] : sample;
    // Options that need others are told of by those.
    if (
      row.needs ||
      !('proxy' in row.in) ||
      ['socks', 'httpConnect', 'http', 'replay', 'tlsIn'].includes(key)
    )
      continue;
    // Those of UDP have no lane to keep a pair out of.
    if (Array.isArray(row.ends) && !row.ends.includes('stream')) continue;
    const { slowOption } = pairOf({ [key]: written });
    t.is(slowOption, row.lane ? undefined : longNameOf(row), key);
    seen.push(key);
  }
  t.true(seen.length >= 25, seen.join(' '));
  t.is(pairOf({}).slowOption, undefined);
});
