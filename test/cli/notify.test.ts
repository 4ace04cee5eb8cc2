import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { startCli } from '../helpers/cli.ts';
import { bindDatagramPeer, testMessages } from '../helpers/messages.ts';
import { tempDir } from '../helpers/temp.ts';

for (const [called, nameIn] of [
  ['a path', (folder: string) => join(folder, 'notify')],
  ['an abstract name', (folder: string) => `@${folder}`],
] as const) {
  testMessages(
    `a service manager at ${called} is told of listen, echo and proxy: ready and stopping`,
    async (t) => {
      const folder = tempDir(t);
      const name = nameIn(folder);
      const manager = bindDatagramPeer(t, name.replace(/^@/, '\0'));
      let count = 0;
      for (const words of [
        ['listen', '-k', '-v'],
        ['echo', '-v'],
        ['proxy', '-v'],
      ]) {
        const ends = [join(folder, words[0]!), ...(words[0] === 'proxy' ? ['127.0.0.1:9'] : [])];
        const server = startCli(t, [...words, ...ends], { stdin: 'null', env: { NOTIFY_SOCKET: name } });
        await manager.until(count + 1);
        server.child.kill('SIGTERM');
        await server.exit;
        const heard = await manager.until(count + 2);
        t.deepEqual(
          heard.slice(count).map(({ bytes }) => String(bytes)),
          ['READY=1', 'STOPPING=1'],
        );
        count += 2;
      }
    },
  );
}

testMessages('a reload is told with its time, and its end', async (t) => {
  const folder = tempDir(t);
  const name = join(folder, 'notify');
  const manager = bindDatagramPeer(t, name);
  const config = join(folder, 'config.json');
  writeFileSync(config, JSON.stringify({ pairs: [{ listen: join(folder, 's'), targets: ['127.0.0.1:9'] }] }));
  const server = startCli(t, ['proxy', '-v', '--config', config], { env: { NOTIFY_SOCKET: name } });
  await manager.until(1);
  server.child.kill('SIGHUP');
  const heard = (await manager.until(3)).map(({ bytes }) => String(bytes));
  t.is(heard[0], 'READY=1');
  t.regex(heard[1]!, /^RELOADING=1\nMONOTONIC_USEC=\d+$/);
  t.is(heard[2], 'READY=1');
});

testMessages('the watchdog is fed from readiness on, and children are told nothing of it', async (t) => {
  const name = join(tempDir(t), 'notify');
  const manager = bindDatagramPeer(t, name);
  const env = { NOTIFY_SOCKET: name, WATCHDOG_USEC: '200000' };
  startCli(t, ['echo', '-v', '127.0.0.1:0'], { env });
  const heard = (await manager.until(4)).map(({ bytes }) => String(bytes));
  t.deepEqual(heard.slice(0, 4), ['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
});

testMessages('a watchdog that is meant for another process is not fed', async (t) => {
  const name = join(tempDir(t), 'notify');
  const manager = bindDatagramPeer(t, name);
  const env = { NOTIFY_SOCKET: name, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' };
  const server = startCli(t, ['echo', '-v', '127.0.0.1:0'], { env });
  await manager.until(1);
  server.child.kill('SIGTERM');
  await server.exit;
  const heard = (await manager.until(2)).map(({ bytes }) => String(bytes));
  t.deepEqual(heard, ['READY=1', 'STOPPING=1']);
});

for (const [name, pattern] of [
  ['/nowhere/at/all', /NOTIFY_SOCKET: .*ENOENT/],
  ['vsock:2:9', /NOTIFY_SOCKET: .*only a path and an abstract name are supported/],
] as const) {
  testMessages(
    `a service manager that cannot be told (${name}) is one line, and the server serves`,
    async (t) => {
      const server = startCli(t, ['echo', '-v', '127.0.0.1:0'], { env: { NOTIFY_SOCKET: name } });
      await server.said(pattern);
      server.child.kill('SIGTERM');
      t.is((await server.exit).code, 143);
      t.is(server.stderr().split('NOTIFY_SOCKET').length, 2);
    },
  );
}

test('without the addon a service manager is not told, which is one line', async (t) => {
  const env = { NOTIFY_SOCKET: '/nowhere', TNET_NATIVE: '0' };
  const server = startCli(t, ['echo', '-v', '127.0.0.1:0'], { env });
  await server.said(/NOTIFY_SOCKET: this kind of socket needs the native addon/);
  await server.port();
  server.child.kill('SIGTERM');
  t.is((await server.exit).code, 143);
});
