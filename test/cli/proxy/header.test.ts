import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { decodeProxyHeader } from '../../../src/protocol/proxy-protocol/decode.ts';
import { encodeProxyV1, encodeProxyV2 } from '../../../src/protocol/proxy-protocol/encode.ts';
import { collect } from '../../helpers/bytes.ts';
import { closedPort, runCli, startCli } from '../../helpers/cli.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';

const ends = {
  family: 'tcp4',
  source: { host: '192.0.2.7', port: 40_001 },
  destination: { host: '198.51.100.9', port: 443 },
} as const;
const v1 = encodeProxyV1(ends);
const v2 = encodeProxyV2({ command: 'proxy', ends, values: [] });

for (const version of [1, 2] as const) {
  const flag = version === 1 ? ['--send-proxy'] : ['--send-proxy=2'];
  test.serial(
    `connect sends a PROXY header of version ${version} with its own ends, and then the data`,
    async (t) => {
      const received = Promise.withResolvers<[Buffer, number]>();
      const server = await startPeerServer(t, 'tcp', (socket) => {
        const { remotePort } = socket;
        void collect(socket).then((bytes) => received.resolve([bytes, remotePort!]));
        socket.end();
      });
      const run = await runCli(t, ['connect', ...flag, ...server.words], 'data');
      t.is(run.code, 0, run.stderr);
      const [bytes, port] = await received.promise;
      const decoded = decodeProxyHeader(bytes);
      if ('needBytes' in decoded) return t.fail('the header is not whole');
      t.is(decoded.header.version, version);
      t.deepEqual(decoded.header.ends, {
        family: 'tcp4',
        source: { host: '127.0.0.1', port },
        destination: { host: '127.0.0.1', port: Number(server.words[1]) },
      });
      t.is(bytes.subarray(decoded.headerBytes).toString(), 'data');
    },
  );

  test.serial(
    `listen takes a PROXY header of version ${version} in pieces, and names the client in it`,
    async (t) => {
      const cli = startCli(t, ['listen', '--json', '--accept-proxy', '127.0.0.1:0'], { stdin: 'null' });
      const address = await addressOf(cli.said(/"listening","address":"([^"]+)"/));
      const peer = await connectPeer(t, address);
      const port = peer.localPort!;
      for (const byte of version === 1 ? v1 : v2) {
        peer.write(Buffer.from([byte]));
        await new Promise(setImmediate);
      }
      const output = collect(cli.stdout);
      peer.end('data');
      t.is((await output).toString(), 'data');
      t.is((await cli.exit).code, 0, cli.stderr());
      const [, remote] = /"event":"accepted","id":1,.*"remote":"([^"]+)"/.exec(cli.stderr()) ?? [];
      t.is(remote, `127.0.0.1:${port}`);
      t.true(
        cli.stderr().includes(`"event":"client","id":1,"remote":"${remote}","client":"192.0.2.7:40001"`),
        cli.stderr(),
      );
    },
  );
}

async function addressOf(said: Promise<RegExpExecArray>): Promise<string> {
  return (await said)[1]!;
}

test.serial('a header that says nothing of the client leaves the connection its own addresses', async (t) => {
  const cli = startCli(t, ['listen', '-v', '--accept-proxy', '127.0.0.1:0'], { stdin: 'null' });
  const peer = await connectPeer(t, await cli.address());
  peer.end('PROXY UNKNOWN\r\ndata');
  await cli.said(new RegExp(`connection from 127\\.0\\.0\\.1:${peer.localPort}\n`));
  t.is((await cli.exit).code, 0);
});

