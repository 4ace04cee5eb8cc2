import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import nodeNet from 'node:net';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { createServer, Server } from '../../src/net/index.ts';
import { closeAfter, listen, targetOf } from '../helpers/net/sockets.ts';

const program = fileURLToPath(new URL('../helpers/net/take-server.ts', import.meta.url));

function startChild(t: ExecutionContext): ChildProcess {
  const child = fork(program, { execArgv: [] });
  t.teardown(() => child.kill());
  return child;
}

async function give(child: ChildProcess, server: nodeNet.Server): Promise<unknown> {
  child.send('yours', server);
  const [answer] = (await once(child, 'message')) as [unknown];
  return answer;
}

async function ask(server: nodeNet.Server): Promise<string> {
  const client = nodeNet.connect(targetOf(server) as nodeNet.NetConnectOpts);
  const [data] = (await once(client, 'data')) as [Buffer];
  return String(data);
}

/** Each leaves a listening server that does not accept, and gives back what makes it go on. */
const states: Record<string, (t: ExecutionContext) => Promise<{ server: Server; goOn: () => void }>> = {
  async paused(t) {
    const server = await listen(t, createServer());
    server.pause(60_000);
    return { server, goOn: () => void server.resume() };
  },
  async full(t) {
    const server = await listen(t, createServer({ overflow: 'wait' }));
    server.maxConnections = 1;
    const client = nodeNet.connect(targetOf(server) as nodeNet.NetConnectOpts);
    await once(server, 'connection');
    return { server, goOn: () => client.destroy() };
  },
  async 'paused and resumed'(t) {
    const server = await listen(t, createServer());
    server.pause(60_000).resume();
    return { server, goOn: () => undefined };
  },
};

for (const [state, open] of Object.entries(states)) {
  test(`a ${state} server can be sent to a child process, which accepts in its place`, async (t) => {
    const { server } = await open(t);
    const child = startChild(t);
    t.deepEqual(await give(child, server), { message: 'yours', hasServer: true });
    // The one that goes on accepting stands aside, so that the child's answer is the one that comes.
    if (state === 'paused and resumed') server.pause(60_000);
    t.is(await ask(server), 'from the child');
  });

  test(`a ${state} server that was sent to a child process goes on by itself`, async (t) => {
    const { server, goOn } = await open(t);
    const child = startChild(t);
    await give(child, server);
    child.kill();
    await once(child, 'exit');
    server.on('connection', (socket) => socket.end('from the parent'));
    goOn();
    t.is(await ask(server), 'from the parent');
  });
}

test('another server can listen on a paused server', async (t) => {
  const server = await listen(t, createServer());
  server.pause(60_000);
  const second = new Server((socket) => socket.end('from the second'));
  closeAfter(t, second);
  second.listen(server);
  await once(second, 'listening');
  t.is(await ask(second), 'from the second');
});
