import { once } from 'node:events';
import test from 'ava';
import { collect } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer } from '../../helpers/peers.ts';

test.serial('listen --timeout ends the whole run with status 124, with and without a client', async (t) => {
  const alone = await runCli(t, ['listen', '--timeout', '200ms', '127.0.0.1:0']);
  t.is(alone.code, 124);
  t.regex(alone.stderr, /^tnet listen: --timeout: the run reached its limit of 200 ms \(TNET_E_TIMEOUT\)$/m);

  const cli = startCli(t, ['listen', '--timeout', '2s', '127.0.0.1:0']);
  const client = await connectPeer(t, await cli.address());
  client.write('before the limit');
  t.is((await collect(cli.stdout)).toString(), 'before the limit');
  t.is((await cli.exit).code, 124);
});

test.serial('a session that ends before --timeout is not held by it', async (t) => {
  const cli = startCli(t, ['listen', '-d', '--timeout', '1h', '127.0.0.1:0']);
  const client = await connectPeer(t, await cli.address());
  client.end('done');
  t.is((await collect(cli.stdout)).toString(), 'done');
  t.is((await cli.exit).code, 0);
});

test.serial('listen --crlf both makes CRLF of LF on the way out and LF of CRLF on the way in', async (t) => {
  for (const flags of [[], ['-k']]) {
    const cli = startCli(t, ['listen', ...flags, '--crlf', 'both', '127.0.0.1:0']);
    const client = await connectPeer(t, await cli.address());
    client.write('one\r\ntwo\r\n');
    await readText(cli.stdout).until(/^one\ntwo\n$/);
    cli.stdin.write('three\nfour\r\n');
    await readText(client).until(/^three\r\nfour\r\n$/);
    t.pass();
    cli.child.kill();
    await cli.exit;
  }
});

test.serial('listen goes through --send and --expect with its client, and stdin follows', async (t) => {
  const steps = ['--send', '220 ready\\r\\n', '--expect', 'QUIT\\r\\n', '--send', '221 bye\\r\\n'];
  const cli = startCli(t, ['listen', ...steps, '127.0.0.1:0']);
  cli.stdin.end('and then\n');
  const client = await connectPeer(t, await cli.address());
  const answers = readText(client);
  await answers.until(/^220 ready\r\n$/);
  client.write('QUIT\r\n');
  await answers.until(/^220 ready\r\n221 bye\r\nand then\n$/);
  client.end();
  t.is((await collect(cli.stdout)).toString(), 'QUIT\r\n');
  t.is((await cli.exit).code, 0);
});

test.serial('a client of listen that ends without what is expected is status 1', async (t) => {
  const cli = startCli(t, ['listen', '--expect', 'QUIT', '127.0.0.1:0'], { stdin: 'null' });
  const client = await connectPeer(t, await cli.address());
  client.end('HELO\r\n');
  cli.stdout.resume();
  t.is((await cli.exit).code, 1);
  t.regex(cli.stderr(), /QUIT/);
});

test.serial('listen --delay waits between lines', async (t) => {
  const cli = startCli(t, ['listen', '--delay', '300ms', '127.0.0.1:0']);
  const startedAt = performance.now();
  cli.stdin.end('one\ntwo\n');
  const client = await connectPeer(t, await cli.address());
  t.is(String(((await once(client, 'data')) as [Buffer])[0]), 'one\n');
  t.is(String(((await once(client, 'data')) as [Buffer])[0]), 'two\n');
  t.true(performance.now() - startedAt >= 270);
  client.end();
  cli.stdout.resume();
  t.is((await cli.exit).code, 0);
});

for (const flags of [['--delay', '1'], ['--expect', 'x'], ['--send', 'x'], ['--raw']]) {
  test.serial(`tnet listen -k ${flags.join(' ')} is a usage error`, async (t) => {
    const { code, stderr } = await runCli(t, ['listen', '-k', ...flags, '127.0.0.1:0']);
    t.is(code, 2);
    t.regex(stderr, new RegExp(`${flags[0]!} does not go with -k: it is for one client`));
  });
}
