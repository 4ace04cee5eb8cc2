import dgram from 'node:dgram';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { connectDatagram, bindDatagram } from '../../src/net/datagram.ts';
import {
  DatagramPeer,
  maxDatagramBytes,
  receiveQueueBytes,
  type LostDatagrams,
} from '../../src/net/datagram-peer.ts';
import {
  DatagramServer,
  rememberedPeers,
  type DatagramServerOptions,
} from '../../src/net/datagram-server.ts';
import { flushMark } from '../../src/net/connection.ts';
import { payload } from '../helpers/bytes.ts';
import { closedPort } from '../helpers/cli.ts';

/** A peer on no socket: what it sends is gathered. */
function createPeer() {
  const sent: Buffer[] = [];
  const peer = new DatagramPeer({
    remoteAddress: '127.0.0.1',
    remotePort: 9,
    localAddress: undefined,
    localPort: undefined,
    send(datagram, done) {
      sent.push(datagram);
      done(null);
    },
    close: () => undefined,
  });
  return { peer, sent };
}

test('each chunk is a datagram, also one without bytes; the flush mark is none', async (t) => {
  const { peer, sent } = createPeer();
  for (const chunk of [Buffer.from('a'), Buffer.alloc(0), flushMark, Buffer.from('bc')]) peer.write(chunk);
  await turn();
  t.deepEqual(sent.map(String), ['a', '', 'bc']);
});

test('a chunk that is too long is cut, without a byte lost, and told', async (t) => {
  const { peer, sent } = createPeer();
  const cuts: number[] = [];
  peer.on('cut', (bytes: number) => cuts.push(bytes));
  const chunk = payload(2 * maxDatagramBytes + 5);
  await new Promise((resolve) => peer.write(chunk, resolve));
  t.deepEqual(
    sent.map(({ length }) => length),
    [maxDatagramBytes, maxDatagramBytes, 5],
  );
  t.deepEqual(Buffer.concat(sent), chunk);
  t.deepEqual(cuts, [chunk.length]);
});

test('datagrams are read one by one, and those without bytes too', async (t) => {
  const { peer } = createPeer();
  const texts = ['a', '', 'bc', ''];
  for (const text of texts) peer.deliver(Buffer.from(text));
  const read: string[] = [];
  peer.on('data', (chunk: Buffer) => read.push(chunk.toString()));
  await turn();
  t.deepEqual(read, texts);
  t.is(peer.received, 4);
});

test('what a slow reader leaves is bounded, and what is lost is told', async (t) => {
  const { peer } = createPeer();
  const total = 600;
  for (let index = 0; index < total; index++) peer.deliver(Buffer.alloc(10_000));
  t.true(peer.received * 10_000 <= receiveQueueBytes);
  const told = once(peer, 'lost');
  peer.resume();
  const [lost] = (await told) as [LostDatagrams];
  t.deepEqual(lost, { datagrams: total - peer.received, bytes: (total - peer.received) * 10_000 });
});

async function bindServer(t: ExecutionContext, options: Partial<DatagramServerOptions>) {
  const peers: DatagramPeer[] = [];
  const socket = await bindDatagram({ type: 'udp4', address: '127.0.0.1', port: 0 });
  const server = new DatagramServer(socket, {
    onPeer(peer) {
      peers.push(peer);
      server.emit('peer');
    },
    ...options,
  });
  t.teardown(() => {
    server.close();
    for (const peer of peers) peer.destroy();
  });
  return { server, peers, port: server.address().port };
}

async function createSender(t: ExecutionContext, port: number) {
  const socket = dgram.createSocket('udp4');
  t.teardown(() => socket.close());
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

test('a server has a peer for every sender, and answers each', async (t) => {
  const { server, peers, port } = await bindServer(t, {});
  const senders = [await createSender(t, port), await createSender(t, port)];
  for (const [index, sender] of senders.entries()) {
    sender.send(`from ${index}`);
    await once(server, 'peer');
  }
  for (const [index, peer] of peers.entries()) {
    t.is(String((await once(peer, 'data'))[0]), `from ${index}`);
    t.is(peer.remotePort, senders[index]!.address().port);
    peer.write(`to ${index}`);
    t.is(String((await once(senders[index]!, 'message'))[0]), `to ${index}`);
  }
});

test('with onlyFirst the socket is given to the first peer', async (t) => {
  const { server, peers, port } = await bindServer(t, { onlyFirst: true });
  const [first, second] = [await createSender(t, port), await createSender(t, port)];
  first.send('one');
  first.send('two');
  await once(server, 'peer');
  second.send('not for you');
  // The kernel says that nobody listens there for the second.
  t.is(((await once(second, 'error'))[0] as { code: string }).code, 'ECONNREFUSED');
  const read: string[] = [];
  peers[0]!.on('data', (chunk: Buffer) => read.push(chunk.toString()));
  first.send('three');
  while (read.length < 3) await once(peers[0]!, 'data');
  t.deepEqual(read, ['one', 'two', 'three']);
  t.is(peers.length, 1);
});

test('over maxPeers a sender is turned away until a peer is let go', async (t) => {
  const refused: string[] = [];
  const { server, peers, port } = await bindServer(t, {
    maxPeers: 1,
    onRefused(_remote, reason) {
      refused.push(reason);
      server.emit('refused');
    },
  });
  const [first, second] = [await createSender(t, port), await createSender(t, port)];
  first.send('x');
  await once(server, 'peer');
  second.send('x');
  await once(server, 'refused');
  t.deepEqual(refused, ['too many peers']);
  peers[0]!.destroy();
  second.send('y');
  await once(server, 'peer');
  t.is(peers[1]!.remotePort, second.address().port);
});

test('without a limit the peer that was silent for longest makes way', async (t) => {
  const { server, peers, port } = await bindServer(t, {});
  const senders: dgram.Socket[] = [];
  for (let index = 0; index <= rememberedPeers; index++) {
    const sender = await createSender(t, port);
    senders.push(sender);
    sender.send('x');
    await once(server, 'peer');
  }
  t.true(peers[0]!.destroyed);
  t.false(peers[1]!.destroyed);
});

test('a connected socket whose peer is not there ends with ECONNREFUSED', async (t) => {
  const peer = await connectDatagram({ address: '127.0.0.1', port: await closedPort() });
  peer.write('anybody there?');
  const [error] = (await once(peer, 'error')) as [{ code: string }];
  t.is(error.code, 'ECONNREFUSED');
});

test('a local port that is taken is an error, and nothing stays open', async (t) => {
  const taken = await bindDatagram({ type: 'udp4', address: '127.0.0.1', port: 0 });
  t.teardown(() => taken.close());
  const { port } = taken.address();
  const options = { address: '127.0.0.1', port: 9, localAddress: '127.0.0.1', localPort: port };
  await t.throwsAsync(connectDatagram(options), { code: 'EADDRINUSE' });
});
