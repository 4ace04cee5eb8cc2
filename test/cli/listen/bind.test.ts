import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { closedPort, runCli, startCli, tnetPath } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';

for (const command of ['listen', 'echo']) {
  test.serial(
    `${command} --mode sets the permissions of the Unix socket before anyone can connect`,
    async (t) => {
      const path = join(tempDir(t), 's');
      await startCli(t, [command, '-U', path, '--mode', '0600']).address();
      t.is(statSync(path).mode & 0o777, 0o600);
    },
  );

  test.serial(`${command} --ready-file has the real address, whole, once bound`, async (t) => {
    const dir = tempDir(t);
    const file = join(dir, 'ready');
    const server = startCli(t, [command, '-v', '--ready-file', file, '127.0.0.1:0']);
    const address = await server.address();
    // The engine may serve a client before, but none is told of before the file is there.
    await connectPeer(t, address);
    await server.said(/connection from/);
    t.is(readFileSync(file, 'latin1'), `${address}\n`);
    t.deepEqual(readdirSync(dir), ['ready']);
  });

  test.serial(`${command} --ready-fd gets the real address and the end`, async (t) => {
    const child = spawn(process.execPath, [tnetPath, command, '--ready-fd', '3', '127.0.0.1:0'], {
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    const stream = child.stdio[3] as net.Socket;
    const text = readText(stream);
    await once(stream, 'end');
    const [, port] = /^127\.0\.0\.1:(\d+)\n$/.exec(text.text())!;
    await connectPeer(t, `127.0.0.1:${port!}`);
    t.pass();
  });
}

test.serial('--ready-fd that is not open is status 2 before anything is bound', async (t) => {
  const { code, stderr } = await runCli(t, ['listen', '--ready-fd', '77', '127.0.0.1:0']);
  t.is(code, 2);
  t.is(stderr, 'tnet listen: fd:77: the descriptor of --ready-fd is not open (TNET_E_DESCRIPTOR)\n');
});

test.serial('--ready-file that cannot be written is status 2, and nothing stays bound', async (t) => {
  const { code, stderr } = await runCli(t, ['listen', '--ready-file', '/nowhere/ready', '127.0.0.1:0']);
  t.is(code, 2);
  t.regex(stderr, /\/nowhere\/ready: the address cannot be written \(ENOENT\) \(TNET_E_DESCRIPTOR\)\n$/);
});

test.serial('--mode without a Unix socket is a usage error', async (t) => {
  const { code, stderr } = await runCli(t, ['listen', '--mode', '600', '0']);
  t.is(code, 2);
  t.regex(stderr, /--mode goes with -U: it sets the permissions of a Unix socket/);
});

test.serial('--retry-bind waits for the address to be free, and says so with -v', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as net.AddressInfo;
  const server = startCli(t, ['listen', '-v', '--retry-bind', `127.0.0.1:${port}`]);
  await server.said(new RegExp(`127\\.0\\.0\\.1:${port}: in use, next try in 1 s\n`));
  other.close();
  t.is(await server.port(), port);
  (await connectPeer(t, `127.0.0.1:${port}`)).end();
  server.stdin.end();
  t.is((await server.exit).code, 0);
});

test.serial('--retry-bind waits for a Unix path too', async (t) => {
  const path = join(tempDir(t), 's');
  const other = net.createServer().listen(path);
  await once(other, 'listening');
  const server = startCli(t, ['listen', '-v', '--retry-bind', '-U', path]);
  await server.said(/in use, next try in 1 s\n/);
  other.close();
  t.is(await server.address(), path);
});

test.serial('-w limits --retry-bind too', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as net.AddressInfo;
  const { code, stderr } = await runCli(t, ['listen', '--retry-bind', '-w', '200ms', `127.0.0.1:${port}`]);
  t.is(code, 124);
  t.regex(stderr, /no client within 200 ms \(TNET_E_TIMEOUT\)/);
});

test.serial('a SIGTERM ends --retry-bind', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  t.teardown(() => other.close());
  await once(other, 'listening');
  const { port } = other.address() as net.AddressInfo;
  const server = startCli(t, ['listen', '-v', '--retry-bind', `127.0.0.1:${port}`]);
  await server.said(/in use/);
  server.child.kill('SIGTERM');
  t.is((await server.exit).code, 143);
});

