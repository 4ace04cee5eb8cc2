import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { runCli, startCli, tnetPath } from '../helpers/cli.ts';
import { readText } from '../helpers/lines.ts';
import { makeNamespace, testInNamespace } from '../helpers/netns.ts';
import { connectPeer, serverWords, startPeerServer, type Family } from '../helpers/peers.ts';
import { tempDir } from '../helpers/temp.ts';
import { engines } from '../helpers/ways.ts';

/** Longer than a program may take to begin, and than any pause was once allowed to be. */
const silenceMs = 800;

const authority = createAuthority();
const certificate = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

const families: readonly Family[] = ['tcp', 'unix'];

interface Session {
  readonly cli: ReturnType<typeof startCli>;
  readonly peer: net.Socket;
}

/** A `tnet connect` with an open pipe as stdin, and the server's side of its connection. */
async function openSession(
  t: ExecutionContext,
  family: Family,
  env: Readonly<Record<string, string>>,
  flags: readonly string[] = [],
): Promise<Session> {
  const server = await startPeerServer(t, family);
  const cli = startCli(t, ['connect', ...flags, ...server.words], { env });
  return { cli, peer: await server.accept() };
}

for (const { engine, env } of engines) {
  for (const family of families) {
    test.serial(
      `a peer that half-closed gets a pipe to its end, after any silence (${family}, ${engine})`,
      async (t) => {
        const { cli, peer } = await openSession(t, family, env);
        const received = collect(peer);
        peer.end('BYE');
        t.is((await collect(cli.stdout)).toString(), 'BYE');
        await delay(silenceMs);
        cli.stdin.write('late, ');
        await delay(silenceMs);
        cli.stdin.end('and later');
        t.is((await received).toString(), 'late, and later');
        t.is((await cli.exit).code, 0, cli.stderr());
        t.is(cli.stderr(), '');
      },
    );

    test.serial(
      `--end-with-peer ends at the peer's end with stdin open, and sends what was read (${family}, ${engine})`,
      async (t) => {
        const { cli, peer } = await openSession(t, family, env, ['--end-with-peer']);
        cli.stdin.write('early');
        await readText(peer.resume()).until(/early/);
        peer.end('BYE');
        t.is((await collect(cli.stdout)).toString(), 'BYE');
        t.is((await cli.exit).code, 0, cli.stderr());
      },
    );

    test.serial(
      `a peer that takes nothing while stdin ends, and then leaves, is status 1 with the count (${family}, ${engine})`,
      async (t) => {
        const { cli, peer } = await openSession(t, family, env);
        cli.stdin.end(payload(20_000_000));
        await once(peer.resume(), 'data');
        peer.pause();
        peer.end('BYE');
        t.is((await collect(cli.stdout)).toString(), 'BYE');
        peer.destroy();
        t.is((await cli.exit).code, 1);
        t.regex(
          cli.stderr(),
          /did not take (all of )?the last [1-9]\d+ bytes of the input \(TNET_E_UNSENT\)|\(ECONNRESET\)/,
        );
      },
    );
  }

  test.serial(
    `what is sent to a TCP peer that has closed is status 1 with the count (${engine})`,
    async (t) => {
      for (const isWhole of [true, false]) {
        const { cli, peer } = await openSession(t, 'tcp', env);
        cli.stdin.write('taken');
        await readText(peer.resume()).until(/taken/);
        peer.destroy();
        t.is((await collect(cli.stdout)).length, 0);
        // Without the addon what was taken is looked up ten times a second, by a process that may have had no turn yet.
        await delay(300);
        cli.stdin.write('not taken');
        if (isWhole) cli.stdin.end();
        t.is((await cli.exit).code, 1);
        // Without the addon a broken connection cannot be asked.
        const what = env === engines[0].env ? 'the last 9' : 'all of the last (9|14)';
        t.regex(
          cli.stderr(),
          new RegExp(
            `^tnet connect: \\S+: the peer did not take ${what} bytes of the input \\(TNET_E_UNSENT\\)\\n$`,
          ),
        );
      }
    },
  );

  test.serial(`what is sent to a TLS peer that has closed is status 1 with a line (${engine})`, async (t) => {
    const server = tls.createServer({ ...certificate }).listen(0, '127.0.0.1');
    t.teardown(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const cli = startCli(t, ['connect', '--tls', '--tls-ca', authority.caFile, '127.0.0.1', String(port)], {
      env,
    });
    cli.stdin.write('taken');
    const [peer] = (await once(server, 'secureConnection')) as [tls.TLSSocket];
    peer.on('error', () => undefined);
    await readText(peer).until(/taken/);
    const closed = whenClosed(peer);
    peer.end('BYE').destroySoon();
    t.is((await collect(cli.stdout)).toString(), 'BYE');
    await closed;
    cli.stdin.end('not taken');
    t.is((await cli.exit).code, 1);
    t.regex(
      cli.stderr(),
      /^tnet connect: \S+: (the peer did not take all of the last \d+ bytes of the input \(TNET_E_UNSENT\)|connection reset by peer \(ECONNRESET\))\n$/,
    );
  });

  test.serial(
    `a Unix peer that has closed is found at once, with stdin open and quiet (${engine})`,
    async (t) => {
      for (const how of ['close', 'half-close and close']) {
        const { cli, peer } = await openSession(t, 'unix', env);
        cli.stdin.write('taken');
        await readText(peer.resume()).until(/taken/);
        if (how === 'close') peer.destroy();
        else peer.end('BYE');
        await collect(cli.stdout);
        peer.destroy();
        t.is((await cli.exit).code, 0, cli.stderr());
        t.is(cli.stderr(), '');
      }
    },
  );

  for (const family of families) {
    test.serial(
      `a peer that half-closes, and closes with bytes of ours unread, is a reset (${family}, ${engine})`,
      async (t) => {
        const { cli, peer } = await openSession(t, family, env);
        cli.stdin.write('unread');
        peer.end('BYE');
        t.is((await collect(cli.stdout)).toString(), 'BYE');
        // Without the addon what was taken is looked up ten times a second, by a process that may have had no turn yet:
        // then it is the bytes that it names.
        await delay(300);
        peer.destroy();
        t.is((await cli.exit).code, 1);
        const reset = /^tnet connect: \S+: connection reset by peer \(ECONNRESET\)\n$/;
        const untaken =
          /^tnet connect: \S+: the peer did not take all of the last 6 bytes .+ \(TNET_E_UNSENT\)\n$/;
        t.true(
          reset.test(cli.stderr()) || ('TNET_NATIVE' in env && untaken.test(cli.stderr())),
          cli.stderr(),
        );
      },
    );
  }

  test.serial(
    `a peer that half-closes and then resets is status 1 with what came before delivered (${engine})`,
    async (t) => {
      const { cli, peer } = await openSession(t, 'tcp', env);
      const sent = payload(100_000);
      peer.end(sent);
      sameBytes(t, await collect(cli.stdout), sent);
      peer.resetAndDestroy();
      t.is((await cli.exit).code, 1);
      t.regex(cli.stderr(), /^tnet connect: \S+: connection reset by peer \(ECONNRESET\)\n$/);
    },
  );

  testInNamespace()(
    `keep-alive probes find a TCP peer that has closed, which is status 0 when it has everything (${engine})`,
    async (t) => {
      // As short as the minute after which Linux forgets a connection that was closed can be made.
      const { inside } = makeNamespace(t, []);
      const [command = '', ...words] = inside;
      const script = 'echo 1 > /proc/sys/net/ipv4/tcp_fin_timeout; exec "$@"';
      const server = `
      const net = require('node:net');
      const server = net.createServer((peer) => peer.once('data', () => peer.destroy())).listen(0, '127.0.0.1', () => {
        const words = ['connect', '127.0.0.1', String(server.address().port)];
        const child = require('node:child_process').spawn(process.execPath, [process.argv[1], ...words], { stdio: ['pipe', 'inherit', 'inherit'] });
        child.stdin.write('all of it');
        child.once('exit', (code) => process.exit(code));
      });`;
      const line = [...words, 'sh', '-c', script, 'sh', process.execPath, '-e', server, tnetPath];
      const child = spawn(command, line, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      });
      t.teardown(() => child.kill('SIGKILL'));
      const [stderr, [code]] = await Promise.all([
        collect(child.stderr),
        once(child, 'exit') as Promise<[number]>,
      ]);
      t.is(stderr.toString(), '');
      t.is(code, 0);
    },
  );

  test.serial(`a peer that stops for longer than ten seconds gets everything (${engine})`, async (t) => {
    t.timeout(60_000);
    const sent = payload(30_000_000);
    const { cli, peer } = await openSession(t, 'tcp', env);
    cli.stdin.end(sent);
    peer.end('BYE');
    t.is((await collect(cli.stdout)).toString(), 'BYE');
    await delay(11_000);
    sameBytes(t, await collect(peer), sent);
    t.is((await cli.exit).code, 0, cli.stderr());
  });

  test.serial(
    `--send-only gets through to a peer that writes 30 MB before it reads (${engine})`,
    async (t) => {
      const { cli, peer } = await openSession(t, 'tcp', env, ['--send-only']);
      const sent = payload(5_000_000);
      cli.stdin.end(sent);
      await new Promise((resolve) => peer.write(payload(30_000_000), resolve));
      sameBytes(t, await collect(peer), sent);
      t.is((await cli.exit).code, 0, cli.stderr());
    },
  );

  test.serial(
    `-q ends also when the peer takes nothing, with status 1 and the count (${engine})`,
    async (t) => {
      const { cli } = await openSession(t, 'tcp', env, ['-q', '300ms']);
      // More than the peer's system takes without a reader, and no more than ours takes for it.
      cli.stdin.end(payload(2_000_000));
      cli.stdout.resume();
      t.is((await cli.exit).code, 1);
      t.regex(
        cli.stderr(),
        /did not take (all of )?the last [1-9]\d+ bytes of the input \(TNET_E_UNSENT\)\n$/,
      );
    },
  );

  test.serial(`TLS: a peer that ended its side gets a pipe to its end (${engine})`, async (t) => {
    const server = tls.createServer({ ...certificate, allowHalfOpen: true });
    t.teardown(() => server.close());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = String((server.address() as net.AddressInfo).port);
    const cli = startCli(t, ['connect', '--tls-ca', authority.caFile, 'localhost', port], { env });
    const [peer] = (await once(server, 'secureConnection')) as [tls.TLSSocket];
    peer.on('error', () => undefined);
    const received = collect(peer);
    // Node's server forgets close_notify when it ends at the very moment of the handshake's end.
    setImmediate(() => peer.end('BYE'));
    t.is((await collect(cli.stdout)).toString(), 'BYE');
    await delay(silenceMs);
    cli.stdin.end('late');
    t.is((await received).toString(), 'late');
    t.is((await cli.exit).code, 0, cli.stderr());
  });

  for (const family of families) {
    test.serial(
      `where stdin and stdout are one socket, the server's end is there at once, and stdin goes on (${family}, ${engine})`,
      async (t) => {
        const server = await startPeerServer(t, 'tcp');
        const front = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
        t.teardown(() => front.close());
        if (family === 'tcp') front.listen(0, '127.0.0.1');
        else front.listen(join(tempDir(t), 'front'));
        await once(front, 'listening');
        const address = front.address()!;
        const target =
          typeof address === 'string' ? { path: address } : { port: address.port, host: '127.0.0.1' };
        const client = net.connect({ ...target, allowHalfOpen: true });
        t.teardown(() => client.destroy());
        const [accepted] = (await once(front, 'connection')) as [net.Socket];
        const child = spawn(process.execPath, [tnetPath, 'connect', ...server.words], {
          stdio: [accepted, accepted, 'inherit'],
          env: { ...process.env, ...env },
        });
        t.teardown(() => child.kill('SIGKILL'));
        const exit = once(child, 'exit');
        accepted.destroy();
        const peer = await server.accept();
        const received = collect(peer);
        peer.end('BYE');
        // The end comes while the other direction is open: nothing but it can have closed this one.
        t.is((await collect(client)).toString(), 'BYE');
        client.end('still sent');
        t.is((await received).toString(), 'still sent');
        t.deepEqual(await exit, [0, null]);
      },
    );

    test.serial(
      `a listen whose stdin is the null device does not half-close, and gets what comes late (${family}, ${engine})`,
      async (t) => {
        const cli = startCli(t, ['listen', ...serverWords(t, family)], { env, stdin: 'null' });
        const client = startCli(t, ['connect', ...connectWords(await cli.address())], { env });
        const sent = payload(1_000_000);
        await delay(silenceMs);
        client.stdin.end(sent);
        sameBytes(t, await collect(cli.stdout), sent);
        t.is((await cli.exit).code, 0);
        t.is((await client.exit).code, 0, client.stderr());
      },
    );
  }

  test.serial(`a listener that cannot write resets its sender, whose status is 1 (${engine})`, async (t) => {
    for (const flags of [[], ['-k'], ['-C'], ['-d']]) {
      const full = openSync('/dev/full', 'w');
      const listener = spawn(process.execPath, [tnetPath, 'listen', ...flags, '127.0.0.1:0'], {
        stdio: ['ignore', full, 'pipe'],
        env: { ...process.env, ...env },
      });
      t.teardown(() => listener.kill('SIGKILL'));
      const stderr = readText(listener.stderr!);
      const [, port = ''] = await stderr.until(/listening on 127\.0\.0\.1:(\d+)\n/);
      const sender = await runCli(t, ['connect', '127.0.0.1', port], 'does not fit');
      t.is(sender.code, 1, flags.join(' '));
      t.regex(sender.stderr, /connection reset by peer \(ECONNRESET\)/);
      if (listener.exitCode === null) await once(listener, 'exit');
      t.is(listener.exitCode, 2);
    }
  });

  test.serial(
    `a client that cannot write resets its server, also when its own side has ended (${engine})`,
    async (t) => {
      for (const stdin of ['ignore', 'pipe'] as const) {
        const server = await startPeerServer(t, 'tcp');
        const full = openSync('/dev/full', 'w');
        const client = spawn(process.execPath, [tnetPath, 'connect', ...server.words], {
          stdio: [stdin, full, 'pipe'],
          env: { ...process.env, ...env },
        });
        t.teardown(() => client.kill('SIGKILL'));
        const peer = await server.accept();
        if (stdin === 'ignore') await once(peer.resume(), 'end');
        const [exited, closed] = [once(client, 'exit'), whenClosed(peer)];
        peer.resume().write('does not fit');
        t.deepEqual(await exited, [2, null]);
        // After the client's end node:net reads no more: only a write tells the reset, here one of no bytes.
        peer.write(Buffer.alloc(0));
        t.is(await closed, 'broken', `stdin: ${stdin}`);
      }
    },
  );

  test.serial(
    `a reader of stdout that leaves with everything is a clean end for the sender, and one that leaves before is not (${engine})`,
    async (t) => {
      for (const flags of [[], ['-d'], ['-k', '-d']]) {
        for (const more of ['', 'and more']) {
          const { port, isReaderGone } = await startListenerWithReader(t, flags, env);
          const peer = await connectPeer(t, `127.0.0.1:${port}`);
          const closed = whenClosed(peer);
          peer.resume().write('0123456789');
          await isReaderGone;
          peer.end(more);
          t.is(await closed, more === '' ? 'ended' : 'broken', `${flags.join(' ')}, ${more}`);
        }
      }
    },
  );

  test.serial(`listen -k sends a device as a plain listen does (${engine})`, async (t) => {
    for (const flags of [['-k'], [], ['--broadcast']]) {
      const cli = startCli(t, ['listen', ...flags, '127.0.0.1:0'], { env, stdin: { file: '/dev/zero' } });
      const client = await connectPeer(t, await cli.address());
      t.is(((await once(client, 'data')) as [Buffer])[0][0], 0);
      client.destroy();
      cli.child.kill('SIGKILL');
      await cli.exit;
    }
  });
}

function connectWords(address: string): string[] {
  return address.startsWith('/') ? ['-U', address] : [address];
}

/** How a connection came to its end. Not by once(), which an error rejects. */
function whenClosed(peer: net.Socket): Promise<'ended' | 'broken'> {
  return new Promise((resolve) => peer.once('close', (hadError) => resolve(hadError ? 'broken' : 'ended')));
}

/** A listener whose stdout is read by a program that leaves after ten bytes, as tar does at the end of an archive. */
async function startListenerWithReader(
  t: ExecutionContext,
  flags: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<{ readonly port: string; readonly isReaderGone: Promise<unknown> }> {
  const reader = spawn('head', ['-c', '10'], { stdio: ['pipe', 'ignore', 'ignore'] });
  const isReaderGone = once(reader, 'exit');
  const listener = spawn(process.execPath, [tnetPath, 'listen', ...flags, '127.0.0.1:0'], {
    stdio: ['ignore', reader.stdin, 'pipe'],
    env: { ...process.env, ...env },
  });
  t.teardown(() => listener.kill('SIGKILL'));
  reader.stdin.destroy();
  const [, port = ''] = await readText(listener.stderr).until(/listening on 127\.0\.0\.1:(\d+)\n/);
  return { port, isReaderGone };
}
