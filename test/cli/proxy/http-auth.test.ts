import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { ask } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { exchange, startNamed } from '../../helpers/proxy.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';

const run = promisify(execFile);
const hash = (algorithm: string, text: string) => createHash(algorithm).update(text).digest('hex');

const md5File = `ann:the realm:${hash('md5', 'ann:the realm:se:cret')}\n`;
const shaFile = `ann:the realm:${hash('sha256', 'ann:the realm:se:cret')}\n`;
const plainFile = 'ann:{PLAIN}se:cret\n';

/** Starts the proxy with a file of users, and a server of `GET /`. */
async function start(t: ExecutionContext, users: string, ...flags: readonly string[]) {
  const file = join(tempDir(t), 'users');
  writeFileSync(file, users);
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nin\n'));
  });
  const cli = startCli(t, ['proxy', '127.0.0.1:0', '--http', '--auth-file', file, ...flags]);
  return { cli, address: await cli.address(), url: `http://${words.join(':')}/` };
}

/** What curl prints with its flags, and its status. */
async function curl(address: string, url: string, ...flags: readonly string[]): Promise<string> {
  const args = ['-s', '--noproxy', '', '-w', '%{http_code}', '-x', `http://${address}`, ...flags, url];
  return run('curl', args).then(
    ({ stdout }) => stdout,
    (error: unknown) => `failed ${String((error as { code?: unknown }).code)}`,
  );
}

for (const [name, users] of [
  ['MD5 hashes of htdigest', md5File],
  ['SHA-256 hashes', shaFile],
  ['hashes of both kinds', md5File + shaFile],
  ['plain passwords', plainFile],
] as const) {
  testWith('curl')(
    `curl is let in by Digest and by Basic with ${name}, for plain requests and CONNECT`,
    async (t) => {
      const { cli, address, url } = await start(t, users);
      for (const scheme of ['--proxy-digest', '--proxy-basic', '--proxy-anyauth']) {
        t.is(await curl(address, url, scheme, '-U', 'ann:se:cret'), 'in\n200', scheme);
        t.is(
          await curl(address, url, scheme, '-U', 'ann:wrong'),
          '407 Proxy Authentication Required\n407',
          scheme,
        );
        t.is(await curl(address, url, scheme, '-U', 'ann:se:cret', '-p'), 'in\n200', `${scheme} -p`);
      }
      await cli.said(/the password of "ann" is wrong \(TNET_E_PROTOCOL_REFUSED\)/);
    },
  );
}

testWith('curl')('with --workers, a nonce of one worker is good for all', async (t) => {
  const { address, url } = await start(t, plainFile, '--workers', '3', '--auth-scheme', 'digest');
  for (let count = 0; count < 4; count++)
    t.is(await curl(address, url, '--proxy-digest', '-U', 'ann:se:cret', '-p'), 'in\n200');
});

testWith('ncat')('ncat goes through by Basic, and by Digest with MD5', async (t) => {
  const target = await startNamed(t, 'hello');
  for (const [users, scheme] of [
    [plainFile, 'basic'],
    [md5File, 'digest'],
  ] as const) {
    const { address } = await start(t, users.replace('se:cret', 'secret'), '--auth-scheme', scheme);
    const password = scheme === 'basic' ? 'ann:secret' : 'ann:se:cret';
    const words = target.split(':');
    const args = [
      '--proxy',
      address,
      '--proxy-type',
      'http',
      '--proxy-auth',
      password,
      '--recv-only',
      ...words,
    ];
    t.is((await run('ncat', args)).stdout, 'hello', scheme);
  }
});

test.serial('tnet connect -x answers Digest, and clients of SOCKS have the same users', async (t) => {
  const target = await startNamed(t, 'hello');
  for (const users of [plainFile, shaFile]) {
    const { address } = await start(t, users, '--socks');
    for (const protocol of ['http', 'socks5']) {
      const env = { TNET_PROXY_PASSWORD: 'se:cret' };
      const args = ['connect', '-x', `${protocol}://ann@${address}`, ...target.split(':')];
      const { code, stdout, stderr } = await runCli(t, args, '', { env });
      t.is(code, 0, stderr);
      t.is(stdout.toString(), 'hello', protocol);
    }
  }
});

