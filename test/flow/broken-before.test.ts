import { once } from 'node:events';
import net from 'node:net';
import test from 'ava';
import { errorCode } from '../../src/errors.ts';
import { startRelay } from '../../src/flow/relay.ts';
import { Socket } from '../../src/net/index.ts';
import { findBreak } from '../../src/net/patient-socket.ts';

const linuxTest = process.platform === 'linux' ? test : test.skip;

linuxTest(
  'a relay whose client broke under a write before it began ends, and says which side broke',
  async (t) => {
    const peers = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    t.teardown(() => peers.close());
    await once(peers, 'listening');
    const { port } = peers.address() as net.AddressInfo;
    const open = async () => {
      const accepted = once(peers, 'connection') as Promise<[net.Socket]>;
      const socket = new Socket({ allowHalfOpen: true, dataBeforeError: true });
      t.teardown(() => socket.destroy());
      socket.on('error', () => undefined).connect(port, '127.0.0.1');
      await once(socket, 'connect');
      const [peer] = await accepted;
      t.teardown(() => peer.destroy());
      return { socket, peer };
    };
    const [client, target] = [await open(), await open()];
    // As after a greeting: it has been read from, and is not read now.
    client.peer.write('greeting');
    await once(client.socket, 'data');
    client.socket.pause();
    client.peer.resetAndDestroy();
    await once(client.peer, 'close');
    // On loopback the reset has arrived; the first write that meets it uses its error up.
    client.socket.write('answer');
    t.truthy(findBreak(client.socket));
    const { broken, error } = await startRelay({ client: client.socket, target: target.socket }).ended;
    t.is(broken, 'client');
    t.regex(errorCode(error) ?? '', /ECONNRESET|EPIPE/);
    t.false(target.socket.destroyed);
  },
);
