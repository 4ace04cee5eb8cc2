import { once } from 'node:events';
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { findHasLeft } from '../../src/flow/break.ts';
import type { Ending } from '../../src/flow/flow.ts';
import { createServer, Socket } from '../../src/net/index.ts';

/** Two connections over TCP that nothing has happened to. */
async function connections(t: ExecutionContext): Promise<[Socket, Socket]> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const pair = [];
  for (let n = 0; n < 2; n++) {
    const accepted = once(server, 'connection');
    const peer = net.connect(port, '127.0.0.1');
    const [socket] = (await accepted) as [Socket];
    t.teardown(() => void [peer, socket].map((one) => one.destroy()));
    pair.push(socket);
  }
  t.teardown(() => server.close());
  return pair as [Socket, Socket];
}

const codes = ['EPIPE', 'ECONNRESET', 'ENOSPC'] as const;

function broke(code: string, side: 'source' | 'sink'): Ending {
  return {
    reason: 'reset',
    bytes: 7,
    unsentBytes: 10,
    side,
    error: Object.assign(new Error(code), { code }),
  };
}

for (const code of codes) {
  for (const otherCode of codes) {
    const hasLeft = code === 'EPIPE' && otherCode === 'EPIPE';
    test(`two sides that take no more have ${hasLeft ? '' : 'not '}both left, by ${code} and ${otherCode}`, async (t) => {
      const [breaker, reader] = await connections(t);
      for (const breakerIsClient of [true, false]) {
        const connection = { breaker, reader, breakerIsClient, isSilent: false };
        const broken = broke(code, 'sink');
        t.is(await findHasLeft({ ...connection, broken, other: broke(otherCode, 'sink') }, 0), hasLeft);
      }
    });
  }
}

test('a side that breaks while the other one is stopped has not left', async (t) => {
  const [breaker, reader] = await connections(t);
  const connection = { breaker, reader, breakerIsClient: true, isSilent: true };
  const other: Ending = { reason: 'aborted', bytes: 0, unsentBytes: 0 };
  t.false(await findHasLeft({ ...connection, broken: broke('ECONNRESET', 'source'), other }, 0));
  t.false(await findHasLeft({ ...connection, broken: broke('EPIPE', 'sink'), other }, 0));
});
