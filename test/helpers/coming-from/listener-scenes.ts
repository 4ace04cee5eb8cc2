import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { closedPort } from '../cli.ts';
import { collectUntilClose } from '../bytes.ts';
import { untilBound, type Bound } from '../until-bound.ts';
import { commandDir, input, readPem, startCommand, type Command } from './command.ts';
import type { Scene } from './scene.ts';

interface Listener {
  readonly command: Command;
  readonly port: number;
  readonly target: net.NetConnectOpts;
}

/** Starts a command that listens at `{host} {port}`, or at the Unix socket `s.sock` where it names that. */
async function startListener(
  t: ExecutionContext,
  text: string,
  words: Readonly<Record<string, string | number>> = {},
  dir = commandDir(t),
): Promise<Listener> {
  const port = await closedPort();
  const command = startCommand(t, text, { host: '127.0.0.1', port, ...words }, dir);
  const path = join(dir, 's.sock');
  const isUnix = text.includes('s.sock');
  const bound: Bound = isUnix ? { path } : { tcp: port };
  const gone = new AbortController();
  command.child.once('close', () => gone.abort());
  await untilBound(bound, gone.signal).catch(async () => {
    throw new Error(`it did not listen: ${command.text}\n${(await command.outcome('')).stderr.toString()}`);
  });
  return { command, port, target: isUnix ? { path } : { host: '127.0.0.1', port } };
}

async function call(t: ExecutionContext, target: net.NetConnectOpts): Promise<net.Socket> {
  for (;;) {
    const socket = net.connect({ ...target, allowHalfOpen: true });
    t.teardown(() => socket.destroy());
    try {
      await once(socket, 'connect');
      return socket.on('error', () => undefined);
    } catch (error) {
      // A path shows before its owner listens.
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') throw error;
    }
  }
}

/** A client says a line, half-closes, and reads to the end. */
const caller: Scene = {
  proof: ['from the caller', 'FROM THE CALLER', 'hello'],
  async run(t, text) {
    const { command, target } = await startListener(t, text);
    command.child.stdin!.end(input);
    const socket = await call(t, target);
    socket.end('from the caller\n');
    const { bytes } = await collectUntilClose(socket);
    if (/ (-\w*k|fork)|tnet echo/.test(command.text)) command.end();
    return command.outcome(bytes);
  },
};

/** A client says a line, waits for one, and ends; then the command is ended if it goes on. */
const asker: Scene = {
  proof: ['from the caller', '127.0.0.1'],
  async run(t, text) {
    const { command, target } = await startListener(t, text);
    const socket = await call(t, target);
    socket.write('from the caller\n');
    let wire = '';
    while (!wire.endsWith('\n')) wire += String(((await once(socket, 'data')) as [Buffer])[0]);
    socket.end();
    if (/ -\w*k/.test(text)) command.end();
    return command.outcome(wire);
  },
};

/** A client says something, reads to the end, and only then half-closes: nc leaves at its caller's end, with what it has. */
const readToEnd = (words: string): Scene => ({
  proof: ['hello'],
  async run(t, text) {
    const { command, target } = await startListener(t, text);
    const socket = await call(t, target);
    if (words !== '') socket.write(words);
    const { bytes } = await collectUntilClose(socket);
    socket.end();
    return command.outcome(bytes);
  },
});

/** Commands that answer or keep what comes, and print nothing. */
const printsNothing = /-e|-c|exec:|sh:|file:|EXEC|SYSTEM|PIPE|OPEN|echo/;

/** Three clients, one after another, say a line and half-close; then the command is ended. */
const callers: Scene = {
  proof: ['three', 'THREE'],
  async run(t, text) {
    const { command, target } = await startListener(t, text);
    const wire: Buffer[] = [];
    for (const word of ['one', 'two', 'three']) {
      const socket = await call(t, target);
      socket.end(`${word}\n`);
      wire.push((await collectUntilClose(socket)).bytes);
    }
    if (!printsNothing.test(text)) await command.says('three\n');
    command.end();
    return command.outcome(Buffer.concat(wire));
  },
};

/** A client says a line over TLS, and reads to the end. */
const secureCaller: Scene = {
  proof: ['from the caller', 'hello\nworld\n'],
  async run(t, text) {
    const { command, port } = await startListener(t, text);
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readPem('ca') });
    await once(socket, 'secureConnect');
    socket.write('from the caller\n');
    command.child.stdin!.write(input);
    const wire: Buffer[] = [];
    while (!Buffer.concat(wire).includes(input)) wire.push(((await once(socket, 'data')) as [Buffer])[0]);
    await command.says('from the caller\n');
    socket.end();
    command.child.stdin!.end();
    return command.outcome(Buffer.concat(wire));
  },
};

/** Two clients are there; the second says a line, and the first hears it. Then the command is ended. */
const room: Scene = {
  proof: ['hello from the second'],
  async run(t, text) {
    const { command, target } = await startListener(t, text);
    const first = await call(t, target);
    // The first is known to be in once it has been heard by somebody.
    const witness = await call(t, target);
    first.write('here\n');
    await once(witness, 'data');
    const second = await call(t, target);
    const heard: Buffer[] = [];
    first.on('data', (chunk: Buffer) => heard.push(chunk));
    second.write('hello from the second\n');
    while (!Buffer.concat(heard).includes('hello from the second\n')) await once(first, 'data');
    command.end();
    const outcome = await command.outcome('');
    return { ...outcome, wire: Buffer.concat(heard) };
  },
};

/** One client calls from 127.0.0.2 and one from 127.0.0.1; then the command is ended. */
const strangers: Scene = {
  proof: ['from 127.0.0.1'],
  async run(t, text) {
    const { command, target } = await startListener(t, text);
    for (const localAddress of ['127.0.0.2', '127.0.0.1']) {
      const options = { ...target, localAddress } as net.TcpNetConnectOpts;
      // Who is turned away may be reset before the connection is known to stand.
      const socket = net.connect(options).on('error', () => undefined);
      socket.end(`from ${localAddress}\n`);
      await collectUntilClose(socket);
    }
    await command.says('from 127.0.0.1\n');
    command.end();
    return command.outcome('');
  },
};

export const listenerScenes: Readonly<Record<string, Scene>> = {
  caller,
  'patient caller': readToEnd('from the caller\n'),
  asker,
  reader: readToEnd(''),
  callers,
  'TLS caller': secureCaller,
  room,
  strangers,
};

export { call, startListener };
