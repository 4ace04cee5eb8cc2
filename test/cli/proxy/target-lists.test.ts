import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { connect } from '../../../src/net/index.ts';
import { parseEndpoint } from '../../../src/address/parse.ts';
import { encodeSocksDatagram } from '../../../src/protocol/socks/address.ts';
import { ask } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { exchange, startNamed } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';
import dgram from 'node:dgram';
import { once } from 'node:events';

const portOf = (address: string) => Number(address.split(':').at(-1));

/** The status of a CONNECT request. */
async function askConnect(t: ExecutionContext, address: string, target: string): Promise<string> {
  const { bytes } = await exchange(t, address, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`);
  return bytes.toString().slice(9, 12);
}

/** The reply of SOCKS 5 to a CONNECT for a name. */
async function askSocks(t: ExecutionContext, address: string, host: string, port: number): Promise<number> {
  const client = await connectPeer(t, address);
  await ask(client, Buffer.from([5, 1, 0]), 2);
  const request = Buffer.concat([Buffer.from([5, 1, 0, 3, host.length]), Buffer.from(host)]);
  const reply = await ask(client, Buffer.concat([request, Buffer.from([port >> 8, port & 255])]), 10);
  client.destroy();
  return reply[1]!;
}

test.serial(
  'clients of SOCKS and CONNECT name only what the lists let them, and each refusal is said',
  async (t) => {
    const [good, other] = [portOf(await startNamed(t, 'good')), portOf(await startNamed(t, 'other'))];
    const cli = startCli(t, [
      ...['proxy', '0', '--socks', '--http-connect', '--allow-target', `localhost:${good},${other}`],
      ...['--allow-target', `loopback:${good}`, '--deny-target', `127.0.0.1:${other},[::1]:${other}`],
    ]);
    const address = await cli.address();
    t.is(await askConnect(t, address, `127.0.0.1:${good}`), '200');
    t.is(await askConnect(t, address, `localhost:${good}`), '200');
    t.is(await askConnect(t, address, `localhost:${other}`), '403');
    await cli.said(
      new RegExp(`localhost:${other}: .*denied by 127\\.0\\.0\\.1:${other}.* \\(TNET_E_DENIED\\)`),
    );
    t.is(await askConnect(t, address, '10.0.0.1:80'), '403');
    await cli.said(/10\.0\.0\.1:80: not allowed \(TNET_E_DENIED\)/);
    t.is(await askSocks(t, address, 'localhost', good), 0);
    t.is(await askSocks(t, address, 'localhost', other), 2);
    t.is(await askSocks(t, address, 'a.example', 1), 2);
    cli.child.kill('SIGUSR1');
    await cli.said(/4 refused \(target not allowed\)/);
  },
);

test.serial('beyond loopback, --allow-target opens a loopback address that is named', async (t) => {
  const [open, closed] = [portOf(await startNamed(t, 'in')), portOf(await startNamed(t, 'in'))];
  const flags = ['--allow', '127.0.0.1', '--allow-target', `*,127.0.0.1:${open}`];
  const cli = startCli(t, ['proxy', '0.0.0.0:0', '--http-connect', ...flags]);
  const address = `127.0.0.1:${await cli.port()}`;
  t.is(await askConnect(t, address, `127.0.0.1:${open}`), '200');
  t.is(await askConnect(t, address, `127.0.0.1:${closed}`), '403');
  await cli.said(/a loopback address of this machine, which clients on other machines may not reach/);
  t.is(await askConnect(t, address, `127.0.0.1:${portOf(address)}`), '403');
});

for (const workers of [[], ['--workers', '2']]) {
  test.serial(`SIGHUP reads a file of targets again ${workers.join(' ')}`, async (t) => {
    const port = portOf(await startNamed(t, 'in'));
    const file = join(tempDir(t), 'targets');
    writeFileSync(file, '# none\n192.0.2.1\n');
    const cli = startCli(t, ['proxy', '0', '--http-connect', '--allow-target', file, '-v', ...workers]);
    const address = await cli.address();
    t.is(await askConnect(t, address, `127.0.0.1:${port}`), '403');
    writeFileSync(file, `127.0.0.1:${port}\n`);
    cli.child.kill('SIGHUP');
    await cli.said(/access lists read again/);
    // The workers read their own.
    let status = '';
    while (status !== '200') status = await askConnect(t, address, `127.0.0.1:${port}`);
    writeFileSync(file, 'no such thing\n');
    cli.child.kill('SIGHUP');
    await cli.said(/targets:1: no: .*\(TNET_E_ACCESS\)/);
    t.is(await askConnect(t, address, `127.0.0.1:${port}`), '200');
  });
}

test.serial('datagrams of a SOCKS client go only where the lists let them', async (t) => {
  const heard: string[] = [];
  const target = dgram.createSocket('udp4').on('message', (bytes) => {
    heard.push(bytes.toString());
    if (bytes.toString() === 'last') target.emit('heard-last');
  });
  target.bind(0, '127.0.0.1');
  await once(target, 'listening');
  t.teardown(() => target.close());
  const { port } = target.address();
  const cli = startCli(t, ['proxy', '0', '--socks', '--deny-target', 'localhost,127.0.0.2']);
  const client = connect(parseEndpoint(await cli.address()) as { host: string; port: number });
  t.teardown(() => client.destroy());
  await once(client, 'connect');
  await ask(client, Buffer.from([5, 1, 0]), 2);
  const reply = await ask(client, Buffer.from([5, 3, 0, 1, 0, 0, 0, 0, 0, 0]), 10);
  const near = dgram.createSocket('udp4');
  t.teardown(() => near.close());
  const send = (host: string, text: string) =>
    near.send(
      encodeSocksDatagram({ host, port, data: Buffer.from(text) }),
      reply.readUInt16BE(8),
      '127.0.0.1',
    );
  const last = once(target, 'heard-last');
  send('localhost', 'by name');
  send('127.0.0.2', 'by address');
  send('127.0.0.1', 'last');
  await last;
  t.deepEqual(heard, ['last']);
  cli.child.kill('SIGUSR1');
  await cli.said(/2 refused \(target not allowed\)/);
});

for (const [args, message] of [
  [['0', '1', '--deny-target', 'private'], /--deny-target: makes sense only with --socks or --http-connect/],
  [['0', '--socks', '--deny-target', 'privat'], /privat: not one of loopback, .*\(TNET_E_ACCESS\)/],
  [['0', '--socks', '--allow-target', '10.0.0.0/33'], /10\.0\.0\.0\/33: not a CIDR block/],
  [['0', '--socks', '--allow-target', './no-such-file'], /the file cannot be read \(ENOENT\)/],
  [['0', '--socks', '--allow-target', ''], /the entry is empty/],
] as const) {
  test.serial(`proxy ${args.join(' ')} is refused in one line`, async (t) => {
    const { code, stderr } = await runCli(t, ['proxy', ...args]);
    t.is(code, 2);
    t.regex(stderr, message);
    t.is(stderr.trimEnd().split('\n').length, 1, stderr);
  });
}
