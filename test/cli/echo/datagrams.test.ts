import dgram from 'node:dgram';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { payload, sameBytes } from '../../helpers/bytes.ts';
import { startCli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';

async function openClient(t: ExecutionContext, port: number, localPort = 0, host = '127.0.0.1') {
  const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
  socket.bind(localPort, host);
  await once(socket, 'listening');
  t.teardown(() => socket.close());
  socket.connect(port, host);
  await once(socket, 'connect');
  return socket;
}

async function ask(socket: dgram.Socket, datagram: string | Buffer): Promise<Buffer> {
  const answer = once(socket, 'message');
  socket.send(datagram);
  return ((await answer) as [Buffer])[0];
}

test.serial(
  'echo -u sends each datagram back as it came, also one without bytes and the longest',
  async (t) => {
    const server = startCli(t, ['echo', '-u', '-v', '0']);
    const client = await openClient(t, await server.port());
    t.is((await ask(client, 'one')).toString(), 'one');
    t.is((await ask(client, '')).length, 0);
    const long = payload(65_507);
    sameBytes(t, await ask(client, long), long);
    await server.said(/: datagram of 3 bytes, answered with 3 bytes\n/);
  },
);

for (const [flag, bound] of [
  ['-4', /^udp:\/\/127\.0\.0\.1:\d+$/],
  ['-6', /^udp:\/\/\[::1\]:\d+$/],
  ['-v', /^udp:\/\/127\.0\.0\.1:\d+$/],
] as const) {
  test.serial(`echo -u ${flag} without a host listens on loopback only`, async (t) => {
    t.regex(await startCli(t, ['echo', '-u', flag, '0']).address(), bound);
  });
}

test.serial('echo udp:// with a host listens there', async (t) => {
  t.regex(await startCli(t, ['echo', 'udp://0.0.0.0:0']).address(), /^udp:\/\/0\.0\.0\.0:\d+$/);
});

for (const [service, pattern] of [
  ['daytime', /^\w+day, \w+ \d+, \d{4} \d\d:\d\d:\d\d-UTC\r\n$/],
  ['qotd', /^[\x20-\x7e]{1,509}\r\n$/],
  ['chargen', /^(?: !"#\$%&'\(\)|[\x20-\x7e\r\n]{0,9}$)/],
] as const) {
  test.serial(`--service ${service} -u answers a datagram with one, whatever it holds`, async (t) => {
    const server = startCli(t, ['echo', '--service', service, '-u', '0']);
    const client = await openClient(t, await server.port());
    for (const datagram of ['', 'anything'])
      t.regex((await ask(client, datagram)).toString('latin1'), pattern);
  });
}

test.serial('--service time -u answers with four bytes', async (t) => {
  const server = startCli(t, ['echo', '--service', 'time', '-u', '0']);
  const client = await openClient(t, await server.port());
  t.true(Math.abs((await ask(client, '')).readUInt32BE() - 2_208_988_800 - Date.now() / 1000) < 120);
});

test.serial('--service discard -u answers nothing and counts', async (t) => {
  const server = startCli(t, ['echo', '--service', 'discard', '-u', '-v', '0']);
  const client = await openClient(t, await server.port());
  client.send('taken');
  await server.said(/: datagram of 5 bytes, no answer\n/);
  server.child.kill('SIGINT');
  t.is((await server.exit).code, 130);
  t.regex(server.stderr(), /1 datagram, 5 bytes in, 0 bytes out in [\d.]+ s\n$/);
});

test.serial('a datagram from the port of another such service is not answered, and it is said', async (t) => {
  const server = startCli(t, ['echo', '-u', '127.0.0.1:0']);
  const serverPort = await server.port();
  // Ports that need no privilege: one of them is free.
  const client = await [27_015, 37_810, 10_001, 5683, 3702].reduce<Promise<dgram.Socket>>(
    (found, port) => found.catch(() => openClient(t, serverPort, port)),
    Promise.reject(new Error('no port yet')),
  );
  client.send('round and round');
  await server.said(/refused 127\.0\.0\.1:(\d+): port \1 is a service's, which would answer in turn\n/);
  server.child.kill('SIGINT');
  await server.exit;
  t.regex(server.stderr(), /0 datagrams \(1 more dropped\), 0 bytes in/);
});

test.serial('over --rate an address gets no answers, which is said once', async (t) => {
  const server = startCli(t, ['echo', '-u', '--rate', '2/h', '127.0.0.1:0']);
  const client = await openClient(t, await server.port());
  const other = await openClient(t, await server.port());
  t.is((await ask(client, 'one')).toString(), 'one');
  t.is((await ask(other, 'two')).toString(), 'two');
  for (let count = 0; count < 5; count++) client.send('more');
  await server.said(/more datagrams than --rate allows/);
  server.child.kill('SIGINT');
  await server.exit;
  t.is(server.stderr().match(/more datagrams than --rate allows/g)!.length, 1);
});

test.serial('chargen -u answers ten datagrams of an address in a second by default', async (t) => {
  const server = startCli(t, ['echo', '--service', 'chargen', '-u', '127.0.0.1:0']);
  const client = await openClient(t, await server.port());
  for (let count = 0; count < 200; count++) client.send('');
  await server.said(/more datagrams than --rate allows/);
  t.pass();
});

test.serial('--deny drops the datagrams of an address', async (t) => {
  const server = startCli(t, ['echo', '-u', '--deny', '127.0.0.1', '127.0.0.1:0']);
  const client = await openClient(t, await server.port());
  client.send('x');
  await server.said(/refused 127\.0\.0\.1:\d+: /);
  t.pass();
});

test.serial('--live tells how many datagrams were taken', async (t) => {
  const server = startCli(t, ['echo', '-u', '--live', '127.0.0.1:0']);
  const stdout = readText(server.stdout);
  await stdout.until(/^0 datagrams, in 0 0\/s, out 0 0\/s\n/);
  const client = await openClient(t, await server.port());
  t.is((await ask(client, 'four')).toString(), 'four');
  await stdout.until(/^1 datagram, in 4 \d+\/s, out 4 \d+\/s\n/m);
});
