import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { collect, collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer } from '../../helpers/peers.ts';
import {
  exchange,
  exchangeMany,
  startEcho,
  startLimited,
  startNamed,
  startProxy,
  waitEnd,
} from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

/** The workers' processes, as -v has said them. */
function workersOf(stderr: string): number[] {
  return [...stderr.matchAll(/worker \d+ serves, process (\d+)/g)].map((match) => Number(match[1]));
}

test.serial('workers share the clients of one address, TCP and Unix, and not a byte is lost', async (t) => {
  const target = await startEcho(t);
  const path = join(tempDir(t), 's');
  const pairs = ['-L', `127.0.0.1:0=${target}`, '-L', `${path}=${target}`];
  const cli = startCli(t, ['proxy', '--workers', '2', '-v', ...pairs]);
  await cli.said(/listening on \//);
  t.is(cli.stderr().match(/listening on/g)?.length, 2);
  t.is(new Set(workersOf(cli.stderr())).size, 2);
  const address = await cli.address();
  await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const sent = payload(50_000 + index);
      sameBytes(t, (await exchange(t, index % 2 === 0 ? address : path, sent)).bytes, sent);
    }),
  );
  const [first = 0, second = 0] = workersOf(cli.stderr());
  const used = [first, second].map((pid) => readFileSync(`/proc/${pid}/io`, 'utf8'));
  for (const text of used) t.true(Number(/wchar: (\d+)/.exec(text)?.[1]) > 1000);
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
  t.regex(cli.stderr(), /40 connections, 2000780 bytes in, 2000780 bytes out/);
});

test.serial('totals, metrics and connection numbers are those of all workers', async (t) => {
  const words = ['--workers', '2', '--json', '--metrics', '127.0.0.1:0'];
  const cli = startCli(t, ['proxy', '127.0.0.1:0', await startEcho(t), ...words]);
  const [, address = ''] = await cli.said(/"event":"listening","address":"([^"]+)"/);
  const held = await Promise.all(Array.from({ length: 6 }, () => connectPeer(t, address)));
  for (const socket of held) {
    socket.write('hello');
    await once(socket, 'data');
  }
  const [, url = ''] = await cli.said(/"url":"([^"]+)"/);
  const metrics = await (await fetch(url)).text();
  for (const line of ['connections_total 6', 'open_connections 6', 'received_bytes_total 30'])
    t.true(metrics.includes(`tnet_proxy_${line}\n`), metrics);
  cli.child.kill('SIGUSR1');
  const [, totals = ''] = await cli.said(/(\{[^\n]*"event":"totals".*\})/);
  t.like(JSON.parse(totals), { connections: 6, open: 6, sentBytes: 30, receivedBytes: 30, failed: 0 });
  const ids = [...cli.stderr().matchAll(/"event":"accepted","id":(\d+)/g)].map((match) => Number(match[1]));
  t.deepEqual(ids.sort(), [1, 2, 3, 4, 5, 6]);
});

test.serial('-m, --rate and --allow hold for all workers together', async (t) => {
  const target = await startEcho(t);
  const full = await startProxy(t, target, '--workers', '2', '-m', '2', '--reject');
  const held = [await connectPeer(t, full.address), await connectPeer(t, full.address)];
  for (const socket of held) {
    socket.write('a');
    await once(socket, 'data');
  }
  t.is(await waitEnd(t, full.address), 'ECONNRESET');
  await full.cli.said(/too many connections/);
  const waiting = await startProxy(t, target, '--workers', '2', '-m', '1');
  const first = await connectPeer(t, waiting.address);
  first.write('a');
  await once(first, 'data');
  const second = await connectPeer(t, waiting.address);
  second.end('b');
  first.end();
  t.is((await collect(second)).toString(), 'b');
  const named = await startNamed(t, 'in');
  const rated = await startProxy(t, named, '--workers', '2', '--rate', '2/h', '--accept-proxy');
  const header = 'PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\n';
  const answers = [];
  for (let index = 0; index < 4; index++)
    answers.push((await exchange(t, rated.address, header)).bytes.toString());
  t.deepEqual(answers, ['in', 'in', '', '']);
  rated.cli.child.kill('SIGUSR1');
  await rated.cli.said(/2 refused \(too many new connections\)/);
});

test.serial('a worker that is killed is said and replaced, and the others go on', async (t) => {
  const { cli, address } = await startProxy(t, await startEcho(t), '--workers', '2', '-v');
  const held = await Promise.all(Array.from({ length: 4 }, () => connectPeer(t, address)));
  for (const socket of held) {
    socket.write('a');
    await once(socket, 'data');
  }
  const ends = held.map((socket) => collectUntilClose(socket));
  const [first = 0] = workersOf(cli.stderr());
  process.kill(first, 'SIGKILL');
  await cli.said(/worker \d \(process \d+\) ended by SIGKILL, 2 connections lost; another is started/);
  await cli.said(/(serves[^]*){3}/);
  for (const socket of held) socket.end('b');
  const whole = (await Promise.all(ends)).filter(({ bytes }) => bytes.toString() === 'b');
  t.is(whole.length, 2);
  const sent = payload(100_000);
  sameBytes(t, (await exchange(t, address, sent)).bytes, sent);
  // Its client may see the end before the worker has told of it.
  await cli.said(/: eof, 100000 bytes in, 100000 bytes out/);
  cli.child.kill('SIGUSR1');
  await cli.said(/5 connections \(2 failed\)/);
});

