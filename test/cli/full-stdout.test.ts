import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { collect } from '../helpers/bytes.ts';
import { tnetPath } from '../helpers/cli.ts';
import { startPeerServer } from '../helpers/peers.ts';

const fullTest = existsSync('/dev/full') ? test.serial : test.serial.skip;

/** Runs tnet with the full device as its stdout. */
async function runFull(t: ExecutionContext, args: readonly string[], stdin: string) {
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [tnetPath, ...args], { stdio: ['pipe', full, 'pipe'] });
  closeSync(full);
  t.teardown(() => child.kill('SIGKILL'));
  child.stdin!.on('error', () => undefined).end(stdin);
  const exit = once(child, 'exit');
  const stderr = (await collect(child.stderr!)).toString();
  const [code] = (await exit) as [number];
  return { code, stderr };
}

for (const [args, stdin = ''] of [
  [['isip', '192.0.2.1']],
  [['isip', '192.0.2.1', '::1', '192.0.2.2']],
  [['isip', '--json', '192.0.2.1']],
  [['isip', '-'], '192.0.2.1\n'.repeat(100_000)],
  [['isip', '--json', '-'], '192.0.2.1\n::1\n'],
  [['help', 'connect']],
  [['connect', '--help']],
  [['help']],
  [['--help']],
  [['--version']],
  [['--version', '--verbose']],
  [['completion', 'bash']],
] as const satisfies readonly (readonly [readonly string[], string?])[]) {
  const what = `${args.join(' ')}${stdin === '' ? '' : ` with ${stdin.length} bytes of stdin`}`;
  fullTest(`tnet ${what} on a full device is one line and status 1`, async (t) => {
    const { code, stderr } = await runFull(t, args, stdin);
    t.regex(stderr, /^tnet(?: \w+)?: stdout: no space left on device \(ENOSPC\)\n$/);
    t.is(code, 1);
  });
}

for (const flags of [[], ['--json']]) {
  fullTest(
    `the result of echo --ping ${flags.join(' ')} on a full device is one line and status 1`,
    async (t) => {
      const server = await startPeerServer(t, 'tcp', (socket) => void socket.pipe(socket));
      const args = ['echo', '--ping', '-c', '2', '--rate', 'none', ...flags, ...server.words];
      const { code, stderr } = await runFull(t, args, '');
      const [last = ''] = stderr.trimEnd().split('\n').slice(-1);
      t.regex(last, /^tnet: stdout: no space left on device \(ENOSPC\)$/);
      t.is(stderr.split('ENOSPC').length, 2, stderr);
      t.is(code, 1);
    },
  );
}
