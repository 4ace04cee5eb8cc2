import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { decodeProxyHeader } from '../../src/protocol/proxy-protocol/decode.ts';
import { collect } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { closedPort, runCli, startCli } from '../helpers/cli.ts';
import { startPeerServer } from '../helpers/peers.ts';
import { startProgram, waitForPort } from '../helpers/processes.ts';
import { testWith } from '../helpers/programs.ts';
import { tempDir } from '../helpers/temp.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost');
const client = authority.issue('client', 'DNS:client');
test.after.always(() => authority.remove());

/** A server that gives the values of the header that it gets, and the bytes after it. */
async function startReceiver(t: ExecutionContext) {
  const received = Promise.withResolvers<Buffer>();
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    void collect(socket).then((bytes) => {
      received.resolve(bytes);
      socket.end();
    });
  });
  const read = async () => {
    const bytes = await received.promise;
    const decoded = decodeProxyHeader(bytes);
    if ('needBytes' in decoded) throw new Error('the header is not whole');
    return { values: decoded.header.values, rest: bytes.subarray(decoded.headerBytes).toString() };
  };
  return { words, read };
}

const tlv = (...values: readonly string[]) => values.flatMap((value) => ['--proxy-tlv', value]);

test.serial('connect --proxy-tlv sends values, with a checksum over all of them', async (t) => {
  const receiver = await startReceiver(t);
  const values = tlv(
    'authority=a.example',
    'alpn=h2',
    'crc32c',
    'unique-id=id\\x001',
    '0xe0=own',
    'netns=blue',
  );
  const run = await runCli(t, ['connect', '--send-proxy=2', ...values, ...receiver.words], 'data');
  t.is(run.code, 0, run.stderr);
  const { values: got, rest } = await receiver.read();
  t.is(rest, 'data');
  t.deepEqual(
    got.map((value) => (value.type === 'crc32c' ? { type: value.type } : value)),
    [
      { type: 'authority', name: 'a.example' },
      { type: 'alpn', protocol: 'h2' },
      { type: 'crc32c' },
      { type: 'unique-id', bytes: Buffer.from('id\x001') },
      { type: 'other', code: 0xe0, bytes: Buffer.from('own') },
      { type: 'netns', name: 'blue' },
    ],
  );
});

test.serial('what connect sends is what listen -v and --json report', async (t) => {
  const values = tlv('authority=a.example', 'alpn=h2', 'crc32c', 'unique-id=id-1', '0xe0=own', 'netns=blue');
  for (const [flag, said] of [
    [
      '-v',
      /its client is 127\.0\.0\.1:\d+, asked for a\.example, ALPN h2, unique id id-1, network namespace blue, checksum right, also 0xe0\n/,
    ],
    [
      '--json',
      /"authority":"a\.example","alpn":"h2","checksum":true,"uniqueId":"id-1","netns":"blue","others":\["0xe0"\]/,
    ],
  ] as const) {
    const listener = startCli(t, ['listen', flag, '--accept-proxy', '127.0.0.1:0'], { stdin: 'null' });
    const [, address = ''] = await listener.said(/(127\.0\.0\.1:\d+)/);
    listener.stdout.resume();
    await runCli(t, ['connect', '--send-proxy=2', ...values, address], 'data');
    await listener.said(said);
    t.is((await listener.exit).code, 0, listener.stderr());
  }
});

for (const known of [true, false]) {
  test.serial(
    `a proxy tells its target of TLS with a client ${known ? 'that shows a certificate' : 'without a certificate'}`,
    async (t) => {
      const receiver = await startReceiver(t);
      const files = ['--tls-cert', server.certFile, '--tls-key', server.keyFile, '--tls-alpn', 'x/1'];
      const asks = ['--tls-client-ca', authority.caFile, '--tls-client-optional'];
      const own = ['--send-proxy', '2', ...tlv('0xe0=own')];
      const proxy = startCli(t, [
        'proxy',
        '--tls-in',
        ...files,
        ...asks,
        ...own,
        '127.0.0.1:0',
        receiver.words.join(':'),
      ]);
      const shown = known ? ['--tls-cert', client.certFile, '--tls-key', client.keyFile] : [];
      const flags = [
        '--tls',
        '--tls-ca',
        authority.caFile,
        '--tls-servername',
        'localhost',
        '--tls-alpn',
        'x/1',
      ];
      const run = await runCli(t, ['connect', ...flags, ...shown, await proxy.address()], 'data');
      t.is(run.code, 0, run.stderr);
      const { values, rest } = await receiver.read();
      t.is(rest, 'data');
      const ssl = values.find((value) => value.type === 'ssl')?.ssl;
      t.like(ssl, { isTls: true, hasCertificate: known, verify: known ? 0 : 1, version: 'TLSv1.3' });
      t.is(ssl?.commonName, known ? 'client' : undefined);
      t.truthy(ssl?.cipher);
      t.deepEqual(
        values.filter((value) => value.type !== 'ssl'),
        [
          { type: 'other', code: 0xe0, bytes: Buffer.from('own') },
          { type: 'alpn', protocol: 'x/1' },
          { type: 'authority', name: 'localhost' },
        ],
      );
    },
  );
}

