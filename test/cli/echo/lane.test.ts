import { once } from 'node:events';
import { join } from 'node:path';
import test from 'ava';
import { nativeStatus } from '../../../src/native/addon.ts';
import { collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import { startCli } from '../../helpers/cli.ts';
import { countSockets } from '../../helpers/descriptors.ts';
import { compareLane, isThereAtSigint, type Scene } from '../../helpers/lane-scenes.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { exchange, waitEnd } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const nativeTest = nativeStatus().used ? test.serial : test.serial.skip;
if (!nativeStatus().used) process.stdout.write(`skipped, no native engine: ${nativeStatus().reason ?? ''}\n`);

const at = (...args: readonly string[]) => Promise.resolve(['127.0.0.1:0', ...args]);

const scenes: readonly Scene[] = [
  {
    title: 'an exchange',
    prepare: () => at(),
    act: async (t, address) => {
      const sent = payload(3_000_000);
      sameBytes(t, (await exchange(t, address, sent)).bytes, sent);
    },
  },
  {
    title: 'an exchange on a Unix socket',
    prepare: (t) => Promise.resolve([join(tempDir(t), 's')]),
    act: async (t, address) => (await exchange(t, address, 'hello')).bytes.toString(),
  },
  {
    title: 'a client that says nothing',
    prepare: () => at(),
    act: async (t, address) => (await exchange(t, address)).bytes.toString(),
  },
  {
    title: 'a client that resets',
    prepare: () => at(),
    act: async (t, address) => {
      const client = await connectPeer(t, address);
      client.write('x');
      await once(client, 'data');
      client.resetAndDestroy();
    },
  },
  { title: 'an idle client', prepare: () => at('--idle', '150ms'), act: (t, address) => waitEnd(t, address) },
  {
    title: 'an old client',
    prepare: () => at('--timeout', '150ms'),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'a client that --deny holds',
    prepare: () => at('--deny', '127.0.0.1'),
    act: (t, address) => waitEnd(t, address),
    last: 'refused',
  },
  {
    title: 'a second client with -m 1',
    prepare: () => at('-m', '1'),
    act: async (t, address) => {
      const first = await connectPeer(t, address);
      first.write('1');
      await once(first, 'data');
      const second = await connectPeer(t, address);
      second.end('2');
      first.end();
      return (await collectUntilClose(second)).bytes.toString();
    },
    count: 2,
  },
  {
    title: 'a client that is there when SIGINT comes',
    prepare: () => at(),
    act: isThereAtSigint,
  },
];

for (const { title, ...scene } of scenes) {
  nativeTest(`${title} is the same for echo in the express lane and outside, and so is what is said`, (t) =>
    compareLane(t, 'echo', scene),
  );
}

for (const [flags, isLent] of [
  [[], true],
  [['--idle', '1m', '-m', '5'], true],
  [['--nodelay'], false],
  [['--pause', '1ms'], false],
  [['--service', 'discard'], false],
] as const) {
  nativeTest(
    `echo ${flags.join(' ')} ${isLent ? 'lends' : 'does not lend'} its listener to the engine`,
    async (t) => {
      const [withLane, without] = await Promise.all(
        ['', '0'].map(async (express) => {
          const cli = startCli(t, ['echo', '127.0.0.1:0', ...flags], { env: { TNET_EXPRESS: express } });
          await cli.address();
          return countSockets(cli.child.pid!);
        }),
      );
      // What is lent is duplicated.
      t.is(withLane! > without!, isLent);
    },
  );
}
