import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net, { type AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { nativeStatus } from '../../../src/native/addon.ts';
import { Server } from '../../../src/net/index.ts';
import { collectUntilClose, payload, sameBytes } from '../../helpers/bytes.ts';
import { closedPort, startCli } from '../../helpers/cli.ts';
import { compareLane, isThereAtSigint, readEvents, type Scene } from '../../helpers/lane-scenes.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { exchange, exchangeMany, startEcho, startLimited, startNamed, waitEnd } from '../../helpers/proxy.ts';
import { tempDir } from '../../helpers/temp.ts';

const nativeTest = nativeStatus().used ? test.serial : test.serial.skip;
if (!nativeStatus().used) process.stdout.write(`skipped, no native engine: ${nativeStatus().reason ?? ''}\n`);

const before = (...args: readonly string[]) => ['127.0.0.1:0', ...args];
const refused = async () => `127.0.0.1:${await closedPort()}`;

/** A server that says hello, waits for an answer, and breaks off. */
async function startRude(t: ExecutionContext): Promise<string> {
  const { words } = await startPeerServer(t, 'tcp', (socket) => {
    socket.write('hello');
    socket.once('data', () => socket.resetAndDestroy());
  });
  return words.join(':');
}

/** A listener whose backlog is full: a connection to it is neither accepted nor refused. */
async function startSilent(t: ExecutionContext): Promise<string> {
  const server = new Server().listen({ port: 0, host: '127.0.0.1', backlog: 1 });
  await once(server, 'listening');
  server.pause(3_600_000);
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  for (let index = 0; index < 3; index++) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => undefined);
    t.teardown(() => socket.destroy());
    if (index < 2) await once(socket, 'connect');
  }
  return `127.0.0.1:${port}`;
}

const header = (source: string) => `PROXY TCP4 ${source} 198.51.100.1 1234 80\r\n`;