/** haproxy, which takes TLS from clients, and tells the target of it. */
async function startHaproxy(t: ExecutionContext, bind: string, target: string): Promise<number> {
  const port = await closedPort();
  const dir = tempDir(t);
  const pem = join(dir, 'pair.pem');
  writeFileSync(pem, Buffer.concat([server.cert, server.key]));
  const file = join(dir, 'haproxy.cfg');
  writeFileSync(
    file,
    `defaults
  mode tcp
  timeout connect 30s
  timeout client 60s
  timeout server 60s
  unique-id-format %{+X}o\\ %ci:%cp
listen tnet
  bind 127.0.0.1:${port} ${bind.replace('PEM', pem)}
  server s ${target}
`,
  );
  await waitForPort(port, startProgram(t, 'haproxy', ['-f', file, '-db']));
  return port;
}

testWith('haproxy')("listen reports what haproxy's send-proxy-v2-ssl-cn says of TLS", async (t) => {
  const listener = startCli(t, ['listen', '-k', '-v', '--accept-proxy', '127.0.0.1:0'], { stdin: 'null' });
  listener.stdout.resume();
  const port = await startHaproxy(
    t,
    `ssl crt PEM ca-file ${authority.caFile} verify optional alpn x/1`,
    `${await listener.address()} send-proxy-v2-ssl-cn proxy-v2-options ssl,cert-cn,ssl-cipher,authority,unique-id,crc32c`,
  );
  const flags = [
    '--tls',
    '--tls-ca',
    authority.caFile,
    '--tls-cert',
    client.certFile,
    '--tls-key',
    client.keyFile,
  ];
  await runCli(
    t,
    ['connect', ...flags, '--no-shutdown', '-q', '500ms', '--tls-alpn', 'x/1', 'localhost', String(port)],
    'x',
  );
  const [line] = await listener.said(/its client is .*CN=client verified.*\n/);
  t.regex(line, /asked for localhost/);
  t.regex(line, /TLSv1\.3, TLS_/);
  t.regex(line, /unique id \S+/);
  t.regex(line, /checksum right/);
});

testWith('haproxy')("haproxy takes connect's header with values, and passes its name on", async (t) => {
  const receiver = await startReceiver(t);
  const port = await startHaproxy(
    t,
    'accept-proxy',
    `${receiver.words.join(':')} send-proxy-v2 proxy-v2-options authority`,
  );
  const values = tlv('authority=a.example', 'crc32c', 'unique-id=id-1', '0xe0=own');
  const run = await runCli(t, ['connect', '--send-proxy=2', ...values, '127.0.0.1', String(port)], 'data');
  t.is(run.code, 0, run.stderr);
  const { rest } = await receiver.read();
  t.is(rest, 'data');
});

for (const [words, said] of [
  [
    ['connect', '--send-proxy', ...tlv('crc32c'), 'h', '1'],
    /--proxy-tlv goes with version 2 of --send-proxy/,
  ],
  [['connect', ...tlv('crc32c'), 'h', '1'], /--proxy-tlv goes with --send-proxy/],
  [['connect', '--send-proxy=2', ...tlv('crc32c', 'crc32c'), 'h', '1'], /--proxy-tlv gives a type twice/],
  [
    ['connect', '--send-proxy=2', ...tlv('x=1'), 'h', '1'],
    /x: unknown: use alpn, authority, unique-id, netns, crc32c/,
  ],
  [
    ['proxy', '--send-proxy', '1', ...tlv('crc32c'), '0', '1'],
    /--proxy-tlv goes with version 2 of --send-proxy/,
  ],
  [['proxy', ...tlv('crc32c'), '0', '1'], /--proxy-tlv: makes sense only with --send-proxy/],
] as const) {
  test.serial(`tnet ${words.join(' ')} is status 2`, async (t) => {
    const run = await runCli(t, words);
    t.is(run.code, 2);
    t.regex(run.stderr, said);
  });
}
