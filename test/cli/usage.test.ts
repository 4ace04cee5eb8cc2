import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { runCli, startCli } from '../helpers/cli.ts';
import { tempDir } from '../helpers/temp.ts';

const longPath = `/tmp/${'x'.repeat(103)}`;

/** Every row ends with status 2 and the one line, before any socket opens. */
const mistakes: readonly (readonly [args: readonly string[], line: RegExp])[] = [
  [['connect'], /^tnet connect: name an address to connect to: HOST PORT, or -U PATH \(TNET_E_USAGE\)$/],
  [
    ['connect', '127.0.0.1', '65536'],
    /^tnet connect: 65536: a port is a number from 0 to 65535 \(TNET_E_ADDRESS\)$/,
  ],
  [['connect', '127.0.0.1:99999'], /^tnet connect: 127\.0\.0\.1:99999: .*from 0 to 65535/],
  [['connect', '127.0.0.1', '80x'], /^tnet connect: 80x: not a port/],
  [['connect', '127.0.0.1', 'nosuchservice'], /^tnet connect: nosuchservice: unknown service name/],
  [['connect', '127.0.0.1', ''], /^tnet connect: .*the port is missing/],
  [['connect', '::1:80'], /^tnet connect: ::1:80: .*brackets: \[::1\]:80/],
  [['connect', '0x7f.1', '80'], /^tnet connect: 0x7f\.1 80: .*not an IP address/],
  [['connect', '0177.0.0.1:80'], /not an IP address/],
  [['connect', 'a b', '80'], /neither an IP address nor a host name/],
  [['connect', 'a', '1', '2', '3'], /too many words/],
  [
    ['connect', '-U', longPath],
    /^tnet connect: \/tmp\/x+: the path is 108 bytes long, and the limit for a Unix socket is 107/,
  ],
  [['connect', '-U', ''], /the path is empty/],
  [['connect', '-U', '/tmp/a', '80'], /name one address/],
  [['connect', 'ftp://host:21'], /unknown scheme ftp:/],
  [
    ['connect', 'localhost'],
    /^tnet connect: localhost: unknown service name; as a host it needs a port \(localhost:PORT\)/,
  ],
  [['connect', 'localhost:80', '81'], /^tnet connect: localhost:80 81: two ports: /],
  [
    ['connect', 'TCP:localhost:80'],
    /^tnet connect: TCP:localhost:80: a socat address; in tnet it is localhost:80 \(/,
  ],
  [
    ['proxy', 'TCP-LISTEN:8080,fork', 'TCP:localhost:80'],
    /^tnet proxy: LISTEN: TCP-LISTEN:8080,fork: a socat address/,
  ],
  [
    ['listen', '/nonexistent/folder/socket'],
    /^tnet listen: \/nonexistent\/folder\/socket: its folder does not exist \(TNET_E_ADDRESS\)$/,
  ],
  [
    ['listen', '-lvp', '80'],
    /^tnet listen: unknown option '-lvp': leave it out: tnet listen always listens \(TNET_E_USAGE\)$/,
  ],
  [['-l', '80'], /^tnet: unknown option '-l': to listen, use: tnet listen \(TNET_E_USAGE\)$/],
  [
    ['localhost', '80'],
    /^tnet: unknown command 'localhost': tnet --help lists the commands; to connect, use: tnet connect/,
  ],
  [['help', 'nosuch'], /^tnet: unknown command 'nosuch'/],
  [['help', 'conect'], /^tnet: unknown command 'conect': did you mean tnet connect\? \(TNET_E_USAGE\)$/],
  [['conect', 'h', '80'], /^tnet: unknown command 'conect': did you mean tnet connect\?/],
  [['serve', '80'], /^tnet: unknown command 'serve': did you mean tnet listen\?/],
  [['scan', 'h', '80'], /^tnet: unknown command 'scan': did you mean tnet connect -z\?/],
  [['ping', 'h:7'], /^tnet: unknown command 'ping': did you mean tnet echo --ping\?/],
  [['man', 'connect'], /^tnet: unknown command 'man': did you mean tnet help --man\?/],
  [['--verison'], /^tnet: unknown option '--verison': did you mean --version\?/],
  // A word that fits another command names that one; a mistyped one names the nearest.
  [
    ['listen', '--socks', '80'],
    /^tnet listen: unknown option '--socks': it is an option of tnet proxy \(TNET_E_USAGE\)$/,
  ],
  [['proxy', '--expect', 'x', '0', '1'], /'--expect': it is an option of tnet connect and tnet listen/],
  [['connect', '--chat', 'h', '80'], /'--chat': it is an option of tnet listen/],
  [['isip', '--tls', '::1'], /'--tls': it is an option of tnet connect and tnet listen and tnet echo/],
  [['connect', '-L', '0=1'], /unknown option '-L': telnet is 8 bits wide/],
  [['echo', '-L', '0=1'], /unknown option '-L': it is an option of tnet proxy/],
  [['connect', '--verbos', 'h', '80'], /unknown option '--verbos': did you mean --verbose\?/],
  [['connect', '--tls-insecur', 'h', '80'], /unknown option '--tls-insecur': did you mean --tls-insecure\?/],
  [['connect', '--tls-sni=x', 'h', '80'], /unknown option '--tls-sni=…': use --tls-servername/],
  [['connect', '--tls-keys=x', 'h', '80'], /unknown option '--tls-keys=…': did you mean --tls-key\?/],
  [['connect', '--zzzzzzzz', 'h', '80'], /'--zzzzzzzz': tnet connect --help lists the options/],
  [
    ['connect', '--starttls', 'smpt', 'h', '25'],
    /^tnet connect: --starttls: 'smpt': expected one of smtp, imap, .*; did you mean smtp\? \(TNET_E_USAGE\)$/,
  ],
  [['connect', 'h', '80', '-w'], /^tnet connect: -w, --wait-connect needs a value: <time> \(TNET_E_USAGE\)$/],
  [
    ['completion', 'tcsh'],
    /^tnet completion: SHELL: 'tcsh': expected one of bash, zsh, fish \(TNET_E_USAGE\)$/,
  ],
  [['completion', 'bash', 'zsh'], /^tnet completion: too many arguments.* \(TNET_E_USAGE\)$/],
  [['completion'], /^tnet completion: missing required argument 'shell' \(TNET_E_USAGE\)$/],
  [
    ['connect', '-l', '80'],
    /unknown option '-l': to listen, use: tnet listen; to log in by name, use: -t --user NAME \(TNET_E_USAGE\)$/,
  ],
  [['connect', '-t', '-a', 'h'], /unknown option '-a': .* only with: -t --user NAME \(TNET_E_USAGE\)$/],
  [['connect', '-t', '-b', '127.0.0.1', 'h'], /unknown option '-b': .* connect from is -s \(TNET_E_USAGE\)$/],
  [['connect', '--ssl-verify', 'h', '80'], /unknown option '--ssl-verify': with --tls the peer is verified/],
  [
    ['connect', '--ssl-trustfile', 'ca.pem', 'h', '80'],
    /unknown option '--ssl-trustfile': use --tls-ca \(TNET_E_USAGE\)$/,
  ],
  [['isip', '--cidr=x'], /^tnet isip: unknown option '--cidr=…': --cidr takes no value \(TNET_E_USAGE\)$/],
  [['listen', '--tls=x'], /unknown option '--tls=…': --tls takes no value \(TNET_E_USAGE\)$/],
  [['connect', '-E', 'h', '80'], /unknown option '-E': use --escape none \(TNET_E_USAGE\)$/],
  [['connect', '-8', 'h', '80'], /unknown option '-8': telnet is 8 bits wide/],
  [
    ['listen', '-z', '80'],
    /unknown option '-z': -z \(check ports\) is an option of tnet connect \(TNET_E_USAGE\)$/,
  ],
  [
    ['listen', '-t', '80'],
    /unknown option '-t': -t \(telnet\) is an option of tnet connect \(TNET_E_USAGE\)$/,
  ],
  [['connect', '-X', '5', 'h', '80'], /unknown option '-X': name the proxy protocol in -x/],
  [['connect', '-w', 'soon', 'h', '80'], /a time is a number with ms, s, m or h/],
  [['connect', '-4', '-6', 'h', '80'], /cannot be used with/],
  [['connect', '-n', 'localhost', '80'], /^tnet connect: localhost: not an IP address, and -n forbids DNS/],
  [['listen'], /name a port, an address or -U PATH/],
  [['listen', '65536'], /from 0 to 65535/],
  [['listen', '-p', '80', '81'], /name one address/],
  [['listen', '-U', longPath], /the limit for a Unix socket is 107/],
  [['listen', '-m', '0', '80'], /a whole number of at least 1/],
  [['listen', '-d', '--send-only', '80'], /cannot be used with/],
  [['echo', '80x'], /^tnet echo: 80x: not a port/],
  [['echo', '-p', '-1'], /not a port/],
  [['proxy', '80'], /^tnet proxy: TARGET: no target is given \(TNET_E_USAGE\)$/],
  [['proxy', '80', '[::1'], /expected \[ADDRESS\]:PORT/],
  [['proxy', '80', 'host'], /^tnet proxy: TARGET: host: unknown service name/],
  [
    ['listen', '-6', '127.0.0.1:0'],
    /^tnet listen: 127\.0\.0\.1: -6 asks for IPv6, and this is an IPv4 address/,
  ],
  [['listen', '-4', '::1', '0'], /^tnet listen: ::1: -4 asks for IPv4, and this is an IPv6 address/],
  [['listen', '-4', '-s', '::1', '0'], /^tnet listen: ::1: -4 asks for IPv4/],
  [['listen', '-4', 'tls://[::1]:0'], /^tnet listen: ::1: -4 asks for IPv4/],
  [['listen', '-u', '-4', '::1', '0'], /^tnet listen: ::1: -4 asks for IPv4/],
  [['echo', '-6', '127.0.0.1:0'], /^tnet echo: 127\.0\.0\.1: -6 asks for IPv6/],
  [['echo', '-4', 'udp://[::1]:0'], /^tnet echo: ::1: -4 asks for IPv4/],
  [['echo', '--ping', '-6', '127.0.0.1', '1'], /^tnet echo: 127\.0\.0\.1: -6 asks for IPv6/],
  [['proxy', '-6', '127.0.0.1:0', 'h:80'], /^tnet proxy: LISTEN: 127\.0\.0\.1: -6 asks for IPv6/],
  [['proxy', '-4', '0', '[::1]:80'], /^tnet proxy: TARGET: ::1: -4 asks for IPv4/],
  [['connect', '-6', '127.0.0.1', '1'], /^tnet connect: 127\.0\.0\.1: -6 asks for IPv6/],
  [['connect', '-u', '-6', '127.0.0.1', '1'], /^tnet connect: 127\.0\.0\.1: -6 asks for IPv6/],
  [['connect', '-4', '-z', 'localhost', '1-9', '::1', '1-9'], /^tnet connect: ::1: -4 asks for IPv4/],
  [['connect', '-4', '-s', '::1', '127.0.0.1', '1'], /^tnet connect: ::1: -4 asks for IPv4/],
  [['connect', '-s', 'name', '127.0.0.1', '1'], /^tnet connect: name: -s takes an IP address/],
  [
    ['connect', '-4', './s'],
    /^tnet connect: -4 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['connect', '-z', '-4', './s'],
    /^tnet connect: -4 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['connect', '-4', '-U', './s'],
    /^tnet connect: -4 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['listen', '-4', './s'],
    /^tnet listen: -4 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['listen', '-4', '-U', './s'],
    /^tnet listen: -4 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['echo', '-4', 'unix:./s'],
    /^tnet echo: -4 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['echo', '--ping', '-4', './s'],
    /^tnet echo: -4 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '-4', './a', './s'],
    /^tnet proxy: -4 does not go with \.\/a: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['connect', '-6', './s'],
    /^tnet connect: -6 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['connect', '-z', '-6', './s'],
    /^tnet connect: -6 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['connect', '-6', '-U', './s'],
    /^tnet connect: -6 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['listen', '-6', './s'],
    /^tnet listen: -6 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['listen', '-6', '-U', './s'],
    /^tnet listen: -6 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['echo', '-6', 'unix:./s'],
    /^tnet echo: -6 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['echo', '--ping', '-6', './s'],
    /^tnet echo: -6 does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '-6', './a', './s'],
    /^tnet proxy: -6 does not go with \.\/a: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['connect', '-n', './s'],
    /^tnet connect: -n does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['connect', '-z', '-n', './s'],
    /^tnet connect: -n does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['connect', '-n', '-U', './s'],
    /^tnet connect: -n does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['listen', '-n', './s'],
    /^tnet listen: -n does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['listen', '-n', '-U', './s'],
    /^tnet listen: -n does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['echo', '-n', 'unix:./s'],
    /^tnet echo: -n does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['echo', '--ping', '-n', './s'],
    /^tnet echo: -n does not go with \.\/s: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '-n', './a', './s'],
    /^tnet proxy: -n does not go with \.\/a: a Unix socket has no IP address \(TNET_E_USAGE\)$/,
  ],
  [
    ['connect', '-s', '127.0.0.1', './s'],
    /^tnet connect: -s does not go with \.\/s: a Unix socket has no IP address/,
  ],
  [
    ['connect', '-p', '8000', './s'],
    /^tnet connect: -p does not go with \.\/s: a Unix socket has no IP address/,
  ],
  [['listen', '-4', 'fd:9'], /^tnet listen: -4 does not go with fd:9: it is open already/],
  [
    ['proxy', '--resolve', '5s', '0', '127.0.0.1:80'],
    /^tnet proxy: --resolve: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--resolve', '5s', '0', './s'],
    /^tnet proxy: --resolve: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--resolve', '5s', '0', 'localhost:80'],
    /^tnet proxy: --resolve: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--resolve', '5s', '0', 'app.localhost:80'],
    /^tnet proxy: --resolve: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--resolve', '5s', '0', '127.0.0.1:80', '[::1]:80'],
    /^tnet proxy: --resolve: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--resolve', '5s', '0', '--socks'],
    /^tnet proxy: --resolve: makes no sense with --socks: clients name their target/,
  ],
  [
    ['proxy', '--resolve', '5s', '0', '--http-connect'],
    /^tnet proxy: --resolve: makes no sense with --http-connect: clients name their target/,
  ],
  [
    ['proxy', '--dns-server', '127.0.0.1', '0', '127.0.0.1:80'],
    /^tnet proxy: --dns-server: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--dns-server', '127.0.0.1', '0', './s'],
    /^tnet proxy: --dns-server: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--dns-server', '127.0.0.1', '0', 'localhost:80'],
    /^tnet proxy: --dns-server: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--dns-server', '127.0.0.1', '0', 'app.localhost:80'],
    /^tnet proxy: --dns-server: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--dns-server', '127.0.0.1', '0', '127.0.0.1:80', '[::1]:80'],
    /^tnet proxy: --dns-server: makes sense only with a target that is a name \(TNET_E_USAGE\)$/,
  ],
  [
    ['proxy', '--dns-server', '127.0.0.1', '0', '--socks'],
    /^tnet proxy: --dns-server: makes no sense with --socks: clients name their target/,
  ],
  [
    ['proxy', '--dns-server', '127.0.0.1', '0', '--http-connect'],
    /^tnet proxy: --dns-server: makes no sense with --http-connect: clients name their target/,
  ],
  [['isip', '--nosuch'], /unknown option '--nosuch'/],
  [['nosuch'], /^tnet: unknown command 'nosuch'/],
  [['--nosuch'], /^tnet: unknown option '--nosuch'/],
];

