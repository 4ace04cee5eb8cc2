import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import test from 'ava';

test('systemd-analyze finds nothing wrong with the units of docs/deploy', async (t) => {
  const units = ['tnet-proxy.service', 'tnet-proxy.socket'].map((name) =>
    fileURLToPath(new URL(`../../docs/deploy/${name}`, import.meta.url)),
  );
  try {
    const { stderr } = await promisify(execFile)('systemd-analyze', ['verify', '--man=no', ...units]);
    t.is(stderr, '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    t.log('skipped: systemd-analyze is not installed');
    t.pass();
  }
});
