import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { createDatagramTuner, createTuner } from '../../src/net/socket-tuning.ts';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { connect } from '../../src/net/index.ts';
import { bindDatagram, descriptorOfDatagrams } from '../../src/net/datagram.ts';
import { descriptorOf } from '../../src/net/tuning.ts';
import { runCli, startCli, tnetPath } from '../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../helpers/peers.ts';
import { exchange, startEcho } from '../helpers/proxy.ts';
import { testWith } from '../helpers/programs.ts';
import { tempDir } from '../helpers/temp.ts';

const addon = loadNativeAddon();
if (!addon) console.log('skipped: there is no native addon here');
const testNative = addon ? test.serial : test.serial.skip;

/** What ss(8) says of the connection from a port of this machine. */
function askSystem(localPort: number): string {
  return execFileSync('ss', ['-tonimH', '--tos', `sport = :${localPort}`]).toString();
}

testWith('ss')(
  'connect sets keepalive and type of service, and calls from the address it is given',
  async (t) => {
    const server = await startPeerServer(t, 'tcp');
    const flags = ['-s', '127.0.0.5', '--keepalive', '600s,10s,4', '--tos', 'lowdelay'];
    const cli = startCli(t, ['connect', '-v', ...flags, ...server.words]);
    const peer = await server.accept();
    await cli.said(/connected to/);
    const shown = askSystem(peer.remotePort!);
    t.regex(shown, / 127\.0\.0\.5:\d+ /);
    t.regex(shown, /timer:\(keepalive,9min\d+sec,0\)/);
    t.regex(shown, /tos:0x10/);
    cli.stdin.end();
    peer.end();
    t.is((await cli.exit).code, 0, cli.stderr());
  },
);

testWith('ss')('listen sets them on every client', async (t) => {
  const cli = startCli(t, ['listen', '-k', '-v', '--keepalive', '300', '--tos', '0xb8', '127.0.0.1:0'], {
    stdin: 'null',
  });
  const port = await cli.port();
  for (let round = 0; round < 2; round++) {
    const peer = await connectPeer(t, `127.0.0.1:${port}`);
    await cli.said(new RegExp(`connection from 127\\.0\\.0\\.1:${peer.localPort}`));
    const shown = execFileSync('ss', ['-tonimH', '--tos', `dport = :${peer.localPort}`]).toString();
    t.regex(shown, /timer:\(keepalive,4min\d+sec,0\) tos:0xb8/);
  }
});

/** Whether a client's side of a dual-stack listener, or an IPv4 or IPv6 one's own. */
const addresses = ['127.0.0.1:0', '[::1]:0', '0'] as const;

const testNativeWithSs = addon ? testWith('ss') : test.serial.skip;

for (const command of [['listen', '-k'], ['echo'], ['echo', '--accept-proxy']]) {
  for (const address of addresses)
    testNativeWithSs(
      `${command.join(' ')} on ${address} sets the type of service of what it sends`,
      async (t) => {
        const cli = startCli(t, [...command, '-v', '--tos', 'ef', address], { stdin: 'null' });
        const peer = await connectPeer(t, await cli.address());
        peer.write('PROXY UNKNOWN\r\nhere');
        await cli.said(/connection from/);
        const shown = execFileSync('ss', ['-tonimH', '--tos', `dport = :${peer.localPort}`]).toString();
        t.regex(shown, address.startsWith('[') ? /tclass:0xb8/ : /tos:0xb8/);
      },
    );
}

testNative('the buffers, the hops, the lingering and Nagle are set through the addon', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const socket = connect(server.target as never);
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  const fd = descriptorOf(socket)!;
  const tuning = { receiveBufferBytes: 50_000, sendBufferBytes: 60_000, hopLimit: 9, lingerSeconds: 3 };
  // As --nodelay does, and --no-nodelay below.
  createTuner({ ...tuning, noDelay: true })(socket);
  const names = ['rcvbuf', 'sndbuf', 'ttl', 'linger', 'nodelay'] as const;
  t.deepEqual(
    names.map((name) => addon!.getOption(fd, name)),
    [100_000, 120_000, 9, 3, 1],
  );
  createTuner({ noDelay: false })(socket);
  t.is(addon!.getOption(fd, 'nodelay'), 0);
});

