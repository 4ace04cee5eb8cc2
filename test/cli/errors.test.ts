import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { closedPort, runCli } from '../helpers/cli.ts';
import { makeNamespace, silentAddress, testInNamespace } from '../helpers/netns.ts';
import { readListedMessages, patternOf as listedPattern } from '../helpers/listed-messages.ts';
import { testWith } from '../helpers/programs.ts';
import { tempDir } from '../helpers/temp.ts';

/** What mistakes are made with: BUSY is a port of 127.0.0.1 that is listened on, CLOSED one that is not. */
interface Scene {
  readonly busy: number;
  readonly closed: number;
  readonly dir: string;
}

async function setScene(t: ExecutionContext): Promise<Scene> {
  const server = net.createServer((socket) => socket.on('error', () => undefined));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const dir = tempDir(t);
  writeFileSync(join(dir, 'file'), 'text');
  const unix = net.createServer().listen(join(dir, 'live'));
  await once(unix, 'listening');
  t.teardown(() => unix.close());
  return { busy: (server.address() as net.AddressInfo).port, closed: await closedPort(), dir };
}

const holder = process.platform === 'linux' ? String.raw` by \S+ .*, process ${process.pid}` : '';
const pathHolder = process.platform === 'linux' ? String.raw` \(\S+ .*, process ${process.pid}\)` : '';

