import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { createAuthority } from '../../helpers/certificates.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { startProgram } from '../../helpers/processes.ts';
import { startEcho, startProxy } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
const client = authority.issue('client', 'DNS:client');
const stranger = authority.selfSign('stranger', 'DNS:stranger');
test.after.always(() => authority.remove());

const made = /throw-away certificate with SHA-256 fingerprint ([0-9A-F:]{95})\n/;
const own = ['--tls-cert', server.certFile, '--tls-key', server.keyFile];
const shownBy = ({ certFile, keyFile }: typeof client) => ['--tls-cert', certFile, '--tls-key', keyFile];

/** What our own client gets back of a word, with the status. */
async function call(t: ExecutionContext, address: string, ...flags: readonly string[]) {
  const { code, stdout, stderr } = await runCli(t, ['connect', ...flags, `tls://${address}`], 'word');
  return { code, came: stdout.toString(), stderr };
}

/** The fingerprint of the certificate that openssl(1) is shown. */
async function askFingerprint(address: string): Promise<string | undefined> {
  const script = `openssl s_client -connect ${address} </dev/null 2>/dev/null | openssl x509 -noout -sha256 -fingerprint`;
  const { stdout } = await promisify(execFile)('sh', ['-c', script]);
  return /=([0-9A-F:]{95})/.exec(stdout)?.[1];
}

for (const listen of ['--tls-in', 'tls://'] as const)
  test.serial(`proxy with ${listen} and no certificate makes one, whose fingerprint is a pin`, async (t) => {
    const words = listen === 'tls://' ? ['tls://127.0.0.1:0'] : [listen, '127.0.0.1:0'];
    const cli = startCli(t, ['proxy', ...words, await startEcho(t)]);
    const [, fingerprint] = await cli.said(made);
    const address = await cli.address();
    t.is(await askFingerprint(address), fingerprint);
    t.like(await call(t, address, '--tls-insecure', '--tls-pin', fingerprint!), { code: 0, came: 'word' });
    const wrong = await call(
      t,
      address,
      '--tls-insecure',
      '--tls-pin',
      fingerprint!.replace(/^../, (byte) => (byte === '00' ? '11' : '00')),
    );
    t.is(wrong.code, 1);
  });

test.serial('the throw-away certificate of a proxy stays the same over a reload', async (t) => {
  const file = join(tempDir(t), 'config.json');
  const pair = { listen: '127.0.0.1:0', targets: [await startEcho(t)], tlsIn: true };
  writeFileSync(file, JSON.stringify({ pairs: [pair] }));
  const cli = startCli(t, ['proxy', '--config', file]);
  const [, fingerprint] = await cli.said(made);
  const address = await cli.address();
  writeFileSync(file, JSON.stringify({ pairs: [{ ...pair, idle: '60s' }] }));
  cli.child.kill('SIGHUP');
  await cli.said(/reloaded/);
  t.is(await askFingerprint(address), fingerprint);
  t.is(cli.stderr().match(/throw-away/g)?.length, 1, cli.stderr());
});

for (const [name, words] of [
  ['a proxy', (target: string) => ['proxy', '--tls-in', '127.0.0.1:0', target]],
  ['echo', () => ['echo', '--tls', '127.0.0.1:0']],
  ['listen -e', () => ['listen', '-k', '--tls', '-e', 'cat', '127.0.0.1:0']],
] as const) {
  test.serial(`all workers of ${name} show the same throw-away certificate, also a later one`, async (t) => {
    const cli = startCli(t, [...words(await startEcho(t)), '-v', '--workers', '2']);
    const [, fingerprint] = await cli.said(made);
    const address = await cli.address();
    const shown = await Promise.all(Array.from({ length: 4 }, () => askFingerprint(address)));
    t.deepEqual(new Set(shown), new Set([fingerprint]));
    const [, pid] = await cli.said(/worker 2 serves, process (\d+)/);
    process.kill(Number(pid), 'SIGKILL');
    await cli.said(/worker 2 .*ended[^]*worker 2 serves/);
    const later = await Promise.all(Array.from({ length: 4 }, () => askFingerprint(address)));
    t.deepEqual(new Set(later), new Set([fingerprint]));
    t.is(cli.stderr().match(/throw-away/g)?.length, 1, cli.stderr());
  });
}

