import net from 'node:net';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { closedPort, runCli } from '../../helpers/cli.ts';

async function say(t: ExecutionContext, serve: (socket: net.Socket) => void, port = 0): Promise<number> {
  const listener = net.createServer((socket) => serve(socket.on('error', () => undefined)));
  t.teardown(() => listener.close());
  listener.listen(port, '127.0.0.1');
  await once(listener, 'listening');
  return (listener.address() as net.AddressInfo).port;
}

test.serial('-z --banner prints the first line of each port that accepts, escaped, on stdout', async (t) => {
  const ssh = await say(t, (socket) => socket.end('SSH-2.0-Test\r\nmore\r\n'));
  const odd = await say(t, (socket) => socket.end('\x1b[31mred \xff\r\n', 'latin1'));
  const slow = await say(t, (socket) => {
    socket.write('220 in ');
    socket.write('parts');
    setTimeout(() => socket.end('\r\n'), 20);
  });
  const mute = await say(t, (socket) => socket.resume());
  const ports = [ssh, odd, slow, mute, await closedPort()].join(',');
  const { code, stdout, stderr } = await runCli(t, ['connect', '-z', '--banner=2s', '127.0.0.1', ports]);
  t.is(code, 0);
  t.is(stderr, '');
  t.deepEqual(
    stdout.toString().split('\n').sort(),
    [
      '',
      `127.0.0.1:${ssh}\tSSH-2.0-Test`,
      `127.0.0.1:${odd}\t\\x1b[31mred \ufffd`,
      `127.0.0.1:${slow}\t220 in parts`,
      `127.0.0.1:${mute}\t`,
    ].sort(),
  );
});

test.serial('-z --banner --send shows how a server answers', async (t) => {
  const port = await say(t, (socket) =>
    socket.once('data', (asked: Buffer) => socket.end(`you said ${asked.toString()}`)),
  );
  const args = ['connect', '-z', '--banner=20s', '--send', 'hello\\n', '127.0.0.1', String(port)];
  const { code, stdout } = await runCli(t, args);
  t.deepEqual([code, stdout.toString()], [0, `127.0.0.1:${port}\tyou said hello\n`]);
});

test.serial('-z --banner --json has the banner in the event, and nothing on stdout', async (t) => {
  const port = await say(t, (socket) => socket.end('hello\n'));
  const { code, stdout, stderr } = await runCli(t, [
    'connect',
    '-z',
    '--json',
    '--banner=20s',
    `127.0.0.1:${port}`,
  ]);
  t.deepEqual([code, stdout.length], [0, 0]);
  t.is((JSON.parse(stderr) as { banner: string }).banner, 'hello');
});

test.serial('-z --expect counts a port only when its server answers', async (t) => {
  const port = await say(t, (socket) => socket.once('data', () => socket.end('+PONG\r\n')));
  const ask = (pattern: string) =>
    runCli(t, ['connect', '-z', '--send', 'PING\\r\\n', '--expect', pattern, '127.0.0.1', String(port)]);
  t.is((await ask('^\\+PONG')).code, 0);
  t.is((await ask('^-ERR')).code, 1);
});