for (const [args, line] of mistakes) {
  const shown = args.map((arg) => (arg === longPath ? '/tmp/xxx…' : arg)).join(' ');
  test.serial(`tnet ${shown} is refused with one line and status 2`, async (t) => {
    const { code, stdout, stderr } = await runCli(t, args);
    t.is(code, 2, stderr);
    t.is(stdout.length, 0);
    t.regex(stderr.replace(/\n$/, ''), line);
    t.is(stderr.match(/\n/g)?.length, 1, stderr);
  });
}

test.serial('tnet without a command shows the help on stderr and ends with status 2', async (t) => {
  const { code, stdout, stderr } = await runCli(t, []);
  t.is(code, 2);
  t.is(stdout.length, 0);
  t.regex(stderr, /^Usage: tnet/);
});

test.serial('tnet --version prints the version of package.json', async (t) => {
  const { code, stdout } = await runCli(t, ['--version']);
  t.is(code, 0);
  t.regex(stdout.toString(), /^\d+\.\d+\.\d+\n$/);
});

test.serial('a port in use is refused with one line that names it, and status 2', async (t) => {
  const first = await import('node:net').then(({ createServer }) => createServer().listen(0, '127.0.0.1'));
  t.teardown(() => first.close());
  await new Promise((resolve) => first.once('listening', resolve));
  const { port } = first.address() as { port: number };
  for (const command of ['listen', 'echo']) {
    const { code, stderr } = await runCli(t, [command, `127.0.0.1:${port}`]);
    t.is(code, 2);
    t.regex(
      stderr,
      new RegExp(`^tnet ${command}: 127\\.0\\.0\\.1:${port}: address already in use.* \\(EADDRINUSE\\)\n$`),
    );
  }
});

