// How long each command takes to start, as a ratio to the bare start of the same Node: node bench/startup.mjs [runs].
// The runs are interleaved, so that a busy moment of the machine falls on every row. Medians are compared, and the
// fastest run of each, which a busy machine disturbs least.
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const runs = Math.max(15, Number(process.argv[2] ?? 25));
const tnet = fileURLToPath(new URL('../bin/tnet.js', import.meta.url));

// connect -z only needs the port to be open; nobody has to accept.
const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address();

// Each row does something real and ends by itself. listen, echo and proxy would stay: a port that cannot be is
// refused after all of their code is loaded.
const rows = [
  { name: 'node -e 0', args: ['-e', '0'], status: 0 },
  { name: 'tnet --version', args: [tnet, '--version'], status: 0 },
  { name: 'tnet isip 127.0.0.1', args: [tnet, 'isip', '127.0.0.1'], status: 0 },
  { name: 'tnet isip --json ::1', args: [tnet, 'isip', '--json', '::1'], status: 0 },
  { name: 'tnet isip --in 10.0.0.0/8', args: [tnet, 'isip', '--in', '10.0.0.0/8', '10.1.2.3'], status: 0 },
  { name: 'tnet connect -z', args: [tnet, 'connect', '-z', '127.0.0.1', String(port)], status: 0 },
  { name: 'tnet listen 65536', args: [tnet, 'listen', '65536'], status: 2 },
  { name: 'tnet echo 65536', args: [tnet, 'echo', '65536'], status: 2 },
  { name: 'tnet proxy 65536 1', args: [tnet, 'proxy', '65536', '1'], status: 2 },
];

function timeRun(args) {
  const start = process.hrtime.bigint();
  const { status } = spawnSync(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'ignore'],
    timeout: 10_000,
  });
  return { ms: Number(process.hrtime.bigint() - start) / 1e6, status };
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

// The first run of each fills the compile cache and tells whether the command is there.
const found = rows.filter(({ args, status }) => timeRun(args).status === status);
const times = new Map(found.map(({ name }) => [name, []]));
for (let run = 0; run < runs; run++) {
  for (const { name, args } of found) times.get(name).push(timeRun(args).ms);
}
server.close();

const bare = times.get('node -e 0');
process.stdout.write(`Node ${process.versions.node}, ${runs} interleaved runs\n\n`);
process.stdout.write('| run | median ms | × node -e 0 | fastest ms | × node -e 0 |\n|---|---|---|---|---|\n');
for (const { name } of rows) {
  const own = times.get(name);
  const cells = own
    ? [median, (values) => Math.min(...values)].flatMap((pick) => [
        pick(own).toFixed(1),
        (pick(own) / pick(bare)).toFixed(2),
      ])
    : ['not in this build', '', '', ''];
  process.stdout.write(`| ${name} | ${cells.join(' | ')} |\n`);
}
