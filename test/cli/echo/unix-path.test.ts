import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { collect } from '../../helpers/bytes.ts';
import { startCli } from '../../helpers/cli.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { tempDir } from '../../helpers/temp.ts';

test('an echo on a Unix path starts again after kill -9 left its path behind', async (t) => {
  const path = join(tempDir(t), 'echo.sock');
  const first = startCli(t, ['echo', '-U', path]);
  await first.address();
  first.child.kill('SIGKILL');
  await first.exit;
  t.true(statSync(path).isSocket());
  const second = startCli(t, ['echo', '-U', path]);
  t.is(await second.address(), path);
  const client = await connectPeer(t, path);
  client.end('again');
  t.is((await collect(client)).toString(), 'again');
});

test('a second live server on a Unix path is refused with status 2, and the first serves on', async (t) => {
  const path = join(tempDir(t), 'echo.sock');
  const first = startCli(t, ['echo', '-U', path]);
  await first.address();
  const second = startCli(t, ['echo', '-U', path]);
  t.is((await second.exit).code, 2);
  // Who listens there is told where /proc tells it.
  const holder = process.platform === 'linux' ? ` (node tnet.js, process ${first.child.pid})` : '';
  const said = `another server is listening on this path${holder}; --retry-bind waits until it is free`;
  t.is(second.stderr(), `tnet echo: ${path}: ${said} (TNET_E_PATH_IN_USE)\n`);
  const client = await connectPeer(t, path);
  client.end('still');
  t.is((await collect(client)).toString(), 'still');
});

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  test(`echo on ${signal} sends back what it read, removes its path, prints totals and ends with ${status}`, async (t) => {
    const path = join(tempDir(t), 'echo.sock');
    const cli = startCli(t, ['echo', '-U', path]);
    await cli.address();
    const client = await connectPeer(t, path);
    client.write('held');
    t.is(((await once(client, 'data'))[0] as Buffer).toString(), 'held');
    cli.child.kill(signal);
    t.is((await collect(client)).length, 0);
    t.deepEqual(await cli.exit, { code: status, signal });
    t.false(existsSync(path));
    t.regex(cli.stderr(), /tnet echo: 1 connection \(1 failed\), 4 bytes in, 4 bytes out in \d+\.\d+ s\n$/);
  });
}

test('an abstract Unix socket serves under its name and leaves no file', async (t) => {
  if (process.platform !== 'linux') {
    t.pass('abstract sockets exist on Linux only');
    return;
  }
  const name = `tnet-test-${process.pid}`;
  const cli = startCli(t, ['echo', '-U', `@${name}`]);
  const address = await cli.address();
  t.is(address, `unix:@${name}`);
  const client = await connectPeer(t, address);
  client.end('abstract');
  t.is((await collect(client)).toString(), 'abstract');
});
