import { execFile } from 'node:child_process';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { createAuthority, type Pair } from '../helpers/certificates.ts';
import { runCli, startCli, type Cli } from '../helpers/cli.ts';
import { testWith } from '../helpers/programs.ts';
import { startEcho } from '../helpers/proxy.ts';
import { tempDir } from '../helpers/temp.ts';

const authority = createAuthority();
const [a, b, wild] = [
  authority.issue('a', 'DNS:a.example'),
  authority.issue('b', 'DNS:b.example,DNS:b.w.example'),
  authority.issue('wild', 'DNS:*.w.example'),
];
const client = authority.issue('client', 'DNS:client.example');
const stranger = authority.selfSign('stranger', 'DNS:stranger.example');
test.after.always(() => authority.remove());

const own = (...pairs: readonly Pair[]) =>
  pairs.flatMap(({ certFile, keyFile }) => ['--tls-cert', certFile, '--tls-key', keyFile]);

const commands = {
  listen: () => ['listen', '-k', '-c', 'cat', '--insecure-exec'],
  echo: () => ['echo'],
  proxy: () => ['proxy', '--tls-in'],
} as const;
type Command = keyof typeof commands;

async function start(t: ExecutionContext, command: Command, ...flags: readonly string[]): Promise<Cli> {
  const target = command === 'proxy' ? [await startEcho(t)] : [];
  const tlsFlag = command === 'proxy' ? [] : ['--tls'];
  return startCli(t, [...commands[command](), ...tlsFlag, ...flags, '127.0.0.1:0', ...target]);
}

/** What openssl s_client says, and gets back, when it asks for a name and sends a word. */
function ask(port: number, ...flags: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const words = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', authority.caFile, ...flags];
    const child = execFile('openssl', words, { timeout: 50_000 }, (_error, stdout, stderr) => {
      resolve(stdout + stderr);
    });
    child.stdin!.on('error', () => undefined);
    child.stdin!.write('word\n');
    child.stdout!.on('data', (chunk: string) => {
      if (chunk.includes('word')) child.stdin!.end();
    });
  });
}

const subjectOf = (said: string) => /^subject=.*CN ?= ?(\S+)/m.exec(said)?.[1];

for (const command of ['listen', 'echo', 'proxy'] as const) {
  testWith('openssl')(
    `${command} shows openssl s_client the certificate for the name that it asks for`,
    async (t) => {
      const port = await (await start(t, command, ...own(a, wild, b))).port();
      for (const [flags, subject] of [
        [['-servername', 'a.example'], 'a'],
        [['-servername', 'b.example'], 'b'],
        [['-servername', 'B.Example'], 'b'],
        [['-servername', 'b.w.example'], 'b'],
        [['-servername', 'c.w.example', '-tls1_2'], 'wild'],
        [['-servername', 'other.test'], 'a'],
        [['-noservername'], 'a'],
      ] as const)
        t.is(subjectOf(await ask(port, ...flags)), subject, flags.join(' '));
    },
  );

  testWith('openssl')(
    `${command} refuses a client that does not ask for its name, with an alert`,
    async (t) => {
      const flag = command === 'proxy' ? '--tls-client-servername' : '--tls-servername';
      const cli = await start(t, command, ...own(a), flag, 'a.example');
      const port = await cli.port();
      t.regex(
        await ask(port, '-servername', 'b.example'),
        /alert unrecognized name|tlsv1 unrecognized name/i,
      );
      await cli.said(/the client asks for the name b\.example in TLS, and not for a\.example/);
      t.regex(await ask(port, '-noservername'), /unrecognized name/i);
      await cli.said(/the client asks for no name in TLS, and not for a\.example/);
      t.regex(await ask(port, '-servername', 'A.example'), /word/);
    },
  );

  testWith('openssl')(`${command} --tls-client-optional takes no certificate, or a right one`, async (t) => {
    const ca = command === 'proxy' ? '--tls-client-ca' : '--tls-ca';
    const flags = [...own(a), ca, authority.caFile, '--tls-client-optional', '-v'];
    const cli = await start(t, command, ...flags);
    const port = await cli.port();
    for (const version of ['-tls1_2', '-tls1_3']) {
      t.regex(await ask(port, version), /word/);
      t.regex(await ask(port, version, '-cert', client.certFile, '-key', client.keyFile), /word/);
      t.notRegex(await ask(port, version, '-cert', stranger.certFile, '-key', stranger.keyFile), /word/);
    }
    await cli.said(/certificate not verified/);
    await cli.said(/certificate verified/);
    await cli.said(/CN=client/);
    await cli.said(/the certificate is self-signed and not trusted: CN=stranger/);
  });
}

