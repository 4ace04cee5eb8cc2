import { once } from 'node:events';
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { errorCode } from '../../../src/errors.ts';
import { connect, type Socket } from '../../../src/net/index.ts';
import { collect, collectUntilClose } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { startCli, type Cli } from '../../helpers/cli.ts';
import { countSockets, waitForSockets } from '../../helpers/descriptors.ts';
import { connectPeer, startPeerServer, toTarget } from '../../helpers/peers.ts';

const authority = createAuthority();
const server = authority.issue('server', 'IP:127.0.0.1');
test.after.always(() => authority.remove());

interface Way {
  readonly name: string;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly isSecure?: boolean;
}

const secureFlags = ['--tls-cert', server.certFile, '--tls-key', server.keyFile];
const streams: Way = { name: 'Node streams', env: { TNET_NATIVE: '0' } };
const engines: readonly Way[] = [
  { name: 'the express lane', env: { TNET_EXPRESS: '' } },
  { name: 'the native engine', env: { TNET_EXPRESS: '0' } },
  streams,
];
const workers: Way = { name: '--workers', flags: ['--workers', '2'] };
const secure: Way = { name: '--tls-in', flags: ['--tls-in', ...secureFlags], isSecure: true };

async function start(t: ExecutionContext, { flags = [], env }: Way, ...args: readonly string[]) {
  const cli = startCli(t, [...args, ...flags], { env });
  return { cli, address: await cli.address() };
}

/** A client that has said nothing yet, with TLS where the way has it. Not read until the test does. */
async function open(t: ExecutionContext, address: string, { isSecure }: Way): Promise<net.Socket> {
  if (!isSecure) return connectPeer(t, address);
  const { host, port } = toTarget(address) as net.TcpNetConnectOpts;
  const socket: Socket = connect({ host, port, allowHalfOpen: true, dataBeforeError: true });
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  socket.on('error', () => undefined).setSecure({ rejectUnauthorized: false });
  await once(socket, 'secure');
  return socket;
}

/** Writes for ever, as fast as the other side takes it. */
function flood(socket: net.Socket): void {
  const block = Buffer.alloc(256 * 1024, 'x');
  const write = () => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on('drain', write).on('error', () => undefined);
  write();
}