/** What a new user types, and the one line that it comes to. In the line, `#` stands for a port. */
const tour: readonly (readonly [commandLine: string, status: number, line: string])[] = [
  // Nobody there.
  ['connect 127.0.0.1 CLOSED', 1, 'connect: 127.0.0.1:#: connection refused (ECONNREFUSED)'],
  ['connect -v 127.0.0.1 CLOSED', 1, 'connect: 127.0.0.1:#: connection refused (ECONNREFUSED)'],
  [
    'connect -4 -v localhost CLOSED',
    1,
    'connect: localhost:#: connection refused: 127.0.0.1:# (ECONNREFUSED)',
  ],
  ['connect -4 localhost CLOSED', 1, 'connect: localhost:#: connection refused: 127.0.0.1:# (ECONNREFUSED)'],
  ['echo --ping 127.0.0.1:CLOSED', 1, 'echo: 127.0.0.1:#: connection refused (ECONNREFUSED)'],
  [
    'connect --wait 300ms 127.0.0.1 CLOSED',
    124,
    'connect: 127.0.0.1:#: no connection within 300 ms: connection refused, ECONNREFUSED (TNET_E_TIMEOUT)',
  ],
  [
    'connect -x socks5://127.0.0.1:CLOSED h 80',
    1,
    'connect: socks5://127.0.0.1:#: connection refused (ECONNREFUSED)',
  ],
  ['connect nosuch.invalid 80', 1, 'connect: nosuch.invalid:#: host name not found (ENOTFOUND)'],
  ['connect DIR/none', 1, 'connect: DIR/none: no such file or directory (ENOENT)'],
  // Nobody answers.
  [
    'connect --tls -w 300ms 127.0.0.1 BUSY',
    124,
    'connect: no answer from 127.0.0.1:# within 300 ms (TNET_E_TIMEOUT)',
  ],
  [
    'connect --tls -w 1500ms 127.0.0.1 BUSY',
    124,
    'connect: no answer from 127.0.0.1:# within 1.5 s (TNET_E_TIMEOUT)',
  ],
  // Our own end.
  [
    'connect -s 192.0.2.77 127.0.0.1 BUSY',
    2,
    'connect: -s 192.0.2.77: the source address is not one of this machine, which has ADDRESSES (EADDRNOTAVAIL)',
  ],
  [
    'connect -v -s 192.0.2.77 127.0.0.1 BUSY',
    2,
    'connect: -s 192.0.2.77: the source address is not one of this machine, which has ADDRESSES (EADDRNOTAVAIL)',
  ],
  [
    'connect -u -s 192.0.2.77 127.0.0.1 BUSY',
    2,
    'connect: -s 192.0.2.77: the source address is not one of this machine, which has ADDRESSES (EADDRNOTAVAIL)',
  ],
  [
    'connect -s 127.0.0.1 -p BUSY 127.0.0.1 CLOSED',
    2,
    'connect: -p #: the source port is in useHOLDER; without -p any free port is used (EADDRINUSE)',
  ],
  [
    'connect -v -s 127.0.0.1 -p BUSY localhost CLOSED',
    2,
    'connect: -p #: the source port is in useHOLDER; without -p any free port is used (EADDRINUSE)',
  ],
  [
    'listen 127.0.0.1:BUSY',
    2,
    'listen: 127.0.0.1:#: address already in useHOLDER; --retry-bind waits until it is free (EADDRINUSE)',
  ],
  [
    'echo 127.0.0.1:BUSY',
    2,
    'echo: 127.0.0.1:#: address already in useHOLDER; --retry-bind waits until it is free (EADDRINUSE)',
  ],
  [
    'proxy 127.0.0.1:BUSY 127.0.0.1:CLOSED',
    2,
    'proxy: 127.0.0.1:#: address already in useHOLDER; --retry-bind waits until it is free (EADDRINUSE)',
  ],
  [
    'echo 127.0.0.1:0 --metrics 127.0.0.1:BUSY',
    2,
    'echo: 127.0.0.1:#: address already in useHOLDER (EADDRINUSE)',
  ],
  [
    'listen -U DIR/live',
    2,
    'listen: DIR/live: another server is listening on this pathPATHHOLDER; --retry-bind waits until it is free (TNET_E_PATH_IN_USE)',
  ],
  [
    'listen -U DIR/file',
    2,
    'listen: DIR/file: the path is taken by a file that is not a socket (TNET_E_PATH_IN_USE)',
  ],
  [
    'listen 192.0.2.77:0',
    2,
    'listen: 192.0.2.77:0: not an address of this machine, which has ADDRESSES (EADDRNOTAVAIL)',
  ],
  [
    'listen -u 192.0.2.77:0',
    2,
    'listen: udp://192.0.2.77:0: not an address of this machine, which has ADDRESSES (EADDRNOTAVAIL)',
  ],
  // Addresses as other programs write them.
  [
    'connect https://example.org',
    2,
    'connect: https://example.org: HTTP is not supported; for a plain stream, use tls://example.org:443 (TNET_E_ADDRESS)',
  ],
  [
    'connect https://[::1]:8443/path',
    2,
    'connect: https://[::1]:8443/path: HTTP is not supported; for a plain stream, use tls://[::1]:8443 (TNET_E_ADDRESS)',
  ],
  [
    'connect http://example.org:8080/a?b',
    2,
    'connect: http://example.org:8080/a?b: HTTP is not supported; for a plain stream, use example.org:8080 (TNET_E_ADDRESS)',
  ],
  [
    'connect telnet://router',
    2,
    'connect: telnet://router: for telnet, use: tnet connect -t HOST 23 (TNET_E_ADDRESS)',
  ],
  [
    'connect socks5://p:1080',
    2,
    'connect: socks5://p:1080: to connect through a proxy, use: tnet connect -x socks5://HOST:PORT … (TNET_E_ADDRESS)',
  ],
  [
    'connect VSOCK-CONNECT:2:1',
    2,
    'connect: VSOCK-CONNECT:2:1: a socat address; in tnet it is vsock:2:1 (TNET_E_ADDRESS)',
  ],
  [
    'connect TCP4:host:80',
    2,
    'connect: TCP4:host:80: a socat address; in tnet it is host:80 (TNET_E_ADDRESS)',
  ],
  [
    'listen TCP-LISTEN:8080,fork',
    2,
    'listen: TCP-LISTEN:8080,fork: a socat address; in tnet it is 8080 (TNET_E_ADDRESS)',
  ],
  [
    'connect OPENSSL:host:443,verify=0',
    2,
    'connect: OPENSSL:host:443,verify=0: a socat address; in tnet it is tls://host:443 (TNET_E_ADDRESS)',
  ],
  [
    'connect UNIX-CONNECT:/x',
    2,
    'connect: UNIX-CONNECT:/x: a socat address; in tnet it is unix:/x (TNET_E_ADDRESS)',
  ],
  [
    'connect fd:700',
    2,
    'connect: fd:700: the descriptor is not a connected stream socket (EBADF) (TNET_E_DESCRIPTOR)',
  ],
  [
    'connect fd:0',
    2,
    'connect: fd:0: standard input and output are used as such: pass the connection as another descriptor (TNET_E_DESCRIPTOR)',
  ],
  ['connect -', 2, 'connect: -: standard input and output cannot be connected to (TNET_E_UNSUPPORTED)'],
  // Values.
  [
    'connect -w soon h 80',
    2,
    "connect: -w, --wait-connect: 'soon': a time is a number with ms, s, m or h; seconds without one (TNET_E_USAGE)",
  ],
  [
    'connect --starttls smpt h 25',
    2,
    "connect: --starttls: 'smpt': expected one of smtp, imap, pop3, ftp, postgres, ldap, xmpp, mysql; did you mean smtp? (TNET_E_USAGE)",
  ],
];