test.serial('an answer to Digest that is sent again, or is for another request, is not let in', async (t) => {
  const { address, url } = await start(t, md5File);
  const client = await connectPeer(t, address);
  const request = (authorization: string) =>
    `GET ${url} HTTP/1.1\r\nHost: x\r\n${authorization && `Proxy-Authorization: ${authorization}\r\n`}\r\n`;
  const challenge = (await exchange(t, address, request(''))).bytes.toString();
  t.regex(challenge, /^HTTP\/1\.1 407 /);
  const nonce =
    /Digest realm="the realm", qop="auth", algorithm=MD5, nonce="([^"]+)", charset=UTF-8/.exec(
      challenge,
    )?.[1] ?? '';
  t.regex(challenge, /Proxy-Authenticate: Basic realm="the realm", charset="UTF-8"\r\n/);
  const secret = hash('md5', 'ann:the realm:se:cret');
  const answer = (uri: string, nc: string, method = 'GET') => {
    const response = hash('md5', `${secret}:${nonce}:${nc}:c:auth:${hash('md5', `${method}:${uri}`)}`);
    return `Digest username="ann", realm="the realm", nonce="${nonce}", uri="${uri}", qop=auth, nc=${nc}, cnonce="c", response="${response}"`;
  };
  client.destroy();
  const status = async (authorization: string) =>
    (await exchange(t, address, request(authorization))).bytes.toString();
  t.regex(await status(answer(url, '00000001')), /^HTTP\/1\.1 200 /);
  t.regex(await status(answer(url, '00000001')), /^HTTP\/1\.1 407 [^]*stale=true/);
  t.regex(await status(answer('/', '00000002')), /^HTTP\/1\.1 200 /);
  t.regex(await status(answer('/other', '00000003')), /^HTTP\/1\.1 407 /);
  t.regex(await status(answer(url, '00000004', 'POST')), /^HTTP\/1\.1 407 /);
  t.regex(await status(answer(url, '00000005').replace('ann', 'bob')), /^HTTP\/1\.1 407 /);
});

test.serial(
  'requests on one connection authenticate each on its own, and may do so after a 407',
  async (t) => {
    const { cli, address, url } = await start(t, plainFile);
    const client = await connectPeer(t, address);
    const basic = Buffer.from('ann:se:cret').toString('base64');
    const request = (fields: string) => `GET ${url} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
    t.is((await ask(client, request(''), 12)).toString('latin1', 0, 12), 'HTTP/1.1 407');
    client.destroy();
    const sent = request('') + request(`Proxy-Authorization: Basic ${basic}\r\n`) + request('');
    const { bytes } = await exchange(t, address, sent);
    t.deepEqual(bytes.toString().match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 407', 'HTTP/1.1 200', 'HTTP/1.1 407']);
    cli.child.kill('SIGUSR1');
    await cli.said(/\d connections?,/);
    t.notRegex(cli.stderr(), /TNET_E|failed/, 'asking for a password is no failure');
  },
);

for (const [users, message] of [
  [
    'ann:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\n',
    /Digest needs .*"ann" has a hash of htpasswd \(TNET_E_CONFIG\)/,
  ],
  [md5File + shaFile.replace('the realm', 'other').replace('ann', 'bob'), /one realm/],
  [md5File + shaFile.replace('ann', 'bob'), /hashes of one kind/],
] as const) {
  test.serial(`--auth-scheme digest with ${users.trim()} is refused in one line`, async (t) => {
    const file = join(tempDir(t), 'users');
    writeFileSync(file, users);
    const args = ['proxy', '0', '--http', '--auth-file', file, '--auth-scheme', 'digest'];
    const { code, stderr } = await runCli(t, args);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}

test.serial('--auth-scheme makes sense only with --auth-file, and for HTTP', async (t) => {
  for (const args of [['--http'], ['--socks', '--auth-file', '/dev/null']]) {
    const { code, stderr } = await runCli(t, ['proxy', '0', ...args, '--auth-scheme', 'digest']);
    t.is(code, 2);
    t.regex(stderr, /--auth-scheme: makes sense only with /);
  }
});
