import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli, tnetPath } from '../../helpers/cli.ts';
import { startPeerServer } from '../../helpers/peers.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { testWith } from '../../helpers/programs.ts';
import { startSshd } from '../../helpers/sshd.ts';
import { tempDir } from '../../helpers/temp.ts';

/** A server that answers `bytes` bytes with `reply` and ends. */
async function startReplier(t: ExecutionContext, bytes: number, reply: Buffer) {
  const received: Buffer[] = [];
  let left = bytes;
  const server = await startPeerServer(t, 'tcp', (socket) => {
    socket.on('data', (chunk: Buffer) => {
      received.push(chunk);
      left -= chunk.length;
      if (left === 0) socket.end(reply);
    });
  });
  return { words: server.words, port: Number(server.words[1]), received };
}

async function startMicrosocks(t: ExecutionContext, ...flags: string[]): Promise<number> {
  const port = await closedPort();
  const child = startProgram(t, 'microsocks', ['-i', '127.0.0.1', '-p', String(port), ...flags]);
  await waitForPort(port, child);
  return port;
}

async function startNcatProxy(t: ExecutionContext, ...flags: string[]): Promise<number> {
  const port = await closedPort();
  const child = startProgram(t, 'ncat', [
    '-l',
    '-k',
    '127.0.0.1',
    String(port),
    '--proxy-type',
    'http',
    ...flags,
  ]);
  await waitForPort(port, child);
  return port;
}

async function startTinyproxy(t: ExecutionContext, ...lines: string[]): Promise<number> {
  const port = await closedPort();
  const file = join(tempDir(t), 'tinyproxy.conf');
  writeFileSync(
    file,
    [`Port ${port}`, 'Listen 127.0.0.1', 'Timeout 60', 'MaxClients 10', ...lines, ''].join('\n'),
  );
  const child = startProgram(t, 'tinyproxy', ['-d', '-c', file]);
  await waitForPort(port, child);
  return port;
}

/**
 * A whole exchange through the proxies: every byte both ways, exit 0, nothing said. Without a half-close: none of these
 * proxies carries one, they take it for the end of both directions.
 */
