import test from 'ava';
import { createAuthority } from '../../helpers/certificates.ts';
import { chaosWays, expectChaos } from '../../helpers/chaos-ways.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

for (const way of chaosWays(authority, server)) {
  test.serial(
    `random ends, stalls and resets: every byte is right and every connection ends, with ${way.name}`,
    async (t) => {
      t.timeout(300_000);
      t.log(await expectChaos(t, way, { seed: 1, connections: 100 }));
    },
  );
}