test.serial('a regular file at a socket path is left alone and refused with status 2', async (t) => {
  const path = join(tempDir(t), 'notes');
  writeFileSync(path, 'keep me');
  for (const command of ['listen', 'echo']) {
    const { code, stderr } = await runCli(t, [command, '-U', path]);
    t.is(code, 2);
    t.is(
      stderr,
      `tnet ${command}: ${path}: the path is taken by a file that is not a socket (TNET_E_PATH_IN_USE)\n`,
    );
  }
  const { readFileSync } = await import('node:fs');
  t.is(readFileSync(path, 'utf8'), 'keep me');
});

test.serial(
  'tnet --version --verbose says which flow engine is used, and why not the native one',
  async (t) => {
    const { code, stdout } = await runCli(t, ['--version', '--verbose'], '', { env: { TNET_NATIVE: '0' } });
    t.is(code, 0);
    t.regex(
      stdout.toString(),
      /^tnet \S+\nnode \S+\nflow engine: Node streams \(TNET_NATIVE=0 turns it off\)\n$/,
    );
  },
);

/** Where an address that somebody gave a password to may end up; none of them may show any of it. */
const passwords = ['hunter', 'hun/ter', 'hun@ter', 'hun:ter', 'h/u:n@t/er', 'hun%zz', 'hun ter', "hun'ter"];
const places: readonly (readonly [name: string, args: (address: string) => readonly string[]])[] = [
  ['-x', (address) => ['connect', '-x', `socks5://${address}`, '127.0.0.1', '1']],
  ['-x without a protocol', (address) => ['connect', '-x', address, '127.0.0.1', '1']],
  ['-x with an unknown protocol', (address) => ['connect', '-x', `ftp://${address}`, '127.0.0.1', '1']],
  ['an address', (address) => ['connect', address]],
  ['an address with a scheme', (address) => ['connect', `tls://${address}`]],
  ['an address with an unknown scheme', (address) => ['connect', `https://${address}`]],
  ['an address of two words', (address) => ['connect', address.replace(/:1$/, ''), '1']],
  ['an address of -z', (address) => ['connect', '-z', address, '1-2']],
  ['too many words', (address) => ['connect', address, '1', '2']],
  ['another option', (address) => ['connect', '-w', address, '127.0.0.1', '1']],
  ['an unknown option', (address) => ['connect', `--proxy-auth=${address}`, '127.0.0.1', '1']],
  ['an unknown option of one letter', (address) => ['listen', `-P${address}`, '1']],
  ['a command', (address) => [address]],
  ['listen', (address) => ['listen', `tcp://${address}`]],
  ['listen -s', (address) => ['listen', '-s', address, '0']],
  ['echo', (address) => ['echo', address]],
  ['echo --ping', (address) => ['echo', '--ping', `tcp://${address}`]],
  ['the target of a proxy', (address) => ['proxy', '0', `http://${address}`]],
  ['-L', (address) => ['proxy', '-L', `0=${address}`]],
  ['a route', (address) => ['proxy', '0', '1', '--route', `proto:ssh=${address}`]],
  ['--metrics', (address) => ['proxy', '0', '1', '--metrics', address]],
  ['--metrics of echo', (address) => ['echo', '0', '--metrics', address]],
  ['--metrics of listen', (address) => ['listen', '-k', '0', '--metrics', address]],
];

