import { spawnSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { startCli, runCli, type Cli } from '../helpers/cli.ts';
import { processTree } from '../helpers/descriptors.ts';
import { exchange, startEcho } from '../helpers/proxy.ts';

/** As the entry point of a container: process 1 of a namespace. */
const inside = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];

function whyNone(): string | undefined {
  const [command = '', ...words] = inside;
  if (spawnSync(command, [...words, 'true'], { stdio: 'ignore' }).status !== 0)
    return 'a namespace of processes needs Linux, unshare and root';
  return loadNativeAddon() ? undefined : 'nothing can wait for orphans without the native engine';
}

const reason = whyNone();
if (reason !== undefined) console.log(`skipped: ${reason}`);
const firstTest = reason === undefined ? test.serial : test.serial.skip;

/** Leaves a process behind that ends a little later; it holds our stdout for as long as it runs. */
const leaver = 'sleep 0.1 & exit 3';

/** Waits until tnet has no more than so many processes, living ones and dead ones; gives how many stay. */
async function settleProcesses(cli: Cli, most: number): Promise<number> {
  const count = () => processTree(cli.child.pid!).length - 2;
  const deadline = performance.now() + 5_000;
  // The system tells nobody but the parent that a process has gone.
  while (count() > most && performance.now() < deadline) await delay(20);
  return count();
}

const exec = [
  { name: 'listen -k -c', args: ['-c', leaver] },
  { name: 'listen -k -e', args: ['-e', `sh -c '${leaver}'`] },
];

for (const { name, args } of exec) {
  firstTest(`as process 1, ${name} waits for what its programs leave behind, and for them`, async (t) => {
    const cli = startCli(t, ['listen', '-k', '--json', ...args, '127.0.0.1:0'], { inside, stdin: 'null' });
    const [, address = ''] = await cli.said(/"address":"([^"]+)"/);
    const clients = 8;
    await Promise.all(Array.from({ length: clients }, () => exchange(t, address)));
    // A status that was taken from libuv would never be told.
    await cli.said(new RegExp(`(?:"event":"program-ended".*"status":3[^]*?){${clients}}`));
    t.is(await settleProcesses(cli, 0), 0);
  });
}

const servers = [
  { name: 'listen -k', args: () => ['listen', '-k', '127.0.0.1:0'], own: 0 },
  { name: 'echo', args: () => ['echo', '127.0.0.1:0'], own: 0 },
  { name: 'proxy', args: (target: string) => ['proxy', '127.0.0.1:0', target], own: 0 },
  {
    name: 'proxy --workers 2',
    args: (target: string) => ['proxy', '127.0.0.1:0', target, '--workers', '2'],
    own: 2,
  },
];

for (const { name, args, own } of servers) {
  firstTest(`as process 1, ${name} waits for what the shell that became it has left behind`, async (t) => {
    const shell = ['sh', '-c', 'true & sleep 0.5 & exec "$@"', 'sh'];
    const cli = startCli(t, args(await startEcho(t)), { inside: [...inside, ...shell], stdin: 'null' });
    await cli.address();
    t.is(await settleProcesses(cli, own), own);
  });
}

const commands = [
  { line: ['sh', '-c', 'sleep 0.1 & (true &); exit 7'], status: 7 },
  { line: ['sh', '-c', '(true &); sleep 0.1; kill -TERM $$'], status: 143 },
  { line: ['/nonexistent/command'], status: 127 },
  { line: ['/etc/passwd'], status: 126 },
];

for (const { line, status } of commands) {
  firstTest(`as process 1, connect gives the status ${status} of the command behind --`, async (t) => {
    const [host, port] = (await startEcho(t)).split(':') as [string, string];
    const { code, stderr } = await runCli(t, ['connect', '--wait', '10s', host, port, '--', ...line], '', {
      inside,
    });
    t.is(code, status, stderr);
  });
}

firstTest('as process 1, a proxy sees a worker end, and starts another', async (t) => {
  const args = ['proxy', '127.0.0.1:0', await startEcho(t), '--workers', '2'];
  const cli = startCli(t, args, { inside, stdin: 'null' });
  const address = await cli.address();
  const [, , worker = 0] = processTree(cli.child.pid!);
  process.kill(worker, 'SIGKILL');
  await cli.said(/worker \d+ .*\n/);
  t.is((await exchange(t, address, 'still here')).bytes.toString(), 'still here');
});
