import test from 'ava';
import { createAuthority } from '../../helpers/certificates.ts';
import { chaosWays, expectChaos } from '../../helpers/chaos-ways.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

for (const way of chaosWays(authority, server)) {
  for (const seed of [1, 2, 3, 4, 5]) {
    test.serial(
      `random ends, stalls and resets of 200 connections: all is right, with ${way.name}, seed ${seed}`,
      async (t) => {
        t.log(await expectChaos(t, way, { seed, connections: 200 }));
      },
    );
  }
}