/** Settles when nothing has been written to the socket for a while: both directions are full. */
async function untilStuck(socket: net.Socket): Promise<void> {
  for (let before = -1; before !== socket.bytesWritten - socket.writableLength;) {
    before = socket.bytesWritten - socket.writableLength;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

/** Whether SIGTERM ends it before the 10 s of --drain that a connection which is still there would be given. */
async function ends(cli: Cli, status: number): Promise<boolean> {
  const startedAt = performance.now();
  cli.child.kill('SIGTERM');
  return (await cli.exit).code === status && performance.now() - startedAt < 8_000;
}

const floodOn = (socket: net.Socket) => flood(socket.pause());

for (const way of [...engines, secure, { name: '--latency', flags: ['--latency', '5ms'] }] satisfies Way[]) {
  test.serial(
    `a client that resets while both directions are full leaves nothing open (proxy, ${way.name})`,
    async (t) => {
      const target = await startPeerServer(t, 'tcp', (socket) => socket.once('data', () => floodOn(socket)));
      const { cli, address } = await start(t, way, 'proxy', '127.0.0.1:0', target.words.join(':'));
      const before = countSockets(cli.child.pid!);
      /** Resets these clients, and gives the time until the proxy has let go of them. */
      const reset = async (clients: readonly net.Socket[]) => {
        const startedAt = performance.now();
        for (const client of clients) client.resetAndDestroy();
        t.true((await waitForSockets(cli.child.pid!, before)) <= before);
        return performance.now() - startedAt;
      };
      const openAll = () => Promise.all(Array.from({ length: 5 }, () => open(t, address, way)));
      // A busy machine makes a round late, never early: the fastest of ten tells, without what resets of idle clients take.
      let fastestMs = Infinity;
      for (let round = 0; round < 10 && fastestMs >= 2_000; round++) {
        const idleMs = await reset(await openAll());
        const clients = await openAll();
        for (const client of clients) floodOn(client);
        await untilStuck(clients[0]!);
        fastestMs = Math.min(fastestMs, (await reset(clients)) - idleMs);
      }
      // A second for what came before, and not another one for the reset.
      t.true(fastestMs < 2_000, `${fastestMs} ms`);
      t.true(await ends(cli, 143));
    },
  );
}

for (const [what, args, way] of [
  ['echo', ['echo', '127.0.0.1:0'], { name: 'native engine' }],
  ['echo', ['echo', '127.0.0.1:0'], streams],
  ['echo', ['echo', '127.0.0.1:0', '--tls'], { ...secure, flags: secureFlags }],
  ['listen -e cat', ['listen', '-k', '127.0.0.1:0', '-e', 'cat'], streams],
  ['listen -e cat', ['listen', '-k', '127.0.0.1:0', '-e', 'cat', '--tls'], { ...secure, flags: secureFlags }],
] as const) {
  test.serial(
    `a client that resets while both directions are full leaves nothing open (${what}, ${way.name})`,
    async (t) => {
      const { cli, address } = await start(t, way, ...args);
      const before = countSockets(cli.child.pid!);
      const clients = await Promise.all(Array.from({ length: 5 }, () => open(t, address, way)));
      for (const client of clients) floodOn(client);
      await untilStuck(clients[0]!);
      for (const client of clients) client.resetAndDestroy();
      t.true((await waitForSockets(cli.child.pid!, before)) <= before);
      t.true(await ends(cli, 143));
    },
  );
}

/** An error before it is no reason to stop. */
const whenClosed = (socket: net.Socket) =>
  new Promise<void>((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });

/** Says its name first, and ends when its client does. */
const greet = (socket: net.Socket) => {
  socket.write('220 hello\r\n');
  socket.resume().on('end', () => socket.end());
};

const requests = {
  socks: (port: number) => Buffer.from([5, 1, 0, 5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]),
  'http-connect': (port: number) => Buffer.from(`CONNECT 127.0.0.1:${port} HTTP/1.1\r\n\r\n`),
  none: () => Buffer.from('hello'),
};

for (const [name, request, way, several] of [
  ['--socks', 'socks', { name: '', flags: ['--socks'] }, 0],
  ['--socks --workers', 'socks', { name: '', flags: ['--socks', ...workers.flags!] }, 0],
  ['--http-connect', 'http-connect', { name: '', flags: ['--http-connect'] }, 0],
  ['several targets', 'none', { name: '' }, 2],
  ['the lane off', 'none', engines[1]!, 1],
  ['Node streams', 'none', streams, 1],
  ['--timeout', 'none', { name: '', flags: ['--timeout', '3ms'], env: { TNET_EXPRESS: '0' } }, 1],
] as const satisfies [string, keyof typeof requests, Way, number][]) {
  test.serial(
    `500 clients that close as soon as they have asked leave nothing open, and SIGTERM ends all (${name})`,
    async (t) => {
      const target = await startPeerServer(t, 'tcp', greet);
      const [, port] = target.words;
      const words = Array.from(
        { length: several },
        (_, index) => `${index ? 'localhost' : '127.0.0.1'}:${port}`,
      );
      const { cli, address } = await start(t, way, 'proxy', '127.0.0.1:0', ...words);
      const before = countSockets(cli.child.pid!);
      let left = 500;
      const work = async () => {
        while (left-- > 0) {
          const client = net.connect(toTarget(address)).on('error', () => undefined);
          const closed = whenClosed(client);
          if (left % 2) client.end(requests[request](Number(port)), () => client.destroy());
          else client.write(requests[request](Number(port)), () => client.destroy());
          await closed;
        }
      };
      await Promise.all(Array.from({ length: 25 }, work));
      t.true((await waitForSockets(cli.child.pid!, before)) <= before);
      t.true(await ends(cli, 143));
    },
  );
}

for (const way of [...engines, workers, secure] satisfies Way[]) {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test.serial(
      `${signal} resets a download that has not ended, says so and counts it (${way.name})`,
      async (t) => {
        const target = await startPeerServer(t, 'tcp', flood);
        const { cli, address } = await start(
          t,
          way,
          'proxy',
          '127.0.0.1:0',
          target.words.join(':'),
          '--drain',
          '200ms',
        );
        const client = await open(t, address, way);
        const received = collectUntilClose(client);
        await once(client, 'data');
        cli.child.kill(signal);
        t.is(errorCode((await received).error), 'ECONNRESET');
        await cli.exit;
        t.regex(cli.stderr(), /cut 1 connection that had not ended\n/);
        t.regex(cli.stderr(), /1 connection \(1 failed\)/);
      },
    );
  }
}

for (const way of engines) {
  test.serial(
    `a client that has ended and is gone when more comes for it is no failure (${way.name})`,
    async (t) => {
      const accepted = Promise.withResolvers<net.Socket>();
      const target = await startPeerServer(t, 'tcp', (socket) => {
        accepted.resolve(socket);
        socket.resume().once('end', () => {
          // The first brings the reset of a client that is gone, the second meets it.
          socket.write('late', () => setTimeout(() => socket.end('later'), 50));
        });
      });
      const { cli, address } = await start(t, way, 'proxy', '127.0.0.1:0', target.words.join(':'));
      const client = await connectPeer(t, address);
      client.end('bye', () => client.destroy());
      await whenClosed(client);
      await whenClosed(await accepted.promise);
      cli.child.kill('SIGTERM');
      await cli.exit;
      // It may hear of the signal before it hears of the end.
      const lines = cli.stderr().replace(/^tnet proxy: waiting for 1 connection.*\n/m, '');
      t.regex(lines, /^tnet proxy: listening on .+\ntnet proxy: 1 connection, 3 bytes in, .+\n$/);
    },
  );
}

/** A client that has sent a request, and its target, which has got it. */
async function request(t: ExecutionContext, way: Way) {
  const target = await startPeerServer(t, 'tcp');
  const { cli, address } = await start(t, way, 'proxy', '127.0.0.1:0', target.words.join(':'));
  const client = await connectPeer(t, address);
  const served = (await target.accept()).resume();
  client.write('request');
  await once(served, 'data');
  return { cli, client, target: served };
}

/** Ends with the bytes, which are at the client's then, unread. */
async function answerUnread({ client, target }: Awaited<ReturnType<typeof request>>, bytes: string) {
  const came = once(client, 'readable');
  target.end(bytes);
  await came;
  // Its end is behind it.
  await new Promise((resolve) => setTimeout(resolve, 50));
}

/** Who leaves how after a request, and whether anything was cut off by it. */
const departures = [
  {
    what: 'a client that resets with a whole answer unread',
    isFailure: false,
    async leave(joined) {
      await answerUnread(joined, 'the whole answer, and its end');
      joined.client.resetAndDestroy();
    },
  },
  {
    what: 'a client that resets after it has written to a target that is gone',
    isFailure: false,
    async leave(joined) {
      const { client, target } = joined;
      await answerUnread(joined, 'the whole answer, and its end');
      target.destroy();
      client.write('too late', () => client.resetAndDestroy());
      await whenClosed(client);
    },
  },
  {
    what: 'a target that resets after its last words to a client that is gone',
    isFailure: false,
    async leave({ client, target }) {
      const ended = once(target, 'end');
      client.end(() => client.destroy());
      await ended;
      target.write('last words', () => target.resetAndDestroy());
      await whenClosed(target);
    },
  },
  {
    what: 'a client and a target that have both ended and are gone when the last words of the other come',
    isFailure: false,
    async leave({ cli, client, target }) {
      cli.child.kill('SIGSTOP');
      await Promise.all(
        [client, target].map(async (side) => {
          side.end('last words', () => side.destroy());
          await whenClosed(side);
        }),
      );
      cli.child.kill('SIGCONT');
    },
  },
  {
    what: "a client that resets in the middle of its target's stream",
    isFailure: true,
    async leave({ client, target }) {
      target.write('a part of it');
      await once(client, 'data');
      client.resetAndDestroy();
    },
  },
  {
    what: 'a client that resets with more of a whole answer on its way than its system has room for',
    isFailure: true,
    async leave({ client, target }) {
      target.end(Buffer.alloc(24_000_000));
      await untilStuck(target);
      client.resetAndDestroy();
    },
  },
  {
    what: 'a client that resets while it sends to a target that has ended its side',
    isFailure: true,
    async leave(joined) {
      const { client, target } = joined;
      await answerUnread(joined, 'that is all from me');
      client.write('a part of it');
      await once(target, 'data');
      client.resetAndDestroy();
    },
  },
  {
    what: 'a target that resets in the middle of its answer to a client that has ended its side',
    isFailure: true,
    async leave({ client, target }) {
      const ended = once(target, 'end');
      client.end();
      await ended;
      target.write('a part of it');
      await once(client, 'data');
      target.resetAndDestroy();
    },
  },
] as const satisfies readonly {
  what: string;
  isFailure: boolean;
  leave: (joined: Awaited<ReturnType<typeof request>>) => Promise<void>;
}[];

for (const departure of departures) {
  const { what, isFailure } = departure;
  for (const way of engines) {
    test.serial(`${what} is ${isFailure ? 'a' : 'no'} failure (${way.name})`, async (t) => {
      const joined = await request(t, way);
      const { cli, client, target } = joined;
      await departure.leave(joined);
      await Promise.all([client, target].map((socket) => whenClosed(socket.resume())));
      cli.child.kill('SIGTERM');
      await cli.exit;
      t.is(cli.stderr().includes('ECONNRESET'), isFailure, cli.stderr());
      t.regex(cli.stderr(), isFailure ? /1 connection \(1 failed\)/ : /1 connection, (7|15|17) bytes/);
    });
  }
}

for (const { name, env } of [engines[1]!, streams]) {
  test.serial(
    `--half-closed resets a pair of which one side has ended, and no other (${name})`,
    async (t) => {
      const target = await startPeerServer(t, 'tcp');
      const way: Way = { name: '', env, flags: ['--half-closed', '300ms'] };
      const { cli, address } = await start(t, way, 'proxy', '127.0.0.1:0', target.words.join(':'));
      const whole = await connectPeer(t, address);
      const wholeTarget = await target.accept();
      whole.write('x');
      await once(wholeTarget.resume(), 'data');
      const half = await connectPeer(t, address);
      const halfTarget = await target.accept();
      half.end('request');
      t.is((await collect(halfTarget)).toString(), 'request');
      t.is(errorCode((await collectUntilClose(half)).error), 'ECONNRESET');
      await cli.said(/one side has ended, and no byte has come from the other for 300 ms \(TNET_E_TIMEOUT\)/);
      whole.write('y');
      t.is(String((await once(wholeTarget, 'data'))[0]), 'y');
    },
  );
}

for (const way of [secure, { name: '--tls-out', flags: ['--tls-out'] }] satisfies Way[]) {
  test.serial(`SIGTERM waits for no TLS handshake beyond --drain (${way.name})`, async (t) => {
    const target = await startPeerServer(t, 'tcp');
    const words = ['proxy', '127.0.0.1:0', target.words.join(':'), '--drain', '200ms', '-v'];
    const { cli, address } = await start(t, way, ...words);
    const client = await connectPeer(t, address);
    client.write(Buffer.of(0x16));
    await (way.isSecure ? cli.said(/connection from|accepted|from 127/) : target.accept());
    t.true(await ends(cli, 143));
  });
}
