import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { errorCode } from '../../src/errors.ts';
import { collectUntilClose } from '../helpers/bytes.ts';
import { startCli, type Cli } from '../helpers/cli.ts';
import { connectPeer } from '../helpers/peers.ts';

/** How a server breaks a connection off behind what it has said: by a reset alone, or by an end and then a reset. */
type Break = 'reset' | 'end';

interface StoppedServer {
  readonly port: number;
  /** Takes whoever waits, says its words and breaks off; settles when it is through with the client from that port. */
  readonly goOn: (clientPort: number) => Promise<void>;
}

/** A server that is stopped, and whose backlog is full: a connect to it waits for the next try of the system's, for a second. */
async function startStopped(t: ExecutionContext, words: string, how: Break): Promise<StoppedServer> {
  const script = `
    const server = require('net').createServer((socket) => {
      const { remotePort } = socket;
      const leave = () => socket.resetAndDestroy();
      socket.on('error', () => 0).on('close', () => console.log(remotePort));
      if ('${how}' === 'end') socket.end('${words}', leave);
      else socket.write('${words}', leave);
    });
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  const lines = createInterface(child.stdout);
  const port = Number(((await once(lines, 'line')) as [string])[0]);
  child.kill('SIGSTOP');
  for (let index = 0; index < 2; index++) await connectPeer(t, `127.0.0.1:${port}`);
  return {
    port,
    goOn: (clientPort) =>
      new Promise((resolve) => {
        lines.on('line', (line) => {
          if (Number(line) === clientPort) resolve();
        });
        child.kill('SIGCONT');
      }),
  };
}

/** Has tnet's connect to the server succeed and break while tnet is stopped. */
async function breakEarly({ child }: Cli, server: StoppedServer): Promise<void> {
  const remote = `0100007F:${server.port.toString(16).toUpperCase().padStart(4, '0')}`;
  // A line of /proc/net/tcp in the state SYN_SENT. The system tells nobody of it.
  const pattern = new RegExp(`: [0-9A-F]{8}:([0-9A-F]{4}) ${remote} 02 `);
  let line: RegExpExecArray | null;
  while (!(line = pattern.exec(await readFile('/proc/net/tcp', 'latin1')))) await delay(10);
  child.kill('SIGSTOP');
  await server.goOn(parseInt(line[1]!, 16));
  child.kill('SIGCONT');
}

const engines = [
  { name: 'the lane', env: { TNET_EXPRESS: '' } },
  { name: 'the native engine', env: { TNET_EXPRESS: '0' } },
  { name: 'Node streams', env: { TNET_NATIVE: '0' } },
] as const;

const onLinux = process.platform === 'linux' ? test : test.skip;

for (const { name, env } of engines) {
  for (const how of ['reset', 'end'] as const) {
    onLinux(
      `what a target says before it breaks off (${how}) arrives, though connecting was not over, on ${name}`,
      async (t) => {
        const server = await startStopped(t, 'last words', how);
        const cli = startCli(t, ['proxy', '--json', '127.0.0.1:0', `127.0.0.1:${server.port}`], { env });
        const [, port] = await cli.said(/"event":"listening","address":"127\.0\.0\.1:(\d+)"/);
        const client = await connectPeer(t, `127.0.0.1:${port}`);
        await breakEarly(cli, server);
        if (how === 'end') client.once('end', () => client.end());
        const { bytes, error } = await collectUntilClose(client);
        t.is(bytes.toString(), 'last words');
        t.is(errorCode(error), how === 'end' ? undefined : 'ECONNRESET');
        await cli.said(
          how === 'end'
            ? /"event":"ended","id":1,.*"reason":"(eof|reset)"/
            : /"event":"ended","id":1,.*"reason":"reset"/,
        );
        t.regex(cli.stderr(), /"event":"connected","id":1,/);
        t.notRegex(cli.stderr(), /"event":"attempt-failed"/);
      },
    );
  }
}

for (const { name, env } of engines.slice(1)) {
  onLinux(
    `connect gives what a server said before it broke off, though connecting was not over, on ${name}`,
    async (t) => {
      const server = await startStopped(t, 'last words', 'reset');
      const cli = startCli(t, ['connect', '127.0.0.1', String(server.port)], { env });
      cli.stdin.end();
      const received = collectUntilClose(cli.stdout);
      await breakEarly(cli, server);
      t.is((await received).bytes.toString(), 'last words');
      t.is((await cli.exit).code, 1);
      t.regex(cli.stderr(), /ECONNRESET/);
    },
  );
}