for (const [index, [name, args]] of places.entries()) {
  test.serial(`no user and no password of a rejected address is shown: ${name}`, async (t) => {
    // Each row has the worst of the passwords, and one of the others.
    for (const password of ['h/u:n@t/er', passwords[index % passwords.length]!]) {
      const { code, stderr } = await runCli(t, args(`ada:${password}@h:1`));
      t.is(code, 2, stderr);
      t.notRegex(stderr, /ada|hun|[^\w]ter|u:n|t\/er|%zz/, password);
      t.is(stderr.split('\n').length, 2, stderr);
    }
  });
}

test.serial('no user and no password of an address in a configuration file is shown', async (t) => {
  const file = join(tempDir(t), 'tnet.json');
  for (const password of ['hunter', 'h/u:n@t/er']) {
    for (const text of [
      JSON.stringify({ pairs: [{ listen: '0', targets: [`tcp://ada:${password}@h:1`] }] }),
      `{ "pairs": [{ "listen": "0", "targets": [x"ada:${password}@h:1"] }] }`,
    ]) {
      writeFileSync(file, text);
      const { code, stderr } = await runCli(t, ['proxy', '--config', file]);
      t.is(code, 2);
      t.notRegex(stderr.replaceAll(file, ''), /ada|hun|[^\w]ter|u:n|t\/er|%zz/);
    }
  }
});

