import { once } from 'node:events';
import { createSocket } from 'node:dgram';
import net from 'node:net';
import test from 'ava';
import { collect } from '../helpers/bytes.ts';
import { runCli, startCli } from '../helpers/cli.ts';
import { connectPeer } from '../helpers/peers.ts';
import { exchange } from '../helpers/proxy.ts';

const metricsFlags = ['--metrics', '127.0.0.1:0', '-v'];

async function fetchText(url: string): Promise<string> {
  return (await fetch(url)).text();
}

test.serial('echo --metrics counts what open connections have moved, and health is good', async (t) => {
  const cli = startCli(t, ['echo', '127.0.0.1:0', ...metricsFlags]);
  const [, url] = await cli.said(/metrics at (http:\S+)/);
  const address = await cli.address();
  t.is((await fetch(new URL('/healthz', url))).status, 200);
  t.is((await exchange(t, address, 'hello')).bytes.toString(), 'hello');
  await cli.said(/: eof, 5 bytes in/);
  const held = await connectPeer(t, address);
  held.write('a');
  await once(held, 'data');
  // The engine tells of its clients a moment later.
  await cli.said(/connection from[^]*connection from/);
  const text = await fetchText(url!);
  for (const line of [
    'connections_total 2',
    'open_connections 1',
    'failed_total 0',
    'received_bytes_total 6',
    'sent_bytes_total 6',
  ]) {
    t.true(text.includes(`tnet_echo_${line}\n`), line);
  }
  held.end();
  await collect(held);
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
});

test.serial('echo -u --metrics counts the bytes of datagrams', async (t) => {
  const cli = startCli(t, ['echo', '-u', '127.0.0.1:0', ...metricsFlags]);
  const [, url] = await cli.said(/metrics at (http:\S+)/);
  const socket = createSocket('udp4');
  t.teardown(() => socket.close());
  socket.send('hello', await cli.port(), '127.0.0.1');
  await once(socket, 'message');
  const text = await fetchText(url!);
  t.regex(text, /^tnet_echo_received_bytes_total 5$/m);
  t.regex(text, /^tnet_echo_sent_bytes_total 5$/m);
  t.regex(text, /^tnet_echo_connections_total 0$/m);
});

for (const command of ['echo', 'listen'] as const) {
  const words = command === 'listen' ? ['listen', '-k'] : ['echo'];

  test.serial(`${command} --metrics counts who was turned away, by reason`, async (t) => {
    const cli = startCli(t, [...words, '127.0.0.1:0', '--deny', '127.0.0.1', ...metricsFlags]);
    const [, url] = await cli.said(/metrics at (http:\S+)/);
    // Who is turned away may be reset before the connection is known to stand.
    const client = net.connect(await cli.port(), '127.0.0.1').on('error', () => undefined);
    t.teardown(() => client.destroy());
    await cli.said(/refused|turned away|denied/);
    const text = await fetchText(url!);
    t.true(text.includes(`tnet_${command}_refused_total{reason="denied"} 1\n`), text);
  });

  test.serial(`${command} --metrics at an address in use serves nobody, and says why`, async (t) => {
    const taken = startCli(t, ['echo', '127.0.0.1:0']);
    const { code, stderr } = await runCli(t, [...words, '127.0.0.1:0', '--metrics', await taken.address()]);
    t.is(code, 2);
    t.regex(stderr, /EADDRINUSE|in use/);
    t.notRegex(stderr, /listening on/);
  });
}

test.serial('listen -k --metrics counts the bytes of a connection that has ended', async (t) => {
  const cli = startCli(t, ['listen', '-k', '-d', '127.0.0.1:0', ...metricsFlags]);
  const [, url] = await cli.said(/metrics at (http:\S+)/);
  await exchange(t, await cli.address(), 'hello');
  await cli.said(/: eof/);
  const text = await fetchText(url!);
  t.regex(text, /^tnet_listen_received_bytes_total 5$/m);
  t.regex(text, /^tnet_listen_open_connections 0$/m);
});

test.serial('--metrics without -k is refused: listen has one client', async (t) => {
  const { code, stderr } = await runCli(t, ['listen', '127.0.0.1:0', '--metrics', '0']);
  t.is(code, 2);
  t.regex(stderr, /--metrics goes with -k/);
});
