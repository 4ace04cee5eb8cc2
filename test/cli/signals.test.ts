import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { collect } from '../helpers/bytes.ts';
import { runCli, startCli, tnetPath } from '../helpers/cli.ts';
import { readText } from '../helpers/lines.ts';
import { connectPeer, startPeerServer } from '../helpers/peers.ts';
import { testWith } from '../helpers/programs.ts';
import { startEcho } from '../helpers/proxy.ts';
import { tempDir } from '../helpers/temp.ts';

const unixTest = process.platform === 'win32' ? test.serial.skip : test.serial;
const linuxTest = process.platform === 'linux' ? test.serial : test.serial.skip;

const signals = [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const;

/** Server commands in front of a target, each with what it says at its end. */
const servers = [
  { name: 'listen -k', args: () => ['listen', '-v', '-k', '127.0.0.1:0'] },
  { name: 'listen -e', args: () => ['listen', '-v', '-k', '-e', 'cat', '127.0.0.1:0'] },
  { name: 'listen -u', args: () => ['listen', '-v', '-k', '-u', '127.0.0.1:0'] },
  { name: 'echo', args: () => ['echo', '127.0.0.1:0'] },
  { name: 'echo -u', args: () => ['echo', '-u', '127.0.0.1:0'] },
  { name: 'proxy', args: (target: string) => ['proxy', '127.0.0.1:0', target] },
  { name: 'proxy --socks', args: () => ['proxy', '127.0.0.1:0', '--socks'] },
  { name: 'proxy udp://', args: (target: string) => ['proxy', 'udp://127.0.0.1:0', target] },
  {
    name: 'proxy --workers 2',
    args: (target: string) => ['proxy', '127.0.0.1:0', target, '--workers', '2'],
  },
];

for (const [signal, status] of signals) {
  for (const { name, args } of servers) {
    unixTest(
      `${signal} as soon as ${name} says listening is answered, and ends it by the signal`,
      async (t) => {
        const cli = startCli(t, args(await startEcho(t)), { stdin: 'null' });
        await cli.said(/listening on /);
        cli.child.kill(signal);
        t.deepEqual(await cli.exit, { code: status, signal }, cli.stderr());
        t.regex(cli.stderr(), / in [\d.]+ s\n$/, 'it has printed its totals');
      },
    );
  }
}

unixTest('a signal while a server is started leaves no Unix path, whenever it comes', async (t) => {
  const dir = tempDir(t);
  for (const wait of [40, 80, 120, 160, 200]) {
    const path = join(dir, String(wait));
    const cli = startCli(t, ['echo', '-U', path], { stdin: 'null' });
    await new Promise((resolve) => setTimeout(resolve, wait));
    cli.child.kill('SIGTERM');
    t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
    t.false(existsSync(path));
  }
});

for (const [signal, status] of signals) {
  unixTest(
    `${signal} ends a session as aborted, delivers what was read, and is the end of the process`,
    async (t) => {
      const server = await startPeerServer(t, 'tcp');
      const file = join(tempDir(t), 'record');
      const cli = startCli(t, ['connect', '-v', '-o', file, '--format', 'json', ...server.words]);
      const peer = await server.accept();
      const received = collect(peer);
      cli.stdin.write('before');
      await once(peer, 'data');
      cli.child.kill(signal);
      t.deepEqual(await cli.exit, { code: status, signal });
      t.is((await received).toString(), 'before');
      t.regex(cli.stderr(), /aborted/);
      t.notRegex(cli.stderr(), /eof/);
      const last = readFileSync(file, 'utf8').trimEnd().split('\n').at(-1)!;
      t.like(JSON.parse(last), { event: 'close', reason: 'aborted' });
    },
  );

  unixTest(
    `${signal} ends listen -e by the signal, with its program ended and its client told`,
    async (t) => {
      const cli = startCli(t, ['listen', '-v', '-e', 'cat', '127.0.0.1:0']);
      const client = await connectPeer(t, await cli.address());
      client.write('x');
      await once(client, 'data');
      cli.child.kill(signal);
      await collect(client);
      t.deepEqual(await cli.exit, { code: status, signal });
      t.notRegex(cli.stderr(), /eof/);
    },
  );
}

unixTest('a second signal ends the process at once', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => void socket.write('x'));
  const cli = startCli(t, ['proxy', '127.0.0.1:0', server.words.join(':'), '--drain', '60s']);
  const client = await connectPeer(t, await cli.address());
  await once(client, 'data');
  cli.child.kill('SIGTERM');
  await cli.said(/waiting for 1 connection/);
  cli.child.kill('SIGTERM');
  t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
});

unixTest('SIGTERM right behind "listening" leaves a client its time to drain', async (t) => {
  const server = await startPeerServer(t, 'tcp', (socket) => socket.pipe(socket));
  const path = join(tempDir(t), 's');
  const cli = startCli(t, ['proxy', path, server.words.join(':'), '--drain', '60s']);
  await cli.address();
  const client = await connectPeer(t, path);
  client.write('one');
  cli.child.kill('SIGTERM');
  await once(client, 'data');
  await cli.said(/waiting for 1 connection/);
  client.write('two');
  t.is(((await once(client, 'data'))[0] as Buffer).toString(), 'two');
  client.end();
  await collect(client);
  t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
  t.false(existsSync(path));
});

