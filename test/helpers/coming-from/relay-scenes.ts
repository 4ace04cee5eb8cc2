import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { join } from 'node:path';
import { closedPort } from '../cli.ts';
import { commandDir, readPem } from './command.ts';
import { call, startListener } from './listener-scenes.ts';
import type { Scene } from './scene.ts';

/** How the caller of a relay gets to the point where it can talk to the target. */
type Introduce = (socket: net.Socket, target: number) => Promise<net.Socket>;

/** Takes an answer from the stream; `readLength` tells how long it is, or 0 while that cannot be known. */
async function skipAnswer(socket: net.Socket, readLength: (bytes: Buffer) => number): Promise<void> {
  let bytes = Buffer.alloc(0);
  for (;;) {
    const length = readLength(bytes);
    if (length > 0) {
      if (bytes.length > length) socket.unshift(bytes.subarray(length));
      return;
    }
    await once(socket, 'readable');
    bytes = Buffer.concat([bytes, (socket.read() as Buffer | null) ?? Buffer.alloc(0)]);
  }
}

const introduceNothing: Introduce = (socket) => Promise.resolve(socket);

const introduceByConnect: Introduce = async (socket, target) => {
  socket.write(`CONNECT 127.0.0.1:${target} HTTP/1.1\r\nHost: 127.0.0.1:${target}\r\n\r\n`);
  const headEnd = '\r\n\r\n';
  await skipAnswer(socket, (bytes) =>
    bytes.includes(headEnd) ? bytes.indexOf(headEnd) + headEnd.length : 0,
  );
  return socket;
};

const introduceBySocks: Introduce = async (socket, target) => {
  socket.write(Buffer.from([5, 1, 0]));
  await skipAnswer(socket, (bytes) => (bytes.length >= 2 ? 2 : 0));
  socket.write(Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, target >> 8, target & 255]));
  await skipAnswer(socket, (bytes) => (bytes.length >= 10 ? 10 : 0));
  return socket;
};

const introduceByTls: Introduce = async (socket) => {
  const secure = tls.connect({ socket, servername: 'localhost', ca: readPem('ca') });
  await once(secure, 'secureConnect');
  return secure;
};

/**
 * The command relays from `{host} {port}` or `s.sock` to a server at `{host} {target}` or `target.sock`, or over TLS at
 * `localhost {secure}`. A client says a line, reads the answer, and ends.
 */
function relay(introduce: Introduce): Scene {
  return {
    proof: ['you said from the caller\n'],
    async run(t, text) {
      const dir = commandDir(t);
      const [target, secure] = [await closedPort(), await closedPort()];
      const serve = (socket: net.Socket) =>
        void socket
          .on('error', () => undefined)
          .once('data', (line: Buffer) => socket.end(`you said ${line.toString()}`));
      const servers = [
        net.createServer(serve).listen(target, '127.0.0.1'),
        net.createServer(serve).listen(join(dir, 'target.sock')),
        tls.createServer({ cert: readPem('cert'), key: readPem('key') }, serve).listen(secure, '127.0.0.1'),
      ];
      t.teardown(() => servers.map((server) => server.close()));
      await Promise.all(servers.map((server) => once(server, 'listening')));
      const listener = await startListener(t, text, { target, secure }, dir);
      const socket = await introduce(await call(t, listener.target), target);
      socket.write('from the caller\n');
      let wire = '';
      while (!wire.endsWith('\n')) wire += String(((await once(socket, 'data')) as [Buffer])[0]);
      socket.end();
      await once(socket, 'close');
      // A pipe through a fifo ends by itself.
      if (!text.startsWith('mkfifo')) listener.command.end();
      return listener.command.outcome(wire);
    },
  };
}

export const relayScenes: Readonly<Record<string, Scene>> = {
  relay: relay(introduceNothing),
  'relay, TLS': relay(introduceByTls),
  'relay, CONNECT': relay(introduceByConnect),
  'relay, SOCKS': relay(introduceBySocks),
};
