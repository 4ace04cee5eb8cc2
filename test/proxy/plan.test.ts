import test from 'ava';
import { Ledger } from '../../src/proxy/ledger.ts';
import { readPair } from '../../src/proxy/pair.ts';
import { preparePlan } from '../../src/proxy/plan.ts';
import type { ProxyHost } from '../../src/proxy/host.ts';
import { createRecording } from '../../src/record/recording.ts';
import { tempDir } from '../helpers/temp.ts';
import { join } from 'node:path';

const host: ProxyHost = {
  ledger: new Ledger(),
  emit: () => undefined,
  fail: () => undefined,
  signal: new AbortController().signal,
};

async function isWatched(values: Record<string, unknown>, shared: Partial<ProxyHost> = {}): Promise<boolean> {
  const pair = readPair({ listen: '1', targets: ['2'], values }, { name: (part) => part });
  const plan = await preparePlan(pair, { ...host, ...shared });
  plan.close();
  return plan.isWatched;
}

test('a connection is watched only where something looks at its bytes or at their number', async (t) => {
  const recording = await createRecording(join(tempDir(t), 'record'), 'raw', () => undefined);
  t.false(await isWatched({}));
  t.false(await isWatched({ idle: '1s', maxConnections: 5, sendProxy: 1, balance: 'least' }));
  t.false(await isWatched({}, { recordings: [] }));
  t.true(await isWatched({ latency: '1ms' }));
  t.true(await isWatched({ resetAfter: '1s' }));
  t.true(await isWatched({}, { recordings: [recording] }));
  t.true(await isWatched({}, { isWatched: true }));
});
