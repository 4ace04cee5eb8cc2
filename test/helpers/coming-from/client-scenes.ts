import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { closedPort, tnetPath } from '../cli.ts';
import { startProgram, waitForPort } from '../processes.ts';
import { startSshd } from '../sshd.ts';
import { commandDir, input, readPem, startCommand, type Command, type Outcome } from './command.ts';
import type { Scene } from './scene.ts';
import { answer, ask, greet, hold, name, reset, take, talk, type Serve } from './servings.ts';

/** What the servers of a scene got from their clients. */
interface Got {
  readonly chunks: Buffer[];
  readonly sockets: Set<net.Socket>;
}

const nothing = (): Got => ({ chunks: [], sockets: new Set() });

/** All of it, once every client has ended. */
async function readWire({ chunks, sockets }: Got): Promise<Buffer> {
  // On a busy machine its connection may still wait to be accepted.
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  const isOpen = (socket: net.Socket) => !socket.readableEnded && !socket.destroyed;
  for (const socket of sockets) {
    if (isOpen(socket)) await Promise.race([once(socket, 'end'), once(socket, 'close')]);
  }
  return Buffer.concat(chunks);
}

async function listenOn(
  t: ExecutionContext,
  server: net.Server,
  serve: Serve,
  where: net.ListenOptions,
  { chunks, sockets }: Got,
): Promise<void> {
  server.on(server instanceof tls.Server ? 'secureConnection' : 'connection', (socket: net.Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => chunks.push(chunk));
    serve(socket);
  });
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(where);
  await once(server, 'listening');
}

/** `typed`: the input has not ended when the command does; `quiet`: nor does it say anything. */
type Input = 'given' | 'typed' | 'none' | 'quiet';

async function finish(command: Command, got: Got, stdin: Input = 'given'): Promise<Outcome> {
  if (stdin === 'given' || stdin === 'typed') command.child.stdin!.write(input);
  if (stdin === 'given' || stdin === 'none') command.child.stdin!.end();
  const outcome = await command.outcome('');
  return { ...outcome, wire: await readWire(got) };
}

/** A client meets a server at `{host} {port}`, at the Unix socket `s.sock`, and at `@tnet-{port}`. */
function meet(serve: Serve, proof: Scene['proof'], stdin: Input = 'given'): Scene {
  return {
    proof,
    async run(t, text) {
      const got = nothing();
      const [dir, port, source] = [commandDir(t), await closedPort(), await closedPort()];
      const options = { allowHalfOpen: true };
      await listenOn(t, net.createServer(options), serve, { port, host: '127.0.0.1' }, got);
      await listenOn(t, net.createServer(options), serve, { path: join(dir, 's.sock') }, got);
      await listenOn(t, net.createServer(options), serve, { path: `\0tnet-${port}` }, got);
      const words = { host: '127.0.0.1', port, source };
      return hidePorts(await finish(startCommand(t, text, words, dir), got, stdin), words);
    },
  };
}

/** The ports are other ones for each command: where a command tells them, their names stand in the text instead. */
function hidePorts(outcome: Outcome, words: Readonly<Record<string, string | number>>): Outcome {
  const hide = (bytes: Buffer) =>
    Object.entries(words).reduce(
      (text, [name, word]) => (typeof word === 'number' ? text.replaceAll(String(word), `{${name}}`) : text),
      bytes.toString('latin1'),
    );
  const rewrite = (bytes: Buffer) => Buffer.from(hide(bytes), 'latin1');
  return { ...outcome, stdout: rewrite(outcome.stdout), stderr: rewrite(outcome.stderr) };
}

/** A client meets a TLS server for `localhost {port}`, whose certificate `ca.pem` vouches for. */
const secure: Scene = {
  proof: ['hello', 'you said hello'],
  async run(t, text) {
    const got = nothing();
    const port = await closedPort();
    const server = tls.createServer({ cert: readPem('cert'), key: readPem('key') });
    await listenOn(t, server, talk, { port, host: '127.0.0.1' }, got);
    return finish(startCommand(t, text, { host: '127.0.0.1', port }), got);
  },
};

/** The server comes only once the command has begun. */
const late: Scene = {
  proof: ['hello', 'an answer'],
  async run(t, text) {
    const got = nothing();
    const port = await closedPort();
    const command = startCommand(t, text, { host: '127.0.0.1', port });
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await listenOn(t, net.createServer({ allowHalfOpen: true }), answer, { port, host: '127.0.0.1' }, got);
    return finish(command, got);
  },
};

/** Nobody listens. */
const closed: Scene = {
  proof: 1,
  run: async (t, text) =>
    finish(startCommand(t, text, { host: '127.0.0.1', port: await closedPort() }), nothing()),
};