const bad: readonly (readonly [string, (peer: net.Socket) => void, RegExp])[] = [
  ['is none', (peer) => peer.write('GET / HTTP/1.1\r\n\r\n'), /\(TNET_E_PROTOCOL\)\n/],
  [
    'never comes to its end',
    (peer) => peer.write('PROXY TCP4 '),
    /no PROXY header within 10 s \(TNET_E_TIMEOUT\)\n/,
  ],
  [
    'is cut',
    (peer) => peer.end('PROXY TCP4 '),
    /ended the connection in the middle of its PROXY header \(TNET_E_PROTOCOL\)\n/,
  ],
];
for (const [what, send, says] of bad) {
  test.serial(
    `a client whose header ${what} is turned away with a line, and the next is served`,
    async (t) => {
      const cli = startCli(t, ['listen', '--accept-proxy', '127.0.0.1:0'], { stdin: 'null' });
      const peer = await connectPeer(t, await cli.address());
      send(peer);
      await cli.said(says);
      peer.destroy();
      const next = await connectPeer(t, await cli.address());
      const output = collect(cli.stdout);
      next.end(Buffer.concat([v2, Buffer.from('data')]));
      t.is((await output).toString(), 'data');
      t.is((await cli.exit).code, 0);
    },
  );
}

/** haproxy between `listen` and a server: `bind` and `server` take further words. */
async function startHaproxy(
  t: ExecutionContext,
  target: number,
  bind: string,
  server: string,
): Promise<number> {
  const port = await closedPort();
  const file = join(tempDir(t), 'haproxy.cfg');
  const lines = [
    'defaults',
    '  mode tcp',
    '  timeout connect 5s',
    '  timeout client 20s',
    '  timeout server 20s',
    'listen tnet',
    `  bind 127.0.0.1:${port} ${bind}`,
    `  server s 127.0.0.1:${target} ${server}`,
    '',
  ];
  writeFileSync(file, lines.join('\n'));
  const child = startProgram(t, '/usr/sbin/haproxy', ['-f', file, '-db']);
  // A probe of the port would be a client of its own: haproxy says nothing, so its socket is looked for.
  await waitForPort(port, child);
  return port;
}

for (const version of ['send-proxy', 'send-proxy-v2'] as const) {
  testWith('haproxy')(`listen takes the header of haproxy's ${version}`, async (t) => {
    const cli = startCli(t, ['listen', '-k', '-v', '--accept-proxy', '127.0.0.1:0'], { stdin: 'null' });
    const port = await startHaproxy(t, await cli.port(), '', version);
    const peer = await connectPeer(t, `127.0.0.1:${port}`);
    peer.end('through haproxy');
    await cli.said(new RegExp(`its client is 127\\.0\\.0\\.1:${peer.localPort}\n`));
    const [chunk] = (await once(cli.stdout, 'data')) as [Buffer];
    t.is(chunk.toString(), 'through haproxy');
  });
}

for (const flag of ['--send-proxy=1', '--send-proxy=2']) {
  testWith('haproxy')(`haproxy takes the header of connect's ${flag}`, async (t) => {
    const received = Promise.withResolvers<Buffer>();
    const server = await startPeerServer(t, 'tcp', (socket) => {
      void collect(socket).then((bytes) => {
        if (bytes.includes('data')) received.resolve(bytes);
      });
      socket.end();
    });
    const port = await startHaproxy(t, Number(server.words[1]), 'accept-proxy', 'send-proxy');
    const cli = startCli(t, ['connect', '-v', flag, '127.0.0.1', String(port)]);
    cli.stdin.end('data');
    const [, local] = await cli.said(/connected to .* from 127\.0\.0\.1:(\d+)\n/);
    const bytes = await received.promise;
    t.is(bytes.toString(), `PROXY TCP4 127.0.0.1 127.0.0.1 ${local} ${port}\r\ndata`);
    t.is((await cli.exit).code, 0, cli.stderr());
  });
}

test.serial('a version of PROXY that there is not is exit 2', async (t) => {
  const run = await runCli(t, ['connect', '--send-proxy=3', '127.0.0.1', '1']);
  t.is(run.code, 2);
  t.regex(run.stderr, /the PROXY protocol has the versions 1 and 2/);
});
