// How near `tnet proxy` comes to the latency and the bandwidth that it is asked for: node bench/faults.mjs
// Fails when one is more than a tenth off. On a busy machine everything is late: look at the load first.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

const tnet = fileURLToPath(new URL('../bin/tnet.js', import.meta.url));
const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
echo.listen(0, '127.0.0.1');
await once(echo, 'listening');

/** Runs `measure` on a connection through a proxy with these faults. */
async function through(flags, measure) {
  const words = [
    tnet,
    'proxy',
    '127.0.0.1:0',
    `127.0.0.1:${echo.address().port}`,
    '--direction',
    'up',
    ...flags,
  ];
  const proxy = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  for await (const chunk of proxy.stderr) {
    said += chunk;
    if (/listening on .*:\d+\n/.test(said)) break;
  }
  const socket = net.connect(Number(/:(\d+)\n/.exec(said)[1]), '127.0.0.1').setNoDelay();
  try {
    await once(socket, 'connect');
    // The first bytes load what the proxy needs for them.
    socket.write('x');
    await once(socket, 'data');
    return await measure(socket);
  } finally {
    socket.destroy();
    proxy.kill('SIGKILL');
  }
}

async function medianRoundTrip(socket) {
  const times = [];
  for (let round = 0; round < 21; round++) {
    const startedAt = performance.now();
    socket.write('x');
    await once(socket, 'data');
    times.push(performance.now() - startedAt);
  }
  return times.sort((a, b) => a - b)[10];
}

async function secondsFor(socket, bytes) {
  const startedAt = performance.now();
  socket.write(Buffer.alloc(bytes));
  for (let got = 0; got < bytes;) got += (await once(socket, 'data'))[0].length;
  return (performance.now() - startedAt) / 1000;
}

function judge(what, wanted, got, unit) {
  const off = got / wanted - 1;
  console.log(`${what}: asked ${wanted} ${unit}, got ${got.toFixed(1)} (${(off * 100).toFixed(1)} %)`);
  if (Math.abs(off) > 0.1) process.exitCode = 1;
}

for (const ms of [20, 100, 300]) {
  judge('latency', ms, await through(['--latency', `${ms}ms`], medianRoundTrip), 'ms');
}
for (const kib of [64, 1024, 8192]) {
  const bytes = kib * 1024 * 2;
  const seconds = await through(['--bandwidth', `${kib}k`], (socket) => secondsFor(socket, bytes));
  judge('bandwidth', kib, bytes / seconds / 1024, 'KiB/s');
}
echo.close();