for (const kind of ['tcp', 'unix'] as const) {
  unixTest(
    `clients that wait in the backlog of a ${kind} listener when SIGTERM comes are served`,
    async (t) => {
      const server = await startPeerServer(t, 'tcp', (socket) => socket.pipe(socket));
      const path = join(tempDir(t), 's');
      const listen = kind === 'unix' ? path : '127.0.0.1:0';
      // Which thread sees the clients first is chance.
      for (let round = 0; round < 8; round++) {
        const cli = startCli(t, ['proxy', listen, server.words.join(':'), '--drain', '60s'], {
          env: { TNET_NATIVE: '', TNET_EXPRESS: '' },
        });
        const address = await cli.address();
        cli.child.kill('SIGSTOP');
        const clients = await Promise.all([1, 2, 3].map(() => connectPeer(t, address)));
        cli.child.kill('SIGTERM');
        cli.child.kill('SIGCONT');
        const answers = clients.map(collect);
        for (const client of clients) client.end('waited');
        for (const answer of answers) t.is((await answer).toString(), 'waited');
        t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
      }
    },
  );
}

/** Runs tnet as the child of a shell that ignores SIGHUP, or under nohup; gives its pid, and lines of what it says. */
const ignorers = [
  { name: "a shell's trap '' HUP", script: `trap '' HUP; "$@" & echo $!; wait` },
  { name: 'nohup in bash', script: `nohup "$@" & echo $!; wait` },
];

for (const { name, script } of ignorers) {
  testWith('bash', 'nohup')(`under ${name} SIGHUP ends nothing, and SIGTERM ends as ever`, async (t) => {
    if (process.platform !== 'linux') {
      t.pass('only Linux tells it');
      return;
    }
    const words = [process.execPath, tnetPath, 'echo', '127.0.0.1:0'];
    const shell = spawn('bash', ['-c', script, 'bash', ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    t.teardown(() => shell.kill('SIGKILL'));
    const [out, said] = [readText(shell.stdout), readText(shell.stderr)];
    const pid = Number((await out.until(/^(\d+)\n/))[1]);
    t.teardown(() => tryKill(pid, 'SIGKILL'));
    const [, address = ''] = await said.until(/listening on (\S+)\n/);
    process.kill(pid, 'SIGHUP');
    const client = await connectPeer(t, address);
    client.end('alive');
    t.is((await collect(client)).toString(), 'alive');
    process.kill(pid, 'SIGTERM');
    await said.until(/1 connection, 5 bytes in, 5 bytes out/);
  });
}

for (const [what, args] of [
  ['the command behind --', (words: readonly string[], line: string) => [...words, '--', 'sh', '-c', line]],
  ['a program of -c', (words: readonly string[], line: string) => ['-c', line, ...words]],
] as const) {
  linuxTest(`a SIGHUP that was ignored at the start is ignored by ${what}, too`, async (t) => {
    const server = await startPeerServer(
      t,
      'tcp',
      (socket) => void collect(socket).then((all) => socket.end(all)),
    );
    const line = 'grep -q "^SigIgn.*[13579bdf]$" /proc/$$/status; exit $((40 + $?))';
    const status = (trap: string) => {
      const words = [process.execPath, tnetPath, 'connect', ...args(server.words, line)];
      const shell = spawn('sh', ['-c', `${trap} "$@"; exit $?`, 'sh', ...words], { stdio: 'ignore' });
      return once(shell, 'exit').then(([code]) => code as number);
    };
    t.is(await status("trap '' HUP;"), 40);
    t.is(await status(''), 41);
  });
}

for (const [name, args, end] of [
  ['listen', ['listen', '127.0.0.1:0'], 'SIGTERM'],
  ['isip', ['isip'], undefined],
] as const) {
  unixTest(`SIGUSR1 has no effect on ${name}, and opens no inspector`, async (t) => {
    const cli = startCli(t, args);
    const answered = once(cli.stdout, 'data').catch(() => undefined);
    if (end) await cli.address();
    else {
      cli.stdin.write('::1\n');
      await answered;
    }
    cli.child.kill('SIGUSR1');
    if (end) cli.child.kill(end);
    else cli.stdin.end();
    t.is((await cli.exit).code, end ? 143 : 0);
    t.notRegex(cli.stderr(), /Debugger/);
  });
}

unixTest('SIGUSR1 does nothing to a session of connect, which goes on', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', ...server.words]);
  const peer = await server.accept();
  cli.child.kill('SIGUSR1');
  cli.stdin.end('after');
  t.is((await collect(peer)).toString(), 'after');
  peer.end();
  t.deepEqual(await cli.exit, { code: 0, signal: null });
  t.is(cli.stderr(), '');
});

unixTest('SIGUSR1 has a server print its totals so far', async (t) => {
  const cli = startCli(t, ['echo', '127.0.0.1:0']);
  const client = await connectPeer(t, await cli.address());
  client.end('12345');
  await collect(client);
  cli.child.kill('SIGUSR1');
  await cli.said(/1 connection, 5 bytes in, 5 bytes out/);
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
});

unixTest('a limit of the run is no signal: its status is 124', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const { code, signal } = await runCli(t, ['connect', '--timeout', '50ms', ...server.words], '', {
    stdin: 'null',
  });
  t.deepEqual({ code, signal }, { code: 124, signal: null });
});

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}
