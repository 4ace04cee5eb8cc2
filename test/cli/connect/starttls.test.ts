import { once } from 'node:events';
import type net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { SMTPServer } from 'smtp-server';
import { createAuthority } from '../../helpers/certificates.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { startPeerServer } from '../../helpers/peers.ts';
import { startPostgres, testWithPostgres } from '../../helpers/postgres.ts';

const authority = createAuthority();
const server = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

const trust = ['--tls-ca', authority.caFile];

async function startSmtp(
  t: ExecutionContext,
  hideSTARTTLS = false,
): Promise<{ port: number; mails: string[] }> {
  const mails: string[] = [];
  const smtp = new SMTPServer({
    key: server.key,
    cert: server.cert,
    hideSTARTTLS,
    disabledCommands: hideSTARTTLS ? ['STARTTLS'] : [],
    authOptional: true,
    onData(stream, session, done) {
      let text = '';
      stream.on('data', (chunk: Buffer) => (text += String(chunk)));
      stream.on('end', () => {
        mails.push(`${String(session.secure)} ${text}`);
        done();
      });
    },
  });
  t.teardown(() => smtp.close(() => undefined));
  const listener = smtp.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return { port: (listener.address() as net.AddressInfo).port, mails };
}

test.serial('--starttls smtp sends a mail over TLS to a server that began in the clear', async (t) => {
  const { port, mails } = await startSmtp(t);
  const cli = startCli(t, ['connect', '-C', '-v', '--starttls', 'smtp', ...trust, '127.0.0.1', String(port)]);
  let text = '';
  const answers = async (code: string) => {
    while (!new RegExp(`^${code} .*\r\n`, 'm').test(text)) {
      text += String(((await once(cli.stdout, 'data')) as [Buffer])[0]);
    }
    text = '';
  };
  for (const [line, code] of [
    ['EHLO me', '250'],
    ['MAIL FROM:<a@example.com>', '250'],
    ['RCPT TO:<b@example.com>', '250'],
    ['DATA', '354'],
    ['hello\n.', '250'],
    ['QUIT', '221'],
  ] as const) {
    cli.stdin.write(`${line}\n`);
    await answers(code);
  }
  cli.stdin.end();
  await cli.exit;
  t.deepEqual(mails, ['true hello\r\n']);
  t.regex(cli.stderr(), /TLSv1\.3, .*certificate verified/);
});

test.serial(
  'a server that does not offer TLS is told in its own words, and nothing is sent to it',
  async (t) => {
    const { port } = await startSmtp(t, true);
    const run = await runCli(
      t,
      ['connect', '--starttls', 'smtp', ...trust, '127.0.0.1', String(port)],
      'secret',
    );
    t.is(run.code, 1);
    t.regex(run.stderr, /^tnet connect: 127\.0\.0\.1:\d+: .*TLS.* \(TNET_E_PROTOCOL_REFUSED\)\n$/);
    t.is(run.stderr.split('\n').length, 2);
  },
);

test.serial('bytes that a man in the middle puts behind the consent are refused', async (t) => {
  const peer = await startPeerServer(t, 'tcp', (socket) => {
    socket.write('220 x ESMTP\r\n');
    socket.on('data', (chunk: Buffer) => {
      if (chunk.toString().startsWith('EHLO')) socket.write('250-x\r\n250 STARTTLS\r\n');
      else socket.write('220 go\r\n250 forged\r\n');
    });
  });
  const run = await runCli(t, ['connect', '--starttls', 'smtp', ...trust, ...peer.words]);
  t.is(run.code, 1);
  t.regex(run.stderr, /unencrypted bytes after it had agreed.*\(TNET_E_PROTOCOL\)/);
});

test.serial('a server that is silent before TLS is a time limit', async (t) => {
  const peer = await startPeerServer(t, 'tcp', () => undefined);
  const run = await runCli(t, ['connect', '-w', '300ms', '--starttls', 'imap', ...trust, ...peer.words]);
  t.is(run.code, 124);
});

testWithPostgres()('--starttls postgres speaks TLS with PostgreSQL after its SSLRequest', async (t) => {
  t.timeout(60_000);
  const { port } = await startPostgres(t, server);
  const cli = startCli(t, ['connect', '-v', '--starttls', 'postgres', ...trust, '127.0.0.1', String(port)]);
  await cli.said(/TLSv1\.[23], .*certificate verified/);
  const words = Buffer.from('user\0postgres\0database\0postgres\0\0');
  const head = Buffer.alloc(8);
  head.writeUInt32BE(head.length + words.length, 0);
  head.writeUInt32BE(0x0003_0000, 4);
  cli.stdin.write(Buffer.concat([head, words]));
  const [answer] = (await once(cli.stdout, 'data')) as [Buffer];
  t.is(answer.subarray(0, 9).toString('hex'), '520000000800000000', 'AuthenticationOk');
  cli.stdin.end(Buffer.from('5800000004', 'hex'));
  await cli.exit;
});
