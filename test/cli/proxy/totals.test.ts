import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import { startCli } from '../../helpers/cli.ts';
import { startPeerServer, toTarget } from '../../helpers/peers.ts';

const count = 200;

for (const [lane, env] of [
  ['the express lane', {}],
  ['the lane off', { TNET_EXPRESS: '0' }],
  ['Node streams', { TNET_NATIVE: '0' }],
] as const) {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test.serial(
      `at ${signal} right behind the last of ${count} clients the totals count all of them (${lane})`,
      async (t) => {
        const target = await startPeerServer(t, 'tcp', (socket) => void socket.end('x').resume());
        const proxy = startCli(t, ['proxy', '127.0.0.1:0', target.words.join(':')], { env });
        const address = await proxy.address();
        await Promise.all(
          Array.from({ length: count }, async () => {
            const client = net.connect({ ...toTarget(address), allowHalfOpen: true });
            client.resume();
            await once(client, 'end');
            client.end();
          }),
        );
        proxy.child.kill(signal);
        await proxy.exit;
        t.regex(
          proxy.stderr(),
          new RegExp(
            `^tnet proxy: ${count} connections(?: \\(\\d+ failed\\))?, 0 bytes in, ${count} bytes out`,
            'm',
          ),
        );
      },
    );
  }
}
