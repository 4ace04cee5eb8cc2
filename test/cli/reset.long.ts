import test from 'ava';
import { resetByPeer } from '../helpers/resets.ts';

for (const [command, survive] of Object.entries(resetByPeer)) {
  test.serial(`${command} survives 200 resets by the peer with every byte before them delivered`, (t) =>
    survive(t, 200),
  );
}