/** Of three ports in a row the second is closed. */
const ports: Scene = {
  proof: 0,
  async run(t, text) {
    const first = await closedPort(3);
    const words = { host: '127.0.0.1', first, second: first + 1, last: first + 2 };
    for (const port of [first, words.last]) {
      await listenOn(
        t,
        net.createServer(),
        (socket) => void socket.end(),
        { port, host: '127.0.0.1' },
        nothing(),
      );
    }
    return hidePorts(await finish(startCommand(t, text, words), nothing()), words);
  },
};

/** The server is behind a SOCKS 5 proxy at `{socks}`, one of SOCKS 4 at `{socks4}`, and an HTTP proxy at `{http}`, which wants ada's password `s3cret`. */
const proxied: Scene = {
  needs: ['microsocks', 'ncat'],
  proof: ['hello', 'you said hello'],
  async run(t, text) {
    const got = nothing();
    const [port, socks, socks4, http] = [
      await closedPort(),
      await closedPort(),
      await closedPort(),
      await closedPort(),
    ];
    await listenOn(t, net.createServer(), talk, { port, host: '127.0.0.1' }, got);
    if (text.includes('{socks}')) {
      await waitForPort(socks, startProgram(t, 'microsocks', ['-i', '127.0.0.1', '-p', String(socks)]));
    }
    if (text.includes('{socks4}')) {
      const proxy = startProgram(t, process.execPath, [tnetPath, 'proxy', '--socks', `127.0.0.1:${socks4}`]);
      await waitForPort(socks4, proxy);
    }
    if (text.includes('{http}')) {
      const auth = text.includes('s3cret') ? ['--proxy-auth', 'ada:s3cret'] : [];
      const flags = ['-lk', '--proxy-type', 'http', ...auth, '127.0.0.1', String(http)];
      await waitForPort(http, startProgram(t, 'ncat', flags));
    }
    return finish(startCommand(t, text, { host: '127.0.0.1', port, socks, socks4, http }), got);
  },
};

/** An ssh server is behind a SOCKS 5 proxy; `ssh.conf` logs in to it. */
const sshd: Scene = {
  needs: ['ssh', 'sshd', 'ssh-keygen', 'microsocks'],
  proof: ['hello\nworld\n'],
  async run(t, text) {
    const [dir, port, socks] = [commandDir(t), await closedPort(), await closedPort()];
    await startSshd(t, dir, port);
    await waitForPort(socks, startProgram(t, 'microsocks', ['-i', '127.0.0.1', '-p', String(socks)]));
    return finish(startCommand(t, text, { host: '127.0.0.1', port, socks }, dir), nothing());
  },
};

const telnet = {
  /** DO TERMINAL-TYPE. */
  wantsType: Buffer.from('fffd18', 'hex'),
  /** WILL ECHO and WILL SUPPRESS-GO-AHEAD: single keys, please. */
  wantsKeys: Buffer.from('fffb01fffb03', 'hex'),
  /** WILL TERMINAL-TYPE. */
  hasType: Buffer.from('fffb18', 'hex'),
  /** SB TERMINAL-TYPE SEND. */
  asksType: Buffer.from('fffa1801fff0', 'hex'),
  /** The end of an answer to that. */
  typeTold: Buffer.from('fff0', 'hex'),
};

/** A telnet server negotiates; then two lines are typed, and it ends. */
const telnetd = (asks: Buffer): Scene => ({
  proof: ['hello'],
  async run(t, text) {
    const got = nothing();
    const port = await closedPort();
    const server = net.createServer();
    const serve: Serve = (socket) => {
      socket.write(Buffer.concat([asks, Buffer.from('login: ')]));
      socket.on('data', (chunk: Buffer) => {
        if (chunk.includes(telnet.hasType)) socket.write(telnet.asksType);
        if (chunk.includes(telnet.typeTold)) server.emit('negotiated');
        if (chunk.includes('world')) socket.end('welcome\r\n');
      });
    };
    await listenOn(t, server, serve, { port, host: '127.0.0.1' }, got);
    const command = startCommand(t, text, { host: '127.0.0.1', port });
    await once(server, 'negotiated');
    return finish(command, got, 'typed');
  },
});

export const clientScenes: Readonly<Record<string, Scene>> = {
  answers: meet(answer, ['an answer']),
  takes: meet(take, ['hello']),
  talks: meet(talk, ['you said hello and world']),
  'talks, typed': meet(talk, ['hello'], 'typed'),
  greets: meet(greet, ['220 ready'], 'typed'),
  holds: meet(hold, ['220 ready']),
  'holds, typed': meet(hold, ['220 ready'], 'typed'),
  asks: meet(ask, ['220 ready']),
  names: meet(name, ['you are 127.0.0'], 'none'),
  'names, quiet': meet(name, ['you are 127.0.0'], 'quiet'),
  resets: meet(reset, ['220 ready', 'hello']),
  'telnetd, typed': telnetd(telnet.wantsType),
  'telnetd, keys': telnetd(Buffer.concat([telnet.wantsType, telnet.wantsKeys])),
  tls: secure,
  late,
  closed,
  ports,
  proxied,
  sshd,
};