for (const [family, bound] of [
  ['-4', '127.0.0.1'],
  ['-6', '[::1]'],
] as const) {
  for (const args of [
    ['listen', 'localhost:0'],
    ['listen', 'LOCALHOST.:0'],
    ['echo', 'app.localhost:0'],
    ['listen', '-s', 'localhost', '0'],
    ['listen', '-u', 'localhost:0'],
    ['listen', '-d', 'localhost', '0'],
    ['echo', 'localhost:0'],
    ['echo', 'udp://localhost:0'],
    ['proxy', 'localhost:0', 'localhost:1'],
    ['proxy', '0', 'localhost:1'],
    ['proxy', 'udp://localhost:0', 'udp://localhost:1'],
  ]) {
    test.serial(`with ${family}, tnet ${args.join(' ')} is bound to ${bound}`, async (t) => {
      const address = await startCli(t, [...args, family]).address();
      t.true(address.replace('udp://', '').startsWith(`${bound}:`), address);
    });
  }
}

for (const args of ['help connect', 'connect --help', '--help', '-V', 'completion bash', 'isip 1.2.3.4']) {
  test.serial(`tnet ${args} to a reader that has left is quiet`, async (t) => {
    const cli = startCli(t, args.split(' '));
    cli.stdout.destroy();
    t.is((await cli.exit).code, 0);
    t.is(cli.stderr(), '');
  });
}
