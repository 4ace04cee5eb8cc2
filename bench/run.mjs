// npm run bench: every benchmark, one after the other, on a machine that should have nothing else to do. Each prints
// its own table; peers that are not installed are left out. See bench/README.md.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const benches = ['startup.mjs', 'isip.mjs', 'net.ts', 'engine.mjs'];

for (const name of benches) {
  console.log(`\n## ${name}\n`);
  const { status } = spawnSync(process.execPath, [fileURLToPath(new URL(name, import.meta.url))], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = 1;
}
