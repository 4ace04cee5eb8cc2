import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { openExpressLane } from '../../src/flow/express-lane.ts';
import { spliceFlow } from '../../src/flow/splice-flow.ts';
import { createBytes, createFolder, createSocketPair, must, nativeTest, until } from './ends.ts';
import { fdOf } from './lane-rig.ts';

/** What node:net's IPC pipes offer: they pass a handle's descriptor along with the bytes. Source: unix(7), SCM_RIGHTS. */
interface PassingPipe {
  connect(request: object, path: string): number;
  writeUtf8String(request: object, text: string, handle?: unknown): number;
  close(): void;
}

type Binding = Record<string, new (kind?: number) => object> & { constants: { IPC: number } };

const binding = (name: string) =>
  (process as unknown as { binding: (name: string) => Binding }).binding(name);

/** A client of a Unix socket that can pass descriptors. */
async function connectPassing(
  t: ExecutionContext,
  path: string,
): Promise<(text: string, passed?: net.Server) => void> {
  const { Pipe, PipeConnectWrap, constants } = binding('pipe_wrap');
  const { WriteWrap } = binding('stream_wrap');
  const pipe = new Pipe!(constants.IPC) as PassingPipe;
  t.teardown(() => pipe.close());
  await new Promise<void>((resolve) => {
    pipe.connect(Object.assign(new PipeConnectWrap!(), { oncomplete: resolve }), path);
  });
  return (text, passed) => {
    const handle = passed && (passed as unknown as { _handle: unknown })._handle;
    t.is(
      pipe.writeUtf8String(Object.assign(new WriteWrap!(), { oncomplete: () => undefined }), text, handle),
      0,
    );
  };
}

async function listenAt(t: ExecutionContext, where: net.ListenOptions): Promise<net.Server> {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(where);
  t.teardown(() => server.close());
  await once(server, 'listening');
  return server;
}

/** Sends pieces with and without a descriptor, before and after so much that the engine splices it. */
async function passPieces(
  t: ExecutionContext,
  send: (text: string, passed?: net.Server) => void,
  peer: net.Socket,
): Promise<void> {
  const passed = await listenAt(t, { port: 0, host: '127.0.0.1' });
  const chunks: Buffer[] = [];
  peer.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  let expected = '';
  // Many at once: the engine is to find more than one of them behind the others.
  const pass = async (text: string) => {
    for (let i = 0; i < 20; i++) {
      send(text, passed);
      send('after');
      expected += `${text}after`;
    }
    await until(() => Buffer.concat(chunks).length >= expected.length);
  };
  await pass('with');
  const bulk = createBytes(1_500_000).toString('hex');
  send(bulk);
  expected += bulk;
  await pass('with again');
  t.is(Buffer.concat(chunks).toString(), expected);
  const { port } = passed.address() as net.AddressInfo;
  passed.close();
  await once(passed, 'close');
  // Nobody has kept the passed socket.
  const late = net.connect(port, '127.0.0.1');
  t.is(((await once(late, 'error')) as [NodeJS.ErrnoException])[0].code, 'ECONNREFUSED');
}

nativeTest('a flow carries bytes on that follow others with a descriptor, which it closes', async (t) => {
  const path = join(createFolder(t), 's');
  const server = await listenAt(t, { path });
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const send = await connectPassing(t, path);
  const [source] = await accepted;
  t.teardown(() => source.destroy());
  const [peer, sink] = await createSocketPair(t);
  const flow = must(spliceFlow({ source, sink }));
  await passPieces(t, send, peer);
  flow.stop('aborted');
  await flow.ended;
});

nativeTest('a lane carries bytes on that follow others with a descriptor, which it closes', async (t) => {
  const path = `\0tnet-ancillary-${process.pid}`;
  const [target, listener] = [await listenAt(t, { port: 0, host: '127.0.0.1' }), await listenAt(t, { path })];
  const { port } = target.address() as net.AddressInfo;
  const lane = must(openExpressLane({ listenFd: fdOf(listener), targets: [{ address: '127.0.0.1', port }] }));
  // Nobody but the lane accepts there from here on.
  listener.close();
  const accepted = once(target, 'connection') as Promise<[net.Socket]>;
  const send = await connectPassing(t, path);
  const [peer] = await accepted;
  peer.on('error', () => undefined);
  await passPieces(t, send, peer);
  lane.stop();
  await lane.ended;
  peer.destroy();
});
