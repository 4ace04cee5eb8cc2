import test from 'ava';
import { checkServers, serverGroups } from '../fuzz/run.ts';

for (const name of Object.values(serverGroups).flat()) {
  test.serial(`no bytes of 500 peers end a server or stay with it: ${name}`, async (t) => {
    t.timeout(300_000);
    await checkServers(t, 500, [name]);
  });
}
