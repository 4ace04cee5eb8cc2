import test from 'ava';
import { checkServers, serverGroups } from '../fuzz/run.ts';

for (const [what, names] of Object.entries(serverGroups)) {
  test(`no bytes of a peer end a server or stay with it: ${what}`, async (t) => {
    t.timeout(180_000);
    await checkServers(t, 60, names);
  });
}