testNative('--linger 0 makes the end of connect a reset', async (t) => {
  const server = await startPeerServer(t, 'tcp');
  const cli = startCli(t, ['connect', '--linger', '0', '--no-shutdown', '-q', '0', ...server.words], {
    stdin: 'null',
  });
  const peer = await server.accept();
  peer.resume();
  const [error] = (await once(peer, 'error')) as [NodeJS.ErrnoException];
  t.is(error.code, 'ECONNRESET');
  t.is((await cli.exit).code, 0, cli.stderr());
});

test.serial('an option that needs the addon is exit 2 without it, and says why', async (t) => {
  const env = { TNET_NATIVE: '0' };
  for (const flags of [
    ['--rcvbuf', '64k'],
    ['--sndbuf', '64k'],
    ['--ttl', '3'],
    ['--linger', '1'],
  ]) {
    const run = await runCli(t, ['connect', ...flags, '127.0.0.1', '1'], '', { env });
    t.is(run.code, 2);
    t.is(
      run.stderr,
      `tnet connect: ${flags[0]}: needs tnet's native addon: TNET_NATIVE=0 turns it off (TNET_E_UNSUPPORTED)\n`,
    );
  }
});

test.serial('values that the system does not have are exit 2', async (t) => {
  const cases: readonly (readonly string[])[] = [
    ['--keepalive', '500ms'],
    ['--keepalive', '1,2,3,4'],
    ['--keepalive', '10,5,200'],
    ['--tos', '256'],
    ['--tos', 'fast'],
    ['--ttl', '0'],
    ['--ttl', '256'],
    ['--rcvbuf', '0'],
    ['--linger', '1500ms'],
  ];
  await Promise.all(
    cases.map(async (flags) => {
      const run = await runCli(t, ['connect', ...flags, '127.0.0.1', '1']);
      t.is(run.code, 2, flags.join(' '));
      t.regex(run.stderr, new RegExp(`^tnet connect: ${flags[0]}: `));
    }),
  );
  const unix = await runCli(t, ['connect', '--ttl', '3', '-U', '/nowhere']);
  t.is(unix.code, 2);
  t.regex(unix.stderr, /a Unix socket has no --ttl \(TNET_E_USAGE\)/);
});

test('a socket without a descriptor has none to give', (t) => {
  t.is(
    descriptorOf(
      connect({ port: 1, host: '127.0.0.1' } as never)
        .on('error', () => undefined)
        .destroy(),
    ),
    undefined,
  );
});

for (const [type, address] of [
  ['udp4', '127.0.0.1'],
  ['udp6', '::1'],
] as const) {
  testNative(`the type of service and the hops of a ${type} socket are set`, async (t) => {
    const socket = await bindDatagram({ type, address, port: 0 });
    t.teardown(() => socket.close());
    const buffers = { receiveBufferBytes: 50_000, sendBufferBytes: 60_000 };
    createDatagramTuner({ typeOfService: 0xb8, hopLimit: 9, ...buffers })(socket);
    const fd = descriptorOfDatagrams(socket)!;
    t.deepEqual(
      (['tos', 'ttl', 'rcvbuf', 'sndbuf'] as const).map((name) => addon!.getOption(fd, name)),
      [0xb8, 9, 100_000, 120_000],
    );
  });
}

const testTraced = addon ? testWith('strace') : test.serial.skip;

