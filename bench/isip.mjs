// A million lines through `tnet isip`, against the same work done with Node's own net.isIP: node bench/isip.mjs [runs].
// Whole processes from file to file, start-up included; interleaved, medians.
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const lines = 1_000_000;
const runs = Math.max(5, Number(process.argv[2] ?? 7));
const tnet = fileURLToPath(new URL('../bin/tnet.js', import.meta.url));

// Half IPv4, a third IPv6, the rest no addresses.
function line(i) {
  if (i % 6 === 5) return i % 12 === 5 ? `host-${i}.example.com` : `300.${i % 256}.1.1`;
  if (i % 6 < 3) return `${i % 224}.${(i >> 3) % 256}.${(i >> 7) % 256}.${(i >> 11) % 256}`;
  return i % 6 === 3 ? `2001:db8::${(i % 65536).toString(16)}:1` : `fe80::${(i % 4096).toString(16)}%eth0`;
}

const loop = `
  const net = require('node:net'), fs = require('node:fs');
  const list = fs.readFileSync(0, 'latin1').split('\\n');
  list.pop();
  let output = '', all = true;
  for (const line of list) {
    const family = net.isIP(line);
    if (family === 0) all = false;
    output += family + '\\n';
  }
  fs.writeSync(1, output);
  process.exitCode = all ? 0 : 1;`;

const rows = [
  { name: 'tnet isip', args: [tnet, 'isip'] },
  { name: 'node: split, net.isIP, join', args: ['-e', loop] },
  { name: 'tnet isip --in (2 blocks)', args: [tnet, 'isip', '--in', '10.0.0.0/8,fe80::/10'] },
  { name: 'tnet isip --explain', args: [tnet, 'isip', '--explain'] },
  { name: 'tnet isip --json', args: [tnet, 'isip', '--json'] },
];

const folder = mkdtempSync(join(tmpdir(), 'tnet-bench-'));
const input = join(folder, 'input');
const output = join(folder, 'output');
writeFileSync(input, Array.from({ length: lines }, (_, i) => `${line(i)}\n`).join(''));

function timeRun(args) {
  const stdin = openSync(input, 'r');
  const stdout = openSync(output, 'w');
  const start = process.hrtime.bigint();
  const { status } = spawnSync(process.execPath, args, { stdio: [stdin, stdout, 'ignore'] });
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  closeSync(stdin);
  closeSync(stdout);
  if (status !== 1) throw new Error(`status ${status} from ${args.join(' ')}`);
  return ms;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

try {
  timeRun(rows[1].args);
  const wanted = readFileSync(output);
  timeRun(rows[0].args);
  if (!readFileSync(output).equals(wanted)) throw new Error('tnet isip and net.isIP disagree');

  const times = rows.map(() => []);
  for (let run = 0; run < runs; run++) rows.forEach(({ args }, i) => times[i].push(timeRun(args)));

  const medians = times.map(median);
  process.stdout.write(
    `Node ${process.versions.node}, ${lines} lines, ${runs} interleaved runs, medians\n\n`,
  );
  process.stdout.write('| run | ms | lines/s | time × net.isIP loop |\n|---|---|---|---|\n');
  rows.forEach(({ name }, i) => {
    const rate = Math.round((lines / medians[i]) * 1000).toLocaleString('en');
    process.stdout.write(
      `| ${name} | ${medians[i].toFixed(0)} | ${rate} | ${(medians[i] / medians[1]).toFixed(2)} |\n`,
    );
  });
} finally {
  rmSync(folder, { recursive: true });
}
