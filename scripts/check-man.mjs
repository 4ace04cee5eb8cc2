// Checks the man pages with mandoc -Tlint. What only concerns the machine's own index of manuals is left out.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../man/', import.meta.url));
const ofThisMachine = /referenced manual not found|outdated mandoc\.db/;
let faults = 0;
let pages = 0;

for (const name of readdirSync(folder).filter((file) => file.endsWith('.1'))) {
  const { error, stdout, stderr } = spawnSync('mandoc', ['-Tlint', folder + name], { encoding: 'utf8' });
  if (error) {
    console.log(
      `man pages not checked: ${error.code === 'ENOENT' ? 'mandoc is not installed' : error.message}`,
    );
    process.exit(0);
  }
  const lines = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !ofThisMachine.test(line));
  for (const line of lines) console.error(line);
  faults += lines.length;
  pages++;
}

console.log(`${pages} man pages, ${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