/** Says the words one after the other, ends, and tells what came. */
async function say(t: ExecutionContext, address: string, words: readonly string[]): Promise<unknown> {
  const client = await connectPeer(t, address);
  const ending = collectUntilClose(client);
  for (const word of words) {
    client.write(word);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  client.end();
  const { bytes, error } = await ending;
  return [bytes.toString('latin1'), error?.message];
}

/** What clients say where a PROXY header is wanted. */
const headers: readonly { title: string; words: readonly string[]; last?: string }[] = [
  { title: 'a header and more', words: [`${header('192.0.2.1')}hello`, ' again'] },
  {
    title: 'a header in two pieces',
    words: [header('192.0.2.1').slice(0, 20), `${header('192.0.2.1').slice(20)}hello`],
  },
  { title: 'a source that --deny holds', words: [`${header('192.0.2.66')}hello`] },
  { title: 'UNKNOWN', words: ['PROXY UNKNOWN\r\nhello'] },
  { title: 'no header', words: ['GET / HTTP/1.0\r\n\r\n'] },
  { title: 'half a header', words: ['PROXY TCP4'] },
  { title: 'not a word', words: [] },
];

const scenes: readonly Scene[] = [
  {
    title: 'an exchange',
    prepare: async (t) => before(await startEcho(t)),
    act: async (t, address) => {
      const sent = payload(300_000);
      sameBytes(t, (await exchange(t, address, sent)).bytes, sent);
    },
  },
  {
    title: 'an exchange between Unix sockets',
    prepare: async (t) => [join(tempDir(t), 's'), await startEcho(t, 'unix')],
    act: async (t, address) => (await exchange(t, address, 'hello')).bytes.toString(),
  },
  {
    title: 'an exchange over IPv6 with localhost as the target',
    prepare: async (t) => ['[::1]:0', `localhost:${(await startEcho(t)).split(':')[1]}`],
    act: async (t, address) => (await exchange(t, address, 'hello')).bytes.toString(),
  },
  {
    title: 'a listener on every address',
    prepare: async (t) => ['[::]:0', await startEcho(t)],
    act: async (t, address) => (await exchange(t, address, 'hello')).bytes.toString(),
  },
  {
    title: 'a target that refuses',
    prepare: async () => before(await refused()),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'a target that refuses on both addresses of localhost',
    prepare: async () => before(`localhost:${await closedPort()}`),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'a target that is no socket',
    prepare: (t) => Promise.resolve(before(join(tempDir(t), 'nobody'))),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'a target that resets',
    prepare: async (t) => before(await startRude(t)),
    act: async (t, address) => {
      const client = await connectPeer(t, address);
      client.write('x');
      const { bytes, error } = await collectUntilClose(client);
      return [bytes.toString(), error?.message];
    },
  },
  {
    title: 'a client that resets',
    prepare: async (t) => before(await startEcho(t)),
    act: async (t, address) => {
      const client = await connectPeer(t, address);
      client.write('x');
      await once(client, 'data');
      client.resetAndDestroy();
    },
  },
  {
    title: 'a target that does not answer in time',
    prepare: async (t) => before(await startSilent(t), '--wait-connect', '300ms'),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'an idle connection',
    prepare: async (t) => before(await startEcho(t), '--idle', '150ms'),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'an old connection',
    prepare: async (t) => before(await startEcho(t), '--timeout', '150ms'),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'a client that a block of --allow holds, on a listener on every address',
    prepare: async (t) => ['[::]:0', await startEcho(t), '--allow', '10.0.0.0/8,127.0.0.0/8'],
    act: async (t, address) => (await exchange(t, address, 'hello')).bytes.toString(),
  },
  {
    title: 'a client that no --allow holds',
    prepare: async (t) => ['[::]:0', await startEcho(t), '--allow', '10.0.0.0/8,::1'],
    act: (t, address) => waitEnd(t, address),
    last: 'refused',
  },
  {
    title: 'a client that --deny holds, although --allow does',
    prepare: async (t) => before(await startEcho(t), '--allow', '127.0.0.0/8', '--deny', '127.0.0.1,::/0'),
    act: (t, address) => waitEnd(t, address),
    last: 'refused',
  },
  {
    title: 'one client after another for two targets, of which one refuses',
    prepare: async (t) => before(await startEcho(t), await refused(), '--eject', '1m'),
    act: async (t, address, cli) => {
      const seen = [];
      for (let nth = 1; nth <= 8; nth++) {
        seen.push((await exchange(t, address, 'hello')).bytes.toString());
        await cli.said(new RegExp(`("event":"ended"[^]*){${nth}}`));
      }
      return seen;
    },
    count: 8,
  },
  {
    title: 'targets that all refuse',
    prepare: async () => before(await refused(), await refused(), '--balance', 'first'),
    act: async (t, address, cli) => {
      const first = await waitEnd(t, address);
      await cli.said(/"event":"ended"/);
      return [first, await waitEnd(t, address)];
    },
    count: 2,
  },
  {
    title: 'a target that says nothing for so long that the next one is tried',
    prepare: async (t) => before(await startSilent(t), await startEcho(t), '--balance', 'first'),
    act: async (t, address) => (await exchange(t, address, 'hello')).bytes.toString(),
  },
  {
    title: 'a target that says nothing, and another that refuses',
    prepare: async (t) =>
      before(await startSilent(t), await refused(), '--balance', 'first', '--wait-connect', '600ms'),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'a Unix socket by the hash of the client',
    prepare: async (t) => before(await startEcho(t, 'unix'), '--balance', 'hash'),
    act: async (t, address) => (await exchange(t, address, 'hello')).bytes.toString(),
  },
  {
    title: 'a client over its --rate',
    prepare: async (t) => before(await startEcho(t), '--rate', '1/m'),
    act: async (t, address, cli) => {
      const { bytes } = await exchange(t, address, 'hello');
      await cli.said(/"event":"ended"/);
      return [bytes.toString(), await waitEnd(t, address)];
    },
    last: 'refused',
  },
  ...(['1', '2'] as const).map((version) => ({
    title: `--send-proxy ${version}`,
    prepare: async (t: ExecutionContext) => before(await startEcho(t), '--send-proxy', version),
    act: async (t: ExecutionContext, address: string) => {
      const { bytes } = await exchange(t, address, 'hello');
      return [
        bytes.length,
        bytes.subarray(version === '1' ? -5 : -5).toString(),
        bytes.subarray(0, 12).toString(),
      ];
    },
  })),
  {
    title: '--send-proxy 1 to several targets, of which the first refuses',
    prepare: async (t) =>
      before(await refused(), await startEcho(t), '--balance', 'first', '--send-proxy', '1'),
    act: async (t, address) => (await exchange(t, address, 'hello')).bytes.subarray(-5).toString(),
  },
  ...headers.map(({ title, words, last }) => ({
    title: `--accept-proxy: ${title}`,
    prepare: async (t: ExecutionContext) =>
      before(await startEcho(t), '--accept-proxy', '--deny', '192.0.2.66', '--handshake-limit', '700ms'),
    act: (t: ExecutionContext, address: string) => say(t, address, words),
    last,
  })),
  {
    title: '--accept-proxy and --send-proxy 2 on a Unix socket',
    prepare: async (t) => [join(tempDir(t), 's'), await startEcho(t), '--accept-proxy', '--send-proxy', '2'],
    act: (t, address) => say(t, address, [`${header('192.0.2.1')}hello`]),
  },
  {
    title: '--accept-proxy with a rate for each source',
    prepare: async (t) => before(await startEcho(t), '--accept-proxy', '--rate', '1/m'),
    act: async (t, address, cli) => {
      const first = await say(t, address, [`${header('192.0.2.1')}hello`]);
      await cli.said(/"event":"ended"/);
      return [first, await say(t, address, [`${header('192.0.2.1')}hello`])];
    },
    count: 2,
  },
  {
    title: '--accept-proxy with several targets, of which the first refuses',
    prepare: async (t) =>
      before(
        await refused(),
        await startEcho(t),
        '--balance',
        'first',
        '--accept-proxy',
        '--send-proxy',
        '1',
      ),
    act: (t, address) => say(t, address, [`${header('192.0.2.1')}hello`]),
  },
  {
    title: 'a target by its name',
    prepare: async (t) => before(`${hostname()}:${(await startEcho(t)).split(':')[1]}`),
    act: async (t, address) => (await exchange(t, address, 'hello')).bytes.toString(),
  },
  {
    title: 'a target by its name that refuses',
    prepare: async () => before(`${hostname()}:${await closedPort()}`),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'a name that nobody knows',
    prepare: () => Promise.resolve(before('nobody.invalid:1')),
    act: (t, address) => waitEnd(t, address),
  },
  {
    title: 'a client that is there when SIGINT comes',
    prepare: async (t) => before(await startEcho(t)),
    act: isThereAtSigint,
  },
];

for (const { title, ...scene } of scenes) {
  nativeTest(`${title} is the same in the express lane and outside, and so is what is said`, (t) =>
    compareLane(t, 'proxy', scene),
  );
}

for (const [flags, reason] of [
  [['--latency', '1ms'], /--latency needs JavaScript/],
  [['--source', '127.0.0.1'], /--source needs JavaScript/],
  [['-m', '1', '--reject'], /--reject needs JavaScript/],
] as const) {
  nativeTest(`with ${flags.join(' ')} there is no express lane, and -vv says why`, async (t) => {
    const target = await startNamed(t, 'x');
    const cli = startCli(t, ['proxy', '-vv', '127.0.0.1:0', target, ...flags], {
      env: { TNET_EXPRESS: '' },
    });
    const [, said] = await cli.said(/no express lane: (.+)\n/);
    t.regex(said!, reason);
  });
}

nativeTest('a reload changes between the express lane and JavaScript without losing a client', async (t) => {
  const file = join(tempDir(t), 'proxy.json');
  const [fast, slow] = [await startNamed(t, 'fast'), await startNamed(t, 'slow')];
  const path = join(tempDir(t), 's');
  const write = (target: string, more: object) => {
    const pairs = ['127.0.0.1:0', path].map((listen) => ({ listen, targets: [target], ...more }));
    writeFileSync(file, JSON.stringify({ pairs }));
  };
  write(fast, {});
  const cli = startCli(t, ['proxy', '-vv', '--config', file], { env: { TNET_EXPRESS: '' } });
  const address = await cli.address();
  for (let round = 1; round <= 3; round++) {
    for (const where of [address, path]) t.is((await exchange(t, where)).bytes.toString(), 'fast');
    write(slow, { latency: '1ms' });
    cli.child.kill('SIGHUP');
    await cli.said(new RegExp(`(reloaded[^]*){${2 * round - 1}}`));
    for (const where of [address, path]) t.is((await exchange(t, where)).bytes.toString(), 'slow');
    write(fast, {});
    cli.child.kill('SIGHUP');
    await cli.said(new RegExp(`(reloaded[^]*){${2 * round}}`));
  }
  t.is(cli.stderr().match(/[^o] express lane\n/g)?.length, 8);
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).code, 143);
});

