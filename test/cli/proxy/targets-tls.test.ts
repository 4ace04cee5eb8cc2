import { createHash, X509Certificate } from 'node:crypto';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import test, { type ExecutionContext } from 'ava';
import { createAuthority } from '../../helpers/certificates.ts';
import { runCli } from '../../helpers/cli.ts';
import { exchange, startProxy } from '../../helpers/proxy.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
const relay = authority.issue('relay', 'DNS:relay.test');
test.after.always(() => authority.remove());

const toTargets = ['--tls-out', '--tls-ca', authority.caFile];
const ownCertificate = ['--tls-out-cert', relay.certFile, '--tls-out-key', relay.keyFile];

/** openssl(1) as a server, and what it says; with -rev it sends each line back the other way round. */
async function startOpenssl(t: ExecutionContext, ...flags: readonly string[]) {
  const pair = ['-cert', server.certFile, '-key', server.keyFile];
  const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', ...pair, ...flags], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill());
  const lines: string[] = [];
  const listening = Promise.withResolvers<string>();
  for (const output of [child.stdout, child.stderr]) {
    createInterface(output).on('line', (line) => {
      lines.push(line);
      const [, port] = /^ACCEPT .*:(\d+)$/.exec(line) ?? [];
      if (port !== undefined) listening.resolve(`127.0.0.1:${port}`);
    });
  }
  return { address: await listening.promise, lines, child };
}

/** Stops it and gives all that it has said. */
async function hear({ child, lines }: Awaited<ReturnType<typeof startOpenssl>>): Promise<string> {
  child.kill();
  await once(child, 'close');
  return lines.join('\n');
}

test.serial('a target that demands a certificate is shown the one of the proxy', async (t) => {
  const demanding = ['-Verify', '1', '-verify_return_error', '-CAfile', authority.caFile];
  const target = await startOpenssl(t, '-rev', ...demanding);
  const { address } = await startProxy(t, target.address, ...toTargets, ...ownCertificate);
  t.is((await exchange(t, address, 'drow\n')).bytes.toString(), 'word\n');
  const stranger = await startProxy(t, target.address, ...toTargets);
  t.truthy((await exchange(t, stranger.address, 'drow\n')).error, 'without one nobody is served');
  t.regex(await hear(target), /CN ?= ?relay/);
});

test.serial('a client of a proxy goes on from the TLS session of the one before', async (t) => {
  // With -www it tells each client of its session.
  const target = await startOpenssl(t, '-www');
  const { address } = await startProxy(t, target.address, ...toTargets);
  const told: (string | undefined)[] = [];
  for (let client = 0; client < 2; client++) {
    const { bytes } = await exchange(t, address, 'GET / HTTP/1.0\r\n\r\n');
    told.push(/^(New|Reused), TLS/m.exec(bytes.toString())?.[1]);
  }
  t.deepEqual(told, ['New', 'Reused']);
});

test.serial('a target that is not the pinned one is not connected to', async (t) => {
  const target = await startOpenssl(t, '-rev');
  const key = new X509Certificate(server.cert).publicKey.export({ type: 'spki', format: 'der' });
  const pin = createHash('sha256').update(key).digest('base64');
  const pinned = await startProxy(t, target.address, ...toTargets, '--tls-pin', `sha256//${pin}`);
  t.is((await exchange(t, pinned.address, 'drow\n')).bytes.toString(), 'word\n');
  const other = await startProxy(t, target.address, ...toTargets, '--tls-pin', '0'.repeat(64));
  t.truthy((await exchange(t, other.address, 'drow\n')).error);
  await other.cli.said(/pin/);
});

for (const [flags, message] of [
  [['--tls-out-cert', relay.certFile], /--tls-out-cert: makes sense only with --tls-out/],
  [['--tls-out', '--tls-out-key', relay.keyFile], /--tls-out-key: makes sense only with --tls-out-cert/],
  [['--tls-pin', '0'.repeat(64)], /--tls-pin: makes sense only with --tls-out/],
  [['--tls-out', '--tls-pin', 'short'], /short: a pin is a SHA-256 in hex or in base64/],
  [['--tls-out', '--tls-out-cert', '/nowhere/cert.pem'], /\/nowhere\/cert\.pem: cannot be read/],
] as const) {
  test.serial(`tnet proxy refuses what says nothing of TLS with targets: ${message.source}`, async (t) => {
    const run = await runCli(t, ['proxy', '0', '127.0.0.1:1', ...flags]);
    t.is(run.code, 2);
    t.regex(run.stderr, message);
  });
}
