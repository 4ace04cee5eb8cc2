// What connections cost `tnet proxy`: node bench/proxy-load.mjs [idle|short|reset] [COUNT]
// idle: memory for each open connection. short: memory and descriptors after many short ones. reset: many that either
// side resets, one line each. The last two run twice: what the second round adds is what leaks, the rest is what V8 has
// not collected. The peer is this process; clients come from several loopback addresses.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { fileURLToPath } from 'node:url';

const tnet = fileURLToPath(new URL('../bin/tnet.js', import.meta.url));
const [work = 'idle', countText] = process.argv.slice(2);
const defaults = { idle: 10_000, short: 100_000, reset: 10_000 };
const count = Number(countText ?? defaults[work]);
// Descriptors: this process has both far ends of every connection.
const atOnce = work === 'idle' ? 500 : 200;

const accepted = new Set();
const target = net.createServer({ allowHalfOpen: true }, (socket) => {
  accepted.add(socket);
  socket.on('error', () => undefined).once('close', () => accepted.delete(socket));
  if (work === 'reset') {
    socket.once('data', (chunk) => (chunk[0] % 2 ? socket.resetAndDestroy() : socket.write('x')));
  } else socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end());
});
target.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
await once(target, 'listening');

const proxy = spawn(process.execPath, [tnet, 'proxy', '127.0.0.1:0', `127.0.0.1:${target.address().port}`], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
process.on('exit', () => proxy.kill('SIGKILL'));
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => proxy.kill('SIGKILL'));
let lines = 0;
let said = '';
proxy.stderr.setEncoding('utf8').on('data', (text) => {
  said = (said + text).slice(-2000);
  lines += text.split('\n').length - 1;
});
while (!/listening on .*:(\d+)\n/.test(said)) await once(proxy.stderr, 'data');
const port = Number(/listening on .*:(\d+)\n/.exec(said)[1]);
lines = 0;

function look() {
  const status = readFileSync(`/proc/${proxy.pid}/status`, 'utf8');
  return {
    rssKb: Number(/VmRSS:\s+(\d+)/.exec(status)[1]),
    descriptors: readdirSync(`/proc/${proxy.pid}/fd`).length,
  };
}

function open(index) {
  const localAddress = `127.0.0.${1 + (index % 20)}`;
  const socket = net.connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true });
  return socket.on('error', () => undefined);
}

async function inParallel(run) {
  let next = 0;
  const worker = async () => {
    while (next < count) await run(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function one(index) {
  const socket = open(index);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.once('connect', () => socket.write(Buffer.from([index & 255, 1, 2, 3])));
  socket.once('data', () => (work === 'reset' ? socket.resetAndDestroy() : socket.end()));
  socket.on('end', () => socket.end());
  await closed;
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 3000));

// Warm: what is loaded and compiled once does not count.
for (let index = 0; index < 200; index++) await one(index * 2);
await settle();
const before = look();
lines = 0;
const startedAt = performance.now();
const held = [];
if (work === 'idle') {
  await inParallel(async (index) => {
    const socket = open(index);
    held.push(socket);
    await once(socket, 'connect');
    socket.write('x');
    await once(socket, 'data');
  });
} else await inParallel(one);
const seconds = (performance.now() - startedAt) / 1000;
await settle();
const after = look();
console.log(`${work}: ${count} connections in ${seconds.toFixed(1)} s`);
console.log(
  `resident before ${before.rssKb} kB, after ${after.rssKb} kB; descriptors ${before.descriptors}, ${after.descriptors}`,
);
if (work === 'idle')
  console.log(`${((after.rssKb - before.rssKb) / count).toFixed(2)} kB for each connection (two sockets)`);
else {
  console.log(`${lines} lines on stderr; ${accepted.size} connections left at the target`);
  await inParallel(one);
  await settle();
  const again = look();
  console.log(`after as many again: resident ${again.rssKb} kB, descriptors ${again.descriptors}`);
}
proxy.kill('SIGKILL');
for (const socket of held) socket.destroy();
target.close();
for (const socket of accepted) socket.destroy();