test.serial('SIGHUP reaches every worker, and connections go on', async (t) => {
  const file = join(tempDir(t), 'proxy.json');
  const write = (target: string) =>
    writeFileSync(file, JSON.stringify({ pairs: [{ listen: '127.0.0.1:0', targets: [target] }] }));
  write(await startEcho(t));
  const cli = startCli(t, ['proxy', '--config', file, '--workers', '2']);
  const address = await cli.address();
  const held = await connectPeer(t, address);
  held.write('a');
  await once(held, 'data');
  write(await startNamed(t, 'new'));
  cli.child.kill('SIGHUP');
  await cli.said(/reloaded/);
  for (let index = 0; index < 4; index++) t.is((await exchange(t, address)).bytes.toString(), 'new');
  held.end('b');
  t.is((await collect(held)).toString(), 'b');
});

test.serial('a reload goes on without a worker that dies before it has taken the pairs', async (t) => {
  const file = join(tempDir(t), 'proxy.json');
  const write = (target: string) =>
    writeFileSync(file, JSON.stringify({ pairs: [{ listen: '127.0.0.1:0', targets: [target] }] }));
  write(await startNamed(t, 'old'));
  const cli = startCli(t, ['proxy', '--config', file, '--workers', '2', '-v']);
  const address = await cli.address();
  const [first = 0] = workersOf(cli.stderr());
  process.kill(first, 'SIGSTOP');
  write(await startNamed(t, 'new'));
  cli.child.kill('SIGHUP');
  process.kill(first, 'SIGKILL');
  await cli.said(/reloaded/);
  for (let index = 0; index < 4; index++) t.is((await exchange(t, address)).bytes.toString(), 'new');
});

test.serial('a reload whose address is in use leaves the workers with the old targets, too', async (t) => {
  const file = join(tempDir(t), 'proxy.json');
  const write = (target: string, ...listens: string[]) =>
    writeFileSync(file, JSON.stringify({ pairs: listens.map((listen) => ({ listen, targets: [target] })) }));
  write(await startNamed(t, 'old'), '127.0.0.1:0');
  const cli = startCli(t, ['proxy', '--config', file, '--workers', '2']);
  const address = await cli.address();
  const target = await startNamed(t, 'new');
  write(target, '127.0.0.1:0', await startEcho(t));
  cli.child.kill('SIGHUP');
  await cli.said(/EADDRINUSE/);
  for (let index = 0; index < 4; index++) t.is((await exchange(t, address)).bytes.toString(), 'old');
  write(target, '127.0.0.1:0');
  cli.child.kill('SIGHUP');
  await cli.said(/reloaded/);
  for (let index = 0; index < 4; index++) t.is((await exchange(t, address)).bytes.toString(), 'new');
});

test.serial('SIGTERM drains the connections of all workers, up to the limit', async (t) => {
  const { cli, address } = await startProxy(t, await startEcho(t), '--workers', '2', '--drain', '20s');
  const held = await connectPeer(t, address);
  held.write('a');
  await once(held, 'data');
  cli.child.kill('SIGTERM');
  await cli.said(/waiting for 1 connection/);
  held.end('b');
  t.is((await collect(held)).toString(), 'b');
  t.is((await cli.exit).code, 143);
  const short = await startProxy(t, await startEcho(t), '--workers', '2', '--drain', '100ms', '-v');
  const stuck = await connectPeer(t, short.address);
  stuck.write('a');
  await once(stuck, 'data');
  short.cli.child.kill('SIGTERM');
  await collectUntilClose(stuck);
  stuck.destroy();
  t.is((await short.cli.exit).code, 143);
  const alive = workersOf(short.cli.stderr()).map((pid) => {
    try {
      return execFileSync('ps', ['-o', 'stat=', '-p', String(pid)]).toString();
    } catch {
      return '';
    }
  });
  t.deepEqual(
    alive.filter((state) => state !== '' && !state.startsWith('Z')),
    [],
  );
});

test.serial('with 64 descriptors a process, 200 clients are served in turn by workers', async (t) => {
  const words = ['proxy', '127.0.0.1:0', await startEcho(t), '--workers', '2'];
  const { address, stderr } = await startLimited(t, 64, words);
  const answers = await exchangeMany(t, address, 200);
  t.deepEqual(
    answers.filter((answer) => answer !== 'same'),
    [],
    stderr(),
  );
});

test.serial('with a seed, workers cause the faults of one process in the same connections', async (t) => {
  const target = await startEcho(t);
  const faults = ['--corrupt', '0.5', '--probability', '0.5', '--seed', '7'];
  const seen = [];
  for (const words of [[], ['--workers', '2']]) {
    const { address } = await startProxy(t, target, ...words, ...faults);
    const answers: string[] = [];
    for (let count = 0; count < 12; count++)
      answers.push((await exchange(t, address, 'hello')).bytes.toString('hex'));
    seen.push(answers);
  }
  t.deepEqual(seen[1], seen[0]);
  const whole = seen[0]!.filter((answer) => answer === Buffer.from('hello').toString('hex')).length;
  t.true(whole > 0 && whole < 12);
});

for (const [args, message] of [
  [['0', '--replay', 'a.json', '--workers', '2'], /--replay: makes no sense with --workers/],
  [['0', '1', '--workers', '2', '--tap'], /--tap.*--workers|--workers.*--tap/],
  [['0', '1', '--workers', '2', '-o', 'x.pcapng'], /--output.*--workers|--workers.*--output/],
  [['0', '1', '--workers', '0'], /--workers/],
] as const) {
  test.serial(`proxy ${args.join(' ')} is a usage error in one line`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', ...args]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}
