import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import test from 'ava';
import { nativeStatus } from '../../../src/native/addon.ts';
import { startRelay } from '../../../src/flow/relay.ts';
import { Ledger } from '../../../src/serve/ledger.ts';
import { readPair } from '../../../commands/proxy/pair.ts';
import { createRecording } from '../../../src/record/recording.ts';
import { tempDir } from '../../helpers/temp.ts';
import { prepareRelay } from '../../../src/handlers/relay/prepare.ts';
import type { ProxyHost } from '../../../src/handlers/relay/host.ts';

const host: ProxyHost = {
  ledger: new Ledger(),
  emit: () => undefined,
  fail: () => undefined,
  signal: new AbortController().signal,
};

/** Why the engine does not serve the clients of a pair with these settings. */
async function findObstacle(
  values: Record<string, unknown>,
  shared: Partial<ProxyHost> = {},
): Promise<string | undefined> {
  const pair = readPair({ listen: '1', targets: ['2'], values }, { name: (part) => part });
  const service = await prepareRelay(pair, { ...host, ...shared });
  service.close();
  return service.lane.obstacle;
}

const testNative = nativeStatus().used ? test : test.skip;

testNative('clients are served by the engine alone unless something looks at their bytes', async (t) => {
  const recording = await createRecording(join(tempDir(t), 'record'), 'raw', () => undefined);
  t.is(await findObstacle({}), undefined);
  t.is(await findObstacle({ idle: '1s', maxConnections: 5 }), undefined);
  t.is(await findObstacle({}, { recordings: [] }), undefined);
  t.is(await findObstacle({ latency: '1ms' }), '--latency needs JavaScript');
  t.is(await findObstacle({}, { recordings: [recording] }), '--tap or --output needs JavaScript');
});

testNative(
  'a relay that nothing looks at runs in the native engine, and a recorded one on streams',
  async (t) => {
    for (const isRecorded of [false, true]) {
      const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as net.AddressInfo;
      const ends: net.Socket[] = [];
      for (let count = 0; count < 2; count++) {
        const peer = net
          .connect({ port, host: '127.0.0.1', allowHalfOpen: true })
          .on('error', () => undefined);
        const [accepted] = (await once(server, 'connection')) as [net.Socket];
        ends.push(accepted);
        t.teardown(() => {
          peer.destroy();
          accepted.destroy();
        });
      }
      server.close();
      const transforms = isRecorded ? [new PassThrough()] : [];
      const relay = startRelay({
        client: ends[0]!,
        target: ends[1]!,
        upTransforms: transforms,
        downTransforms: [],
      });
      t.is('idleMs' in relay.up, !isRecorded);
      t.is('idleMs' in relay.down, !isRecorded);
      relay.stop('aborted');
      await relay.ended;
    }
  },
);
