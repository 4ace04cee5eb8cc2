/**
 * The flow engine without the command line around it, for bench/engine.mjs.
 *
 *   node bench/engine-peer.ts relay LISTEN-PORT TARGET-PORT     until it is killed
 *   node bench/engine-peer.ts lane LISTEN-PORT TARGET-PORT      the same, in an express lane
 *   node bench/engine-peer.ts send PORT                         stdin → socket
 *   node bench/engine-peer.ts take PORT                         socket → stdout
 */
import { once } from 'node:events';
import net from 'node:net';
import { openExpressLane } from '../src/flow/express-lane.ts';
import { spliceFlow, type SpliceFlowOptions } from '../src/flow/splice-flow.ts';

const [mode, ...ports] = process.argv.slice(2);
const [port = 0, targetPort = 0] = ports.map(Number);
const half = { host: '127.0.0.1', allowHalfOpen: true, noDelay: true };

function run(options: SpliceFlowOptions): Promise<unknown> {
  const flow = spliceFlow(options);
  if (flow) return flow.ended;
  const source = typeof options.source === 'number' ? process.stdin : options.source;
  const sink = typeof options.sink === 'number' ? process.stdout : options.sink;
  source.pipe(sink);
  return once(source, 'end');
}

async function relay(client: net.Socket): Promise<void> {
  const target = net.connect({ ...half, port: targetPort });
  await once(target, 'connect');
  await Promise.all([run({ source: client, sink: target }), run({ source: target, sink: client })]);
  client.destroy();
  target.destroy();
}

if (mode === 'relay') {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
    void relay(client);
  });
  server.listen(port, '127.0.0.1');
} else if (mode === 'lane') {
  const server = net.createServer().listen({ port, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  const { fd: listenFd } = (server as unknown as { _handle: { fd: number } })._handle;
  const targets = [{ address: '127.0.0.1', port: targetPort }];
  let connections = 0;
  openExpressLane({ listenFd, targets, onEvents: (events) => void (connections += events.length) });
  server.close();
} else if (mode === 'send') {
  const socket = net.connect({ ...half, port });
  await once(socket, 'connect');
  await run({ source: 0, sink: socket });
  socket.destroySoon();
} else {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.listen(port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  await run({ source: socket, sink: 1 });
  socket.destroy();
  server.close();
}