async function checkExchange(
  t: ExecutionContext,
  proxies: readonly string[],
  env: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<void> {
  const [up, down] = [payload(300_001), payload(400_001)];
  const target = await startReplier(t, up.length, down);
  const way = proxies.flatMap((proxy) => ['-x', proxy]);
  const args = ['connect', '--no-shutdown', ...way, ...flags, ...target.words];
  const run = await runCli(t, args, up, { env });
  t.is(run.code, 0, run.stderr);
  t.is(run.stderr, '');
  sameBytes(t, run.stdout, down);
  sameBytes(t, Buffer.concat(target.received), up);
}

testWith('microsocks')('connect goes through microsocks as SOCKS 5', async (t) => {
  const port = await startMicrosocks(t);
  await checkExchange(t, [`socks5://127.0.0.1:${port}`]);
  await checkExchange(t, [`127.0.0.1:${port}`]);
});

testWith('microsocks')(
  'connect goes through microsocks with user and password, from the environment or a file',
  async (t) => {
    const port = await startMicrosocks(t, '-u', 'ada', '-P', 's3cret');
    const proxy = `socks5://ada@127.0.0.1:${port}`;
    await checkExchange(t, [proxy], { TNET_PROXY_PASSWORD: 's3cret' });
    const file = join(tempDir(t), 'password');
    writeFileSync(file, 's3cret\n');
    await checkExchange(t, [proxy], {}, ['--proxy-password-file', file]);
  },
);

const ncatUser = ['--proxy-auth', 'ada:s3cret'];
const password = { TNET_PROXY_PASSWORD: 's3cret' };

testWith('ncat')(
  'connect goes through ncat as HTTP proxy, with and without Digest or Basic authentication',
  async (t) => {
    const open = await startNcatProxy(t);
    await checkExchange(t, [`http://127.0.0.1:${open}`]);
    const closed = await startNcatProxy(t, ...ncatUser);
    await checkExchange(t, [`http://ada@127.0.0.1:${closed}`], password);
  },
);

testWith('tinyproxy')('connect goes through tinyproxy, with and without Basic authentication', async (t) => {
  const open = await startTinyproxy(t);
  await checkExchange(t, [`http://127.0.0.1:${open}`]);
  const closed = await startTinyproxy(t, 'BasicAuth ada s3cret');
  await checkExchange(t, [`http://ada@127.0.0.1:${closed}`], password);
});

testWith(
  'microsocks',
  'tinyproxy',
  'ncat',
)('proxies make a chain, each with its own password', async (t) => {
  const first = await startMicrosocks(t, '-u', 'ada', '-P', 'one');
  const second = await startNcatProxy(t, '--proxy-auth', 'bob:two');
  const third = await startTinyproxy(t);
  const file = join(tempDir(t), 'passwords');
  writeFileSync(file, 'one\ntwo\n');
  const proxies = [
    `socks5://ada@127.0.0.1:${first}`,
    `http://bob@127.0.0.1:${second}`,
    `http://127.0.0.1:${third}`,
  ];
  await checkExchange(t, proxies, {}, ['--proxy-password-file', file]);
});

testWith('microsocks')('-v names every step of the way', async (t) => {
  const [first, second] = [await startMicrosocks(t), await startMicrosocks(t)];
  const target = await startReplier(t, 1, Buffer.from('x'));
  const args = [
    'connect',
    '-v',
    '--no-shutdown',
    '-x',
    `127.0.0.1:${first}`,
    '-x',
    `127.0.0.1:${second}`,
    ...target.words,
  ];
  const run = await runCli(t, args, 'x');
  t.is(run.code, 0, run.stderr);
  t.true(run.stderr.includes(`through socks5://127.0.0.1:${first} to 127.0.0.1:${second}\n`), run.stderr);
  t.true(
    run.stderr.includes(`through socks5://127.0.0.1:${second} to 127.0.0.1:${target.port}\n`),
    run.stderr,
  );
});

testWith('microsocks', 'ncat')(
  'a proxy that says no is named, with what it said, and the exit status is 1',
  async (t) => {
    const socks = await startMicrosocks(t, '-u', 'ada', '-P', 's3cret');
    const http = await startNcatProxy(t, ...ncatUser);
    const dead = await closedPort();
    const open = await startMicrosocks(t);
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [
        [`socks5://127.0.0.1:${socks}`],
        /^tnet connect: socks5:\/\/127\.0\.0\.1:\d+: no way to 127\.0\.0\.1:\d+: the proxy requires a user and a password \(TNET_E_PROXY\)\n$/,
      ],
      [
        [`socks5://ada@127.0.0.1:${socks}`],
        /^tnet connect: socks5:\/\/ada@127.*does not accept this user and password/,
      ],
      [
        [`http://127.0.0.1:${http}`],
        /http:\/\/127\.0\.0\.1:\d+: .*requires a user and a password \(digest, basic|requires a user and a password/,
      ],
      [[`http://ada@127.0.0.1:${http}`], /does not accept this user and password/],
      [
        [`socks5://127.0.0.1:${dead}`],
        new RegExp(
          `^tnet connect: socks5://127\\.0\\.0\\.1:${dead}: connection refused \\(ECONNREFUSED\\)\n$`,
        ),
      ],
      [
        [`127.0.0.1:${open}`, `127.0.0.1:${dead}`],
        new RegExp(`socks5://127\\.0\\.0\\.1:${open}: no way to 127\\.0\\.0\\.1:${dead}: .*refused`),
      ],
    ];
    for (const [proxies, says] of cases) {
      const args = ['connect', ...proxies.flatMap((proxy) => ['-x', proxy]), '127.0.0.1', '1'];
      const run = await runCli(t, args, '', { env: { TNET_PROXY_PASSWORD: 'wrong' } });
      t.is(run.code, 1, run.stderr);
      t.regex(run.stderr, says);
      t.false(run.stderr.includes('wrong'));
    }
  },
);

test.serial('bytes that come in one packet with the answer of the proxy are kept', async (t) => {
  const early = payload(30_000);
  const proxy = await startPeerServer(t, 'tcp', (socket) => {
    socket.once('data', () => socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), early])));
  });
  const run = await runCli(t, ['connect', '-x', `http://${proxy.words.join(':')}`, 'example.invalid', '80']);
  t.is(run.code, 0, run.stderr);
  sameBytes(t, run.stdout, early);
});

test.serial('-w covers the whole chain: a proxy that never answers is exit 124', async (t) => {
  const proxy = await startPeerServer(t, 'tcp', () => undefined);
  const run = await runCli(t, [
    'connect',
    '-w',
    '300ms',
    '-x',
    proxy.words.join(':'),
    'example.invalid',
    '80',
  ]);
  t.is(run.code, 124, run.stderr);
  t.regex(run.stderr, /no answer from example\.invalid:80 within 300 ms \(TNET_E_TIMEOUT\)\n$/);
});