for (const [how, flags] of [
  ['its own certificate', own],
  ['a throw-away certificate', []],
  ['workers', [...own, '--workers', '2']],
  ['SOCKS inside', [...own, '--socks']],
] as const) {
  test.serial(`--tls-client-ca with ${how} lets in who shows a certificate of it only`, async (t) => {
    const echo = await startEcho(t);
    const isSocks = how.startsWith('SOCKS');
    const words = ['-v', '--tls-in', '--tls-client-ca', authority.caFile, ...flags];
    const cli = startCli(t, ['proxy', ...words, '127.0.0.1:0', ...(isSocks ? [] : [echo])]);
    const address = await cli.address();
    const insecure = ['--tls-insecure', '--no-shutdown', '-q', '20s'];
    t.is((await call(t, address, ...insecure)).code, 1);
    await cli.said(/127\.0\.0\.1:\d+: .*\(ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE\)\n/);
    t.is((await call(t, address, ...insecure, ...shownBy(stranger))).code, 1);
    await cli.said(/the certificate is self-signed.*CN=stranger \(DEPTH_ZERO_SELF_SIGNED_CERT\)\n/);
    const good = await call(t, address, '--tls-insecure', '-q', '2s', ...shownBy(client));
    // What a server of SOCKS makes of a plain word is its own affair.
    if (!isSocks) t.like(good, { code: 0, came: 'word' });
    await cli.said(/certificate 0: CN=client/);
  });
}

test.serial('openssl with a certificate of the authorities is let in, and without one is not', async (t) => {
  const { cli, address } = await startProxy(
    t,
    await startEcho(t),
    '--tls-in',
    ...own,
    '--tls-client-ca',
    authority.caFile,
  );
  const ask = async (...flags: string[]) => {
    const words = ['s_client', '-connect', address, '-CAfile', authority.caFile, '-verify_return_error'];
    const peer = startProgram(t, 'openssl', [...words, '-quiet', ...flags], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    peer.stdin!.on('error', () => undefined).write('word\n');
    const came = once(peer.stdout!, 'data').then(([chunk]) => String(chunk));
    return Promise.race([came, once(peer, 'exit').then(() => 'turned away')]);
  };
  t.is(await ask('-cert', client.certFile, '-key', client.keyFile), 'word\n');
  t.is(await ask(), 'turned away');
  await cli.said(/\(ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE\)/);
});

test.serial('a pair of a configuration file has tlsClientCa of its own, which a reload takes', async (t) => {
  const file = join(tempDir(t), 'config.json');
  const pair = { listen: '127.0.0.1:0', targets: [await startEcho(t)], tlsIn: true };
  const write = (more: object) => writeFileSync(file, JSON.stringify({ pairs: [{ ...pair, ...more }] }));
  write({});
  const cli = startCli(t, ['proxy', '--config', file]);
  const address = await cli.address();
  t.like(await call(t, address, '--tls-insecure'), { code: 0, came: 'word' });
  write({ tlsClientCa: authority.caFile });
  cli.child.kill('SIGHUP');
  await cli.said(/reloaded/);
  t.is((await call(t, address, '--tls-insecure')).code, 1);
  t.like(await call(t, address, '--tls-insecure', ...shownBy(client)), { code: 0, came: 'word' });
});

test.serial('SSLKEYLOGFILE gets the secrets of both sides of a proxy', async (t) => {
  const file = join(tempDir(t), 'keys');
  const target = startCli(t, ['echo', ...own, '127.0.0.1:0']);
  const tls = ['--tls-in', '--tls-out', '--tls-ca', authority.caFile];
  const cli = startCli(t, ['proxy', ...tls, '127.0.0.1:0', await target.address()], {
    env: { SSLKEYLOGFILE: file },
  });
  t.like(await call(t, await cli.address(), '--tls-insecure'), { code: 0, came: 'word' });
  const secrets = readFileSync(file, 'latin1').match(/^CLIENT_HANDSHAKE_TRAFFIC_SECRET \w+/gm);
  t.is(new Set(secrets).size, 2);
});