test.serial('--pause accepts the next client only after its time, and loses none', async (t) => {
  const server = startCli(t, ['listen', '-k', '-d', '--json', '--pause', '300ms', '127.0.0.1:0']);
  const [, address] = await server.said(/"address":"([^"]+)"/);
  const clients = await Promise.all([1, 2, 3].map(() => connectPeer(t, address!)));
  for (const client of clients) client.end('x');
  await server.said(/("ended"[^]*){3}/);
  const times = [...server.stderr().matchAll(/"time":"([^"]+)","event":"accepted"/g)].map(([, time]) =>
    Date.parse(time!),
  );
  t.is(times.length, 3);
  // A busy machine may report one client late and the next in time, so two waits together are what can be told.
  t.true(times[2]! - times[0]! >= 500, String(times));
});

const activate = testWith('systemd-socket-activate');

/** Starts a server through systemd-socket-activate, which binds and hands over when the first client comes. */
function startActivated(t: Parameters<typeof startCli>[0], sockets: string[], words: string[]) {
  const args = [...sockets.flatMap((socket) => ['-l', socket]), process.execPath, tnetPath, ...words];
  const child = spawn('systemd-socket-activate', args, { stdio: ['pipe', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  return { child, stdout: readText(child.stdout), stderr: readText(child.stderr) };
}

activate('listen without an address takes the socket that systemd hands over', async (t) => {
  const port = await closedPort();
  const server = startActivated(t, [`127.0.0.1:${port}`], ['listen', '-v']);
  await server.stderr.until(/Listening on/);
  const client = await connectPeer(t, `127.0.0.1:${port}`);
  client.end('activated');
  await server.stdout.until(/activated/);
  await server.stderr.until(new RegExp(`listening on 127\\.0\\.0\\.1:${port}\n`));
  const exit = once(server.child, 'exit');
  server.child.stdin.end();
  t.deepEqual(await exit, [0, null]);
});

activate('several sockets are taken over, and the Unix path is not removed', async (t) => {
  const port = await closedPort();
  const path = join(tempDir(t), 's');
  const server = startActivated(t, [`127.0.0.1:${port}`, path], ['echo', '-v']);
  await server.stderr.until(/Listening on[^]*Listening on/);
  for (const address of [`127.0.0.1:${port}`, path]) {
    const client = await connectPeer(t, address);
    const reading = readText(client);
    client.end(`to ${address}`);
    await once(client, 'end');
    t.is(reading.text(), `to ${address}`);
  }
  await server.stderr.until(new RegExp(`listening on 127\\.0\\.0\\.1:${port}\n[^]*listening on ${path}\n`));
  server.child.kill('SIGTERM');
  await once(server.child, 'exit');
  t.true(statSync(path).isSocket());
});

test.serial('LISTEN_FDS that was meant for another process is left alone', async (t) => {
  const env = { LISTEN_FDS: '1', LISTEN_PID: '1' };
  const { code, stderr } = await runCli(t, ['listen'], '', { env });
  t.is(code, 2);
  t.regex(stderr, /name a port, an address or -U PATH/);
});

test.serial('fd:N listens on a socket that the parent process opened', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { fd } = (other as unknown as { _handle: { fd: number } })._handle;
  const child = spawn(process.execPath, [tnetPath, 'listen', 'fd:3'], {
    stdio: ['pipe', 'pipe', 'pipe', fd],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const { port } = other.address() as net.AddressInfo;
  const stdout = readText(child.stdout!);
  await readText(child.stderr!).until(new RegExp(`listening on 127\\.0\\.0\\.1:${port}\n`));
  other.close();
  (await connectPeer(t, `127.0.0.1:${port}`)).end('handed down');
  await stdout.until(/handed down/);
  t.pass();
});

test.serial('fd:N that is no listening socket is status 2', async (t) => {
  const { code, stderr } = await runCli(t, ['listen', 'fd:2']);
  t.is(code, 2);
  t.regex(
    stderr,
    /^tnet listen: fd:2: the descriptor is not a listening socket \([A-Z]+\) \(TNET_E_DESCRIPTOR\)\n/,
  );
});