test.serial('a proxy that cannot be used is exit 2 before anything is opened', async (t) => {
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [['-x', 'socks5://ada:s3cret@h:1'], /^tnet connect: socks5:\/\/…@h:1: no password on the command line/],
    [['-x', 'ftp://h:1'], /unknown proxy protocol ftp: use socks4, socks4a, socks5, http or https/],
    [['-x', 'socks5://ada@h:1'], /the proxy user needs a password: in TNET_PROXY_PASSWORD/],
    [['-x', 'h:1', '--proxy-password-file', '/nowhere'], /needs a -x that names a user/],
    [['-x', 'http://ada@h:1', '--proxy-password-file', '/nowhere'], /\/nowhere: cannot be read \(ENOENT\)/],
    [['--proxy', 'h:1'], /unknown option '--proxy': use -x/],
  ];
  for (const [flags, says] of cases) {
    const run = await runCli(t, ['connect', ...flags, '127.0.0.1', '1']);
    t.is(run.code, 2, run.stderr);
    t.regex(run.stderr, says);
    t.false(run.stderr.includes('s3cret'));
  }
});

testWith(
  'ssh',
  'sshd',
  'ssh-keygen',
  'microsocks',
)('ssh goes through connect as its ProxyCommand', async (t) => {
  const { config } = await startSshd(t, tempDir(t), await closedPort());
  const proxy = await startMicrosocks(t);
  const command = `${process.execPath} ${tnetPath} connect -x socks5://127.0.0.1:${proxy} %h %p`;
  const sent = payload(500_001);
  const words = ['-F', config, '-o', `ProxyCommand=${command}`, '127.0.0.1', 'cat'];
  const ssh = spawn('ssh', words, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => ssh.kill('SIGKILL'));
  ssh.stdin.end(sent);
  const exit = once(ssh, 'exit');
  sameBytes(t, await collect(ssh.stdout), sent);
  t.deepEqual(await exit, [0, null]);
});

testWith('microsocks')(
  'connect is secure through a proxy too, and names the target in its check',
  async (t) => {
    const proxy = await startMicrosocks(t);
    const plain = net.createServer((socket) => socket.on('error', () => undefined).end('no TLS here'));
    t.teardown(() => plain.close());
    plain.listen(0, '127.0.0.1');
    await once(plain, 'listening');
    const { port } = plain.address() as net.AddressInfo;
    const cli = startCli(t, ['connect', '--tls', '-x', `127.0.0.1:${proxy}`, '127.0.0.1', String(port)], {
      stdin: 'null',
    });
    t.is((await cli.exit).code, 1);
    t.regex(
      cli.stderr(),
      new RegExp(`^tnet connect: 127\\.0\\.0\\.1:${port}: the peer does not speak TLS here`),
    );
  },
);

/** A line that comes when the answer may be lost: it names the proxy, the half-close and what helps. */
const halfCloseHint =
  /^tnet connect: (socks5|http):\/\/127\.0\.0\.1:\d+: nothing was received after our half-close, .*--no-shutdown -q TIME\n$/;

/** A server that answers 300 ms after the first byte: by then a proxy has acted on a half-close. */
async function startSlowReplier(t: ExecutionContext) {
  return startPeerServer(t, 'tcp', (socket) => {
    socket.resume().once('data', () => setTimeout(() => socket.end('answer'), 300));
  });
}

for (const [name, scheme, start] of [
  ['microsocks', 'socks5', startMicrosocks],
  ['ncat', 'http', startNcatProxy],
] as const) {
  testWith(name)(
    `an answer that ${name} cut at our half-close is told, and the status stays 0`,
    async (t) => {
      const port = await start(t);
      const target = await startSlowReplier(t);
      const args = ['connect', '-x', `${scheme}://127.0.0.1:${port}`, ...target.words];
      const cut = await runCli(t, args, 'via');
      t.deepEqual([cut.code, cut.stdout.toString()], [0, '']);
      t.regex(cut.stderr, halfCloseHint);
      const whole = await runCli(t, [...args, '--no-shutdown', '-q', '20s'], 'via');
      t.deepEqual([whole.code, whole.stdout.toString(), whole.stderr], [0, 'answer', '']);
    },
  );
}

