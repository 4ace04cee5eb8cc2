import { once } from 'node:events';
import test from 'ava';
import { promises, Server } from '../../src/net/index.ts';
import { bindDatagram } from '../../src/net/datagram.ts';
import { portOf, targetOf, transports } from '../helpers/net/sockets.ts';
import { join } from 'node:path';
import { tempDir } from '../helpers/net/sockets.ts';

for (const transport of transports) {
  test(`${transport}: listen, connect and close as promises`, async (t) => {
    const server = await promises.listen(
      transport === 'unix'
        ? { path: join(tempDir(t), 'socket') }
        : { port: 0, host: transport === 'tcp4' ? '127.0.0.1' : '::1' },
      { allowHalfOpen: true },
    );
    t.true(server.listening);
    const accepted = once(server, 'connection') as Promise<[import('../../src/net/index.ts').Socket]>;
    const client = await promises.connect(targetOf(server));
    const [socket] = await accepted;
    t.true(socket.allowHalfOpen);
    socket.resume();
    await promises.close(client);
    t.true(client.closed || client.destroyed);
    await promises.close(client);
    socket.destroy();
    await promises.close(server);
    t.false(server.listening);
    await promises.close(server);
  });
}

test('promises.listen() rejects with the error of binding', async (t) => {
  const server = await promises.listen({ port: 0, host: '127.0.0.1' });
  await t.throwsAsync(promises.listen({ port: portOf(server), host: '127.0.0.1' }), { code: 'EADDRINUSE' });
  await promises.close(server);
});

test('promises.connect() rejects with the error of connecting', async (t) => {
  await t.throwsAsync(promises.connect({ path: join(tempDir(t), 'nowhere') }), { code: 'ENOENT' });
});

test('promises.listen() and connect() end with their signal', async (t) => {
  const signal = AbortSignal.abort(new Error('no more'));
  await t.throwsAsync(promises.listen({ port: 0, signal }), { message: 'no more' });
  await t.throwsAsync(promises.connect({ path: '/nowhere', signal }), { message: 'no more' });
  const server = new Server();
  const controller = new AbortController();
  const listening = promises.listen({ port: 0, signal: controller.signal }, server);
  controller.abort();
  await t.throwsAsync(listening, { name: 'AbortError' });
  t.false(server.listening);
});

test('datagram sockets carry datagrams, and a taken port is an error', async (t) => {
  const receiver = await bindDatagram({ type: 'udp4', address: '127.0.0.1' });
  const sender = await bindDatagram({ type: 'udp4', address: '127.0.0.1' });
  const message = once(receiver, 'message') as Promise<[Buffer]>;
  sender.send('hello', receiver.address().port, '127.0.0.1');
  t.is((await message)[0].toString(), 'hello');
  const { port } = receiver.address();
  await t.throwsAsync(bindDatagram({ type: 'udp4', address: '127.0.0.1', port }), { code: 'EADDRINUSE' });
  receiver.close();
  sender.close();
});
