import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { runCli, startCli } from '../../helpers/cli.ts';
import { serverWords, toTarget, type Family } from '../../helpers/peers.ts';
import { tempDir } from '../../helpers/temp.ts';
import { engines } from '../../helpers/ways.ts';

// Without -k one connection is all that a listener serves, and a port check is one. What it came with is not lost in silence.

async function connected(address: string): Promise<net.Socket> {
  const socket = net.connect({ ...toTarget(address), allowHalfOpen: true }).on('error', () => undefined);
  await once(socket.pause(), 'connect');
  return socket;
}

const departures = {
  'closes at once': async (address) => void (await connected(address)).destroy(),
  'resets at once': async (address) => void (await connected(address)).resetAndDestroy(),
  'closes with what came unread': async (address) => {
    const socket = await connected(address);
    // Not by its stream, which would read.
    await new Promise((resolve) => setTimeout(resolve, 200));
    socket.destroy();
  },
} as const satisfies Record<string, (address: string) => Promise<void>>;

const content = 'hello\n'.repeat(1_000);

async function listen(
  t: ExecutionContext,
  { family, env, kind }: { family: Family; env: Readonly<Record<string, string>>; kind: 'pipe' | 'file' },
) {
  const file = join(tempDir(t), 'input');
  writeFileSync(file, content);
  const stdin = kind === 'file' ? { file } : kind;
  const cli = startCli(t, ['listen', ...serverWords(t, family)], { env, stdin });
  if (kind === 'pipe') cli.stdin.on('error', () => undefined).end(content);
  return { cli, address: await cli.address() };
}

for (const family of ['tcp', 'unix'] as const) {
  for (const { engine, env } of engines) {
    for (const kind of ['pipe', 'file'] as const) {
      for (const [how, leave] of Object.entries(departures)) {
        // A Unix socket has no reset.
        if (family === 'unix' && how === 'resets at once') continue;
        test.serial(
          `listen says that its input was not taken by a client that ${how} (${family}, ${kind}, ${engine})`,
          async (t) => {
            const { cli, address } = await listen(t, { family, env, kind });
            await leave(address);
            t.is((await cli.exit).code, 1);
            t.regex(cli.stderr(), /\(TNET_E_UNSENT\)|\(ECONNRESET\)/);
          },
        );
      }
    }
    test.serial(
      `listen without a byte to send ends in silence with a client that closes at once (${family}, ${engine})`,
      async (t) => {
        const cli = startCli(t, ['listen', ...serverWords(t, family)], { env });
        cli.stdin.end();
        await departures['closes at once'](await cli.address());
        t.is((await cli.exit).code, 0);
        t.regex(cli.stderr(), /^.*listening on .*\n$/);
      },
    );
    test.serial(
      `connect says that its input was not taken by a server that closes at once (${family}, ${engine})`,
      async (t) => {
        const server = net.createServer((socket) => socket.on('error', () => undefined).destroy());
        const path = join(tempDir(t), 's');
        server.listen(family === 'unix' ? { path } : { host: '127.0.0.1', port: 0 });
        await once(server, 'listening');
        t.teardown(() => server.close());
        const file = join(tempDir(t), 'input');
        writeFileSync(file, content);
        const words =
          family === 'unix'
            ? ['-U', path]
            : ['127.0.0.1', String((server.address() as net.AddressInfo).port)];
        const { code, stderr } = await runCli(t, ['connect', ...words], '', { env, stdin: { file } });
        t.is(code, 1);
        t.regex(stderr, /\(TNET_E_UNSENT\)|\(ECONNRESET\)/);
      },
    );
  }
}
