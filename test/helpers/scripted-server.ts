import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { ExecutionContext } from 'ava';

/** A server that remembers all that its clients send. */
export interface ScriptedServer {
  readonly port: number;
  readonly received: () => Buffer;
  /** Waits until the bytes are among those that came. */
  readonly gets: (bytes: string | Buffer) => Promise<void>;
  /** Forgets what came so far. */
  readonly forget: () => void;
  /** The last client. */
  readonly client: () => Socket;
}

/** What has not come by then never will. */
const patienceMs = 50_000;

/** Starts one on a free port of 127.0.0.1; `greet` is called with each client. */
export async function startScriptedServer(
  t: ExecutionContext,
  greet: (socket: Socket) => void = () => undefined,
): Promise<ScriptedServer> {
  let received = Buffer.alloc(0);
  let client: Socket | undefined;
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    client = socket;
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      server.emit('received');
    });
    socket.on('end', () => socket.end());
    greet(socket);
  });
  t.teardown(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    received: () => received,
    async gets(bytes) {
      const signal = AbortSignal.timeout(patienceMs);
      while (!received.includes(bytes)) {
        await once(server, 'received', { signal }).catch(() => {
          throw new Error(`what came is ${JSON.stringify(received.toString('latin1'))}`);
        });
      }
    },
    forget() {
      received = Buffer.alloc(0);
    },
    client: () => client!,
  };
}
