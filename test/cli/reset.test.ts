import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import { errorCode } from '../../src/errors.ts';
import { collect, collectUntilClose, payload } from '../helpers/bytes.ts';
import { startCli } from '../helpers/cli.ts';
import { countFailures } from '../helpers/lines.ts';
import { connectPeer, startPeerServer, toTarget } from '../helpers/peers.ts';
import {
  checkBrokenSession,
  hangMs,
  inParallel,
  randomPayload,
  resetByPeer,
  sendAndReset,
} from '../helpers/resets.ts';

const rounds = 200;

for (const [command, survive] of Object.entries(resetByPeer)) {
  test.serial(`${command} survives 40 resets by the peer with every byte before them delivered`, (t) =>
    survive(t, 40),
  );
}

test.serial('connect hands on exactly what came before a reset and counts it', async (t) => {
  for (const length of [0, 1, 1000, 65_536, 65_537, 150_000, 1_000_000]) {
    const server = await startPeerServer(t, 'tcp');
    const sent = payload(length);
    const cli = startCli(t, ['connect', '--json', ...server.words]);
    // A reset that overtakes the handshake's end is a failed connect, for every program.
    await cli.said(/"event":"connected"/);
    sendAndReset(await server.accept(), sent);
    await checkBrokenSession(t, cli, sent);
  }
});

test.serial('a reset is one line for people and exit status 1', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', ...server.words]);
  (await server.accept()).resetAndDestroy();
  await collect(cli.stdout);
  const { code } = await cli.exit;
  t.is(code, 1);
  t.is(cli.stderr(), `tnet connect: ${server.words.join(':')}: connection reset by peer (ECONNRESET)\n`);
});

test.serial(
  'a server that resets instead of taking the rest of our bytes still has its answer delivered',
  async (t) => {
    const answer = payload(5000);
    const server = await startPeerServer(t, 'tcp', (socket) => {
      socket.once('data', () => {
        socket.pause();
        // Closing with unread bytes makes the kernel send RST.
        socket.write(answer, () => socket.destroy());
      });
    });
    const cli = startCli(t, ['connect', ...server.words]);
    const feed = setInterval(() => cli.stdin.write(payload(100_000)), 5);
    t.teardown(() => clearInterval(feed));
    t.true((await collect(cli.stdout)).equals(answer));
    t.is((await cli.exit).code, 1);
    // The system tells a reset once. Where it is met as an end, what the peer did not take is told.
    t.regex(
      cli.stderr(),
      /connection reset by peer|no longer accepts data|did not take (?:all of )?the last \d+ bytes/,
    );
  },
);

for (const side of ['client', 'target'] as const) {
  test.serial(`proxy passes 200 resets by the ${side} on as resets and serves on`, async (t) => {
    t.timeout(hangMs);
    const target = await startPeerServer(t, 'tcp');
    const proxy = startCli(t, ['proxy', '127.0.0.1:0', target.words.join(':')]);
    const address = await proxy.address();
    await inParallel(rounds, async () => {
      const client = net.connect({ ...toTarget(address), allowHalfOpen: true });
      client.on('error', () => undefined);
      await once(client, 'connect');
      const upstream = await target.accept();
      const [breaking, told] = side === 'client' ? [client, upstream] : [upstream, client];
      const outcome = collectUntilClose(told);
      sendAndReset(breaking, randomPayload());
      const { error } = await outcome;
      // accept() may hand out another round's connection: every one of them must see a reset all the same.
      t.is(errorCode(error), 'ECONNRESET');
    });
    const client = await connectPeer(t, address);
    const upstream = await target.accept();
    client.end('still here');
    t.is((await collect(upstream)).toString(), 'still here');
    upstream.end();
    t.is((await collect(client)).length, 0);
    proxy.child.kill('SIGTERM');
    t.is((await proxy.exit).code, 143);
    t.is(countFailures(proxy.stderr(), 'connection reset by peer'), rounds);
  });
}