testTraced('connect -u sets the type of service and the hops before it sends', async (t) => {
  const server = startCli(t, ['listen', '-u', '-i', '20s', '127.0.0.1:0']);
  const args = [
    'connect',
    '-u',
    '-q',
    '0',
    '--tos',
    'ef',
    '--ttl',
    '9',
    '127.0.0.1',
    String(await server.port()),
  ];
  const file = join(tempDir(t), 'trace');
  const words = [
    '-f',
    '-e',
    'trace=setsockopt,sendto,sendmsg,sendmmsg',
    '-o',
    file,
    process.execPath,
    tnetPath,
  ];
  execFileSync('strace', [...words, ...args], { input: 'sent', stdio: ['pipe', 'ignore', 'ignore'] });
  const trace = readFileSync(file, 'latin1');
  const places = [/IP_TTL, \[9\]/, /IP_MULTICAST_TTL, "?\[?(?:9|\\t)/, /IP_TOS, \[184\]/, /"sent"/].map(
    (call) => trace.search(call),
  );
  t.true(
    places.every((place) => place >= 0),
    `${String(places)}\n${trace}`,
  );
  t.is(Math.max(...places), places.at(-1) ?? -1);
});

for (const [words, calls] of [
  [
    ['listen', '-u', '--ttl', '9', '--tos', 'ef', '0'],
    [/IP_TTL, \[9\]/, /IP_TOS, \[184\]/],
  ],
  [
    ['echo', '-u', '--ttl', '9', '--tos', 'ef', '127.0.0.1:0'],
    [/IP_TTL, \[9\]/, /IP_TOS, \[184\]/],
  ],
  [
    ['echo', '-u', '--rcvbuf', '70000', '127.0.0.1:0'],
    [/SO_RCVBUF, \[1048576\]/, /SO_RCVBUF, \[70000\]/],
  ],
] as const) {
  testTraced(`${words.join(' ')} sets the options of its UDP socket`, async (t) => {
    const file = join(tempDir(t), 'trace');
    const inside = ['strace', '-f', '-e', 'trace=setsockopt', '-o', file];
    const cli = startCli(t, [...words], { inside });
    await cli.said(/listening on/);
    // strace(1) ends with what it runs, and has written all then.
    const pid = cli.child.pid!;
    process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0]));
    await cli.exit;
    const trace = readFileSync(file, 'latin1');
    const places = calls.map((call) => trace.search(call));
    t.true(
      places.every((place) => place >= 0),
      trace,
    );
    t.deepEqual(
      places,
      places.toSorted((a, b) => a - b),
      trace,
    );
  });
}

testTraced('proxy --linger and --ttl are set on both sides of a relay', async (t) => {
  const file = join(tempDir(t), 'trace');
  const inside = ['strace', '-f', '-e', 'trace=setsockopt', '-o', file];
  const args = ['proxy', '--linger', '3', '--ttl', '9', '127.0.0.1:0', await startEcho(t)];
  const cli = startCli(t, args, { inside });
  t.is((await exchange(t, await cli.address(), 'through')).bytes.toString(), 'through');
  const pid = cli.child.pid!;
  process.kill(Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ')[0]));
  await cli.exit;
  const trace = readFileSync(file, 'latin1');
  t.is(trace.match(/SO_LINGER, \{l_onoff=1, l_linger=3\}/g)?.length, 2, trace);
  t.is(trace.match(/IP_TTL, \[9\]/g)?.length, 2, trace);
});

test.serial('connect -u --ttl needs no addon, and --tos says that it does', async (t) => {
  const env = { TNET_NATIVE: '0' };
  const words = ['-u', '-q', '0', '127.0.0.1', '9'];
  const hops = await runCli(t, ['connect', '--ttl', '9', ...words], '', { env });
  t.deepEqual([hops.code, hops.stderr], [0, '']);
  const service = await runCli(t, ['connect', '--tos', 'ef', ...words], '', { env });
  t.is(service.code, 2);
  t.regex(service.stderr, /^tnet connect: --tos: needs tnet's native addon: .* \(TNET_E_UNSUPPORTED\)\n$/);
});