/** What differs from machine to machine. */
const marks: Readonly<Record<string, string>> = {
  '#': String.raw`\d+`,
  PATHHOLDER: pathHolder,
  HOLDER: holder,
  ADDRESSES: '.+',
};

function patternOf(line: string, dir: string): RegExp {
  const parts = `tnet ${line}\n`.replaceAll('DIR', dir).split(/(#|PATHHOLDER|HOLDER|ADDRESSES)/);
  const escape = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return new RegExp(`^${parts.map((part) => marks[part] ?? escape(part)).join('')}$`);
}

for (const [commandLine, status, line] of tour) {
  test.serial(
    `tnet ${commandLine} ends with status ${status} and one line that says what and where`,
    async (t) => {
      const { busy, closed, dir } = await setScene(t);
      const words = commandLine
        .replaceAll('BUSY', String(busy))
        .replaceAll('CLOSED', String(closed))
        .replaceAll('DIR', dir);
      const { code, stdout, stderr } = await runCli(t, words.split(' '), '');
      t.regex(stderr, patternOf(line, dir));
      t.is(code, status);
      t.is(stdout.length, 0);
    },
  );
}

test('every line of these is on the list of docs/errors.md', (t) => {
  const patterns = readListedMessages().map(({ text }) => listedPattern(text));
  // The system's own texts, without a sentence of ours.
  const ofSystem = /: (?:connection refused|no such file or directory)(?:: \S+)?$/;
  const said = tour.map(([, , line]) =>
    line
      .replace(/ \(\w+\)$/, '')
      .replace('PATHHOLDER', ' (x, process 1)')
      .replace('HOLDER', ' by x, process 1'),
  );
  t.deepEqual(
    said.filter((line) => !ofSystem.test(line) && !patterns.some((pattern) => pattern.test(line))),
    [],
  );
});

test.serial('-v says each refused address of a name once', async (t) => {
  const port = await closedPort();
  for (const flags of [['-v'], ['-vv'], ['-v', '--retry', '1', '--retry-delay', '1ms']]) {
    const { stderr } = await runCli(t, ['connect', ...flags, 'localhost', String(port)]);
    const tries = flags.includes('--retry') ? 2 : 1;
    t.is(stderr.match(/refused/g)?.length, tries, stderr);
    const failures = stderr.split('\n').filter((one) => one.includes('refused'));
    for (const failure of failures) t.true(failure.includes(`127.0.0.1:${port}`), stderr);
  }
});

test.serial('a proxy with -v says of a target that refuses once that it does', async (t) => {
  const { startCli } = await import('../helpers/cli.ts');
  const port = await closedPort();
  for (const engine of ['1', '0']) {
    const cli = startCli(t, ['proxy', '-v', '127.0.0.1:0', `127.0.0.1:${port}`], {
      env: { TNET_EXPRESS: engine },
    });
    const client = net.connect(await cli.port(), '127.0.0.1').on('error', () => undefined);
    await new Promise((resolve) => client.once('close', resolve));
    await cli.said(/refused/);
    cli.child.kill();
    await cli.exit;
    t.is(cli.stderr().match(/refused/g)?.length, 1, cli.stderr());
  }
});

testInNamespace()(
  'a time-out names the address that did not answer, once, and the limit as it was given',
  async (t) => {
    const { inside } = makeNamespace(t, silentAddress, '127.0.0.1 localhost\n10.9.9.2 silent.test\n');
    const ask = async (...words: string[]) => (await runCli(t, ['connect', ...words], '', { inside })).stderr;
    t.is(
      await ask('-w', '1s', '10.9.9.2', '80'),
      'tnet connect: no answer from 10.9.9.2:80 within 1 s (TNET_E_TIMEOUT)\n',
    );
    t.is(
      await ask('-v', '-w', '1500ms', '10.9.9.2', '80'),
      'tnet connect: no answer from 10.9.9.2:80 within 1.5 s (TNET_E_TIMEOUT)\n',
    );
    t.is(
      await ask('-w', '1500ms', 'silent.test', '80'),
      'tnet connect: silent.test:80: no answer from 10.9.9.2:80 within 1.5 s (TNET_E_TIMEOUT)\n',
    );
    t.is(
      await ask('--wait', '1s', '10.9.9.2', '80'),
      'tnet connect: no answer from 10.9.9.2:80 within 1 s (TNET_E_TIMEOUT)\n',
    );
  },
);

testInNamespace()(
  'a privileged port is called so, for listening and as a source, and what to do is said',
  async (t) => {
    if (process.getuid?.() !== 0) return t.pass('who is not root cannot become another');
    const { inside } = makeNamespace(t, []);
    // A new namespace has the system's default: 1024.
    const asNobody = [
      ...inside,
      'setpriv',
      '--reuid=65534',
      '--regid=65534',
      '--clear-groups',
      '--inh-caps=-all',
      '--bounding-set=-all',
    ];
    if (spawnSync(asNobody[0]!, [...asNobody.slice(1), process.execPath, '-e', '']).status !== 0)
      return t.pass('another user cannot run this Node here');
    for (const [words, subject] of [
      [['listen', '127.0.0.1:80'], '127\\.0\\.0\\.1:80: '],
      [['echo', 'udp://127.0.0.1:80'], 'udp://127\\.0\\.0\\.1:80: '],
      [['connect', '-p', '80', '127.0.0.1', '81'], '-p 80: as a source, '],
    ] as const) {
      const { code, stderr } = await runCli(t, words, '', { inside: asNobody });
      t.regex(
        stderr,
        new RegExp(
          `^tnet ${words[0]}: ${subject}port 80 is privileged, as all below 1024 are: use a port from 1024 up, .*setcap .* \\(EACCES\\)\\n$`,
        ),
      );
      t.is(code, 2);
    }
  },
);

testWith('node')('an old Node, and one between, is told what it needs to be and where that is', (t) => {
  const program = readFileSync(new URL('../../bin/tnet.js', import.meta.url), 'utf8').replace(/^#!.*/, '');
  // The last of two functions of a name counts.
  const judged = `${program}\nfunction start() { require('started').main(); }`;
  for (const [version, isSupported] of [
    ['20.20.2', false],
    ['24.18.0', false],
    ['24.19.0', true],
    ['25.3.0', false],
    ['26.3.0', false],
    ['26.4.0', true],
    ['27.0.0', true],
  ] as const) {
    let said = '';
    let isStarted = false;
    const fake = {
      versions: { node: version },
      stderr: { write: (text: string) => (said += text) },
      exitCode: 0,
    };
    const load = (name: string) => ({ main: () => (isStarted = name === 'started') });
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- it is a program, run with another process
    (new Function('process', 'require', judged) as (...args: unknown[]) => void)(fake, load);
    t.is(isStarted, isSupported, version);
    t.is(fake.exitCode, isSupported ? 0 : 2);
    if (isSupported) continue;
    t.regex(
      said,
      new RegExp(
        `^tnet: Node ${version} is not supported: .*24\\.19 .*26\\.4 .*https://nodejs\\.org/.*nvm install 24\\n$`,
      ),
    );
    t.notRegex(said, /too old/);
  }
});
