// Checks the single executable, which npm run build:sea has made: npm run check:sea
// It has to work in an empty environment and away from the checkout. Its size and start are printed, not judged.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { smoke } from './smoke.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tnet-sea-'));
const tnet = join(folder, 'tnet');
try {
  copyFileSync(`${root}dist/tnet`, tnet);
  await smoke(tnet, {}, process.platform === 'linux' ? /native/ : /Node streams/);
  const starts = { 'node -e 0': [], 'npm package': [], 'single executable': [] };
  for (let i = 0; i < 11; i++) {
    starts['node -e 0'].push(time(process.execPath, ['-e', '0']));
    starts['npm package'].push(time(process.execPath, [`${root}bin/tnet.js`, 'isip', '::1']));
    starts['single executable'].push(time(tnet, ['isip', '::1']));
  }
  console.log(`single executable: works, ${(statSync(tnet).size / 1e6).toFixed(1)} MB`);
  for (const [name, times] of Object.entries(starts)) {
    console.log(`  ${name.padEnd(18)} ${Math.min(...times).toFixed(0)} ms (fastest of ${times.length})`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

function time(program, args) {
  const start = performance.now();
  spawnSync(program, args, { stdio: 'ignore' });
  return performance.now() - start;
}