/** A SOCKS server that is its own target: `act` has the connection once the way is open. */
async function startScriptedProxy(t: ExecutionContext, act: (socket: net.Socket) => void) {
  return startPeerServer(t, 'tcp', (socket) => {
    socket.once('data', () => {
      socket.write(Buffer.from([5, 0]));
      socket.once('data', () => {
        socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
        act(socket);
      });
    });
  });
}

for (const native of ['0', '1']) {
  for (const [what, act, flags, isHinted] of [
    ['ends at our half-close', (socket) => socket.resume().once('end', () => socket.end()), [], true],
    [
      'answers before our half-close',
      (socket) => {
        socket.write('hello');
        socket.once('data', () => socket.resume().once('end', () => socket.end()));
      },
      ['--expect', 'hello', '--send', 'x'],
      false,
    ],
    [
      'answers after our half-close',
      (socket) => socket.resume().once('end', () => socket.end('x')),
      [],
      false,
    ],
    ['ends before our half-close', (socket) => socket.resume().end(), ['--no-shutdown'], false],
    [
      'ends with --send-only',
      (socket) => socket.resume().once('end', () => socket.end()),
      ['--send-only'],
      false,
    ],
  ] as const satisfies readonly (readonly [
    string,
    (socket: net.Socket) => void,
    readonly string[],
    boolean,
  ])[]) {
    test.serial(
      `a proxy that ${what} is ${isHinted ? 'named in a hint' : 'no reason for a hint'}, TNET_NATIVE=${native}`,
      async (t) => {
        const proxy = await startScriptedProxy(t, act);
        const args = [
          'connect',
          ...flags,
          '-x',
          `socks5://${proxy.words.join(':')}`,
          'example.invalid',
          '80',
        ];
        const run = await runCli(t, args, 'via', { env: { TNET_NATIVE: native } });
        t.is(run.code, 0, run.stderr);
        if (isHinted) t.regex(run.stderr, halfCloseHint);
        else t.is(run.stderr, '');
      },
    );
  }
}

test.serial('a peer that answers nothing is no reason for a hint without a proxy', async (t) => {
  const peer = await startPeerServer(t, 'tcp', (socket) => socket.resume().once('end', () => socket.end()));
  const run = await runCli(t, ['connect', ...peer.words], 'direct');
  t.deepEqual([run.code, run.stderr], [0, '']);
});

for (const [what, variables, isThrough] of [
  ['the one of ALL_PROXY', { ALL_PROXY: 'socks5h://127.0.0.1:PORT' }, true],
  [
    'one that NO_PROXY does not exempt the target from',
    { all_proxy: 'socks://127.0.0.1:PORT', NO_PROXY: 'a.example' },
    true,
  ],
  [
    'none for a target that NO_PROXY names',
    { ALL_PROXY: 'socks5://127.0.0.1:PORT', no_proxy: '127.0.0.0/8' },
    false,
  ],
] as const) {
  test.serial(`-x env takes from the environment ${what}`, async (t) => {
    const proxy = startCli(t, ['proxy', '127.0.0.1:0', '--socks', '-v']);
    const port = String(await proxy.port());
    const server = await startReplier(t, 5, Buffer.from('answer'));
    const names = {
      ALL_PROXY: '',
      all_proxy: '',
      HTTPS_PROXY: '',
      https_proxy: '',
      NO_PROXY: '',
      ...variables,
    };
    const env = Object.fromEntries(
      Object.entries(names).map(([name, value]) => [name, value.replace('PORT', port)]),
    );
    const { stdout, code } = await runCli(t, ['connect', '-x', 'env', '-v', ...server.words], 'hello', {
      env,
    });
    t.deepEqual([stdout.toString(), code], ['answer', 0]);
    proxy.child.kill('SIGTERM');
    await proxy.exit;
    t.is(proxy.stderr().includes('connection from'), isThrough);
  });
}

test('-x env without a proxy in the environment is refused before a socket opens', async (t) => {
  const env = { ALL_PROXY: '', all_proxy: '', HTTPS_PROXY: '', https_proxy: '' };
  const { code, stderr } = await runCli(t, ['connect', '-x', 'env', '127.0.0.1', '9'], '', { env });
  t.is(code, 2);
  t.is(
    stderr,
    'tnet connect: env: the environment names no proxy: neither ALL_PROXY nor HTTPS_PROXY is set (TNET_E_USAGE)\n',
  );
});