test.serial(
  'a program gets what is known of TLS and of the client, and nothing that we were given',
  async (t) => {
    const words = ['-c', 'env | grep ^TNET_TLS | sort'];
    const flags = [...own(a), '--tls-ca', authority.caFile, '--tls-client-optional', '--tls-alpn', 'x/1'];
    const server = startCli(t, ['listen', '-k', ...words, '--tls', ...flags, '127.0.0.1:0'], {
      env: { TNET_TLS_SUBJECT: 'CN=forged' },
    });
    const { ca } = authority;
    const port = await server.port();
    const call = (options: tls.ConnectionOptions) =>
      new Promise<string>((resolve, reject) => {
        const socket = tls.connect({ port, host: '127.0.0.1', ca, servername: 'a.example', ...options });
        let said = '';
        socket.on('data', (chunk) => (said += String(chunk)));
        socket.on('end', () => resolve(said)).on('error', reject);
      });
    t.is(
      (await call({ ALPNProtocols: ['x/1'] })).replace(/CIPHER=\S+/, 'CIPHER='),
      'TNET_TLS_ALPN=x/1\nTNET_TLS_CIPHER=\nTNET_TLS_FINGERPRINT=\nTNET_TLS_ISSUER=\nTNET_TLS_NAMES=\n' +
        'TNET_TLS_PROTOCOL=TLSv1.3\nTNET_TLS_SERVERNAME=a.example\nTNET_TLS_SUBJECT=\n',
    );
    const shown = await call({ cert: client.cert, key: client.key, maxVersion: 'TLSv1.2' });
    t.regex(shown, /^TNET_TLS_FINGERPRINT=[0-9A-F:]{95}$/m);
    t.regex(shown, /^TNET_TLS_SUBJECT=CN=client$/m);
    t.regex(shown, /^TNET_TLS_ISSUER=CN=ca$/m);
    t.regex(shown, /^TNET_TLS_NAMES=client\.example$/m);
    t.regex(shown, /^TNET_TLS_PROTOCOL=TLSv1\.2$/m);
  },
);

test.serial('a program without TLS gets no variables of it', async (t) => {
  const server = startCli(t, ['listen', '-c', 'env | grep ^TNET_TLS; true', '127.0.0.1:0'], {
    env: { TNET_TLS_SUBJECT: 'CN=forged' },
  });
  const run = await runCli(t, ['connect', await server.address()], '');
  t.is(run.stdout.toString(), '');
});

testWith('openssl')('a reload reads all certificates again', async (t) => {
  const dir = tempDir(t);
  const file = join(dir, 'config.json');
  const [cert, key] = [join(dir, 'second.pem'), join(dir, 'second.key')];
  const use = ({ certFile, keyFile }: Pair) => {
    copyFileSync(certFile, cert);
    copyFileSync(keyFile, key);
  };
  use(b);
  const pair = { tlsIn: true, tlsCert: [a.certFile, cert], tlsKey: [a.keyFile, key] };
  writeFileSync(
    file,
    JSON.stringify({ pairs: [{ listen: '127.0.0.1:0', targets: [await startEcho(t)], ...pair }] }),
  );
  const cli = startCli(t, ['proxy', '--config', file]);
  const port = await cli.port();
  t.is(subjectOf(await ask(port, '-servername', 'b.example')), 'b');
  t.is(subjectOf(await ask(port, '-servername', 'c.w.example')), 'a');
  use(wild);
  cli.child.kill('SIGHUP');
  await cli.said(/reloaded/);
  t.is(subjectOf(await ask(port, '-servername', 'c.w.example')), 'wild');
});

for (const [words, said] of [
  [['listen', ...own(a), '--tls-cert', b.certFile, '0'], /there are 2 of --tls-cert and 1 of --tls-key/],
  [['echo', ...own(a), '--tls-key', b.keyFile, '0'], /there are 1 of --tls-cert and 2 of --tls-key/],
  [['connect', ...own(a, b), '127.0.0.1', '1'], /--tls-cert is given once: a client has one certificate/],
  [['listen', ...own(a), '--tls-client-optional', '0'], /--tls-client-optional goes with --tls-ca/],
  [
    ['proxy', '--tls-in', '--tls-client-optional', '0', '1'],
    /--tls-client-optional: makes sense only with --tls-client-ca/,
  ],
  [
    ['proxy', '--tls-client-servername', 'x', '0', '1'],
    /--tls-client-servername: makes sense only with --tls-in/,
  ],
  [
    ['listen', ...own(a), ...['--tls-cert', '/nowhere', '--tls-key', '/nowhere'], '0'],
    /\/nowhere: cannot be read/,
  ],
] as const) {
  test.serial(`tnet ${words.filter((word) => !word.startsWith('/')).join(' ')} is status 2`, async (t) => {
    const run = await runCli(t, words);
    t.is(run.code, 2);
    t.regex(run.stderr, said);
  });
}