nativeTest('with 64 descriptors the express lane takes clients by and by, and says so', async (t) => {
  const target = await startEcho(t);
  const { address, stderr } = await startLimited(t, 64, ['proxy', '127.0.0.1:0', target]);
  const answers = await exchangeMany(t, address, 200);
  t.deepEqual(
    answers.filter((answer) => answer !== 'same'),
    [],
  );
  t.regex(stderr(), /too many open files \(EMFILE\)/);
});

nativeTest(
  'a download that the end of the drain cuts in the express lane ends with a reset, not with an end',
  async (t) => {
    const { words } = await startPeerServer(t, 'tcp', (socket) => {
      const more = () => {
        while (!socket.destroyed && socket.write(payload(60_000)));
      };
      socket.on('drain', more);
      more();
    });
    const cli = startCli(t, ['proxy', '--json', '127.0.0.1:0', words.join(':'), '--drain', '200ms'], {
      env: { TNET_EXPRESS: '' },
    });
    const [, address] = await cli.said(/"event":"listening","address":"([^"]+)"/);
    const client = await connectPeer(t, address!);
    let received = 0;
    let hasEnded = false;
    client.on('data', (chunk: Buffer) => (received += chunk.length)).on('end', () => (hasEnded = true));
    await once(client, 'data');
    cli.child.kill('SIGTERM');
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    t.is(error.code, 'ECONNRESET');
    t.false(hasEnded);
    t.is((await cli.exit).code, 143);
    const ended = readEvents(cli).find(({ event }) => event === 'ended');
    t.is(ended?.['reason'], 'aborted');
    t.is(ended?.['sentBytes'], received);
  },
);
