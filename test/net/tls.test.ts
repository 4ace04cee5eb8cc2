import { once } from 'node:events';
import tls from 'node:tls';
import test from 'ava';
import type { Socket, SecureUpgradeOptions } from '../../src/net/index.ts';
import { createCertificate } from '../helpers/net/certificate.ts';
import { connectPair, listen, pattern, portOf, record, transports } from '../helpers/net/sockets.ts';

const certificate = createCertificate();
const clientOptions: SecureUpgradeOptions = { ca: certificate.cert, servername: 'localhost' };

/** Both sides of a STARTTLS: the client asks, the server agrees, both upgrade in place. */
async function upgradeBoth(
  accepted: Socket,
  client: Socket,
  options: SecureUpgradeOptions = clientOptions,
): Promise<void> {
  accepted.once('data', () => {
    accepted.write('220 go ahead\r\n');
    accepted.setSecure(certificate);
  });
  const secured = [once(accepted, 'secure'), once(client, 'secure')];
  client.write('STARTTLS\r\n');
  await once(client, 'data');
  client.setSecure(options);
  await Promise.all(secured);
}

for (const transport of transports) {
  test(`${transport}: setSecure() upgrades both sides in place, and bytes go on encrypted`, async (t) => {
    const { accepted, client } = await connectPair(t, transport, {
      serverOptions: { allowHalfOpen: true },
      clientOptions: { allowHalfOpen: true },
    });
    await upgradeBoth(accepted, client);
    t.true(client.secureLayer!.authorized);
    t.is(client.secureLayer!.getProtocol(), 'TLSv1.3');
    const [atServer, atClient] = [record(accepted), record(client)];
    client.end(pattern(500_000));
    await once(accepted, 'end');
    accepted.end('thank you');
    await Promise.all([atServer.closed, atClient.closed]);
    t.true(atServer.bytes().equals(pattern(500_000)));
    t.is(atClient.bytes().toString(), 'thank you');
    t.deepEqual(atServer.events, ['end', 'close false']);
    t.deepEqual(atClient.events, ['end', 'close false']);
    t.true(client.bytesWritten > 500_000, 'bytesWritten counts what goes over the wire');
  });
}

test('setSecure() sends what was written before it in the clear, and nothing after it', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4');
  const wire: Buffer[] = [];
  let received = 0;
  accepted.on('data', (chunk: Buffer) => {
    wire.push(chunk);
    received += chunk.length;
  });
  accepted.pause();
  client.write(pattern(20_000_000));
  t.true(client.writableLength > 0);
  client.setSecure(clientOptions);
  client.write('secret');
  t.is(client.secureLayer, undefined);
  accepted.resume();
  while (received <= 20_000_000) await once(accepted, 'data');
  const all = Buffer.concat(wire);
  t.true(all.subarray(0, 20_000_000).equals(pattern(20_000_000)));
  t.is(all[20_000_000], 22, 'a TLS handshake record');
  t.false(all.includes('secret'));
  t.truthy(client.secureLayer);
});

test('the beginning of the handshake can be put back with unshift()', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4');
  client.write('STARTTLS\n');
  client.setSecure(clientOptions);
  while (accepted.readableLength < 100) await once(accepted, 'readable');
  const all = accepted.read() as Buffer;
  const line = all.indexOf('\n') + 1;
  accepted.unshift(all.subarray(line));
  accepted.setSecure(certificate);
  await Promise.all([once(accepted, 'secure'), once(client, 'secure')]);
  client.write('inside');
  const [chunk] = (await once(accepted, 'data')) as [Buffer];
  t.is(chunk.toString(), 'inside');
});

test('a certificate that is not trusted is an error of the upgraded socket', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4');
  const story = record(client);
  accepted.setSecure(certificate);
  client.setSecure({ servername: 'localhost' });
  client.on('secure', () => t.fail());
  await story.closed;
  t.deepEqual(story.events, ['error DEPTH_ZERO_SELF_SIGNED_CERT', 'close true']);
});

test('a peer that speaks no TLS is an error of the upgraded socket', async (t) => {
  const { accepted, client } = await connectPair(t, 'tcp4');
  const story = record(client);
  accepted.end('this is no TLS\n'.repeat(10));
  client.setSecure(clientOptions);
  await story.closed;
  t.regex(story.events[0]!, /^error ERR_SSL_/);
});

test('setSecure() without a connection, or during a handshake, is an error', async (t) => {
  const { Socket } = await import('../../src/net/index.ts');
  t.throws(() => new Socket().setSecure(), { code: 'ERR_SOCKET_CLOSED' });
  const { accepted, client } = await connectPair(t, 'tcp4');
  client.setSecure(clientOptions);
  t.throws(() => client.setSecure(), { code: 'ERR_INVALID_STATE' });
  const cut = once(client, 'error');
  accepted.destroy();
  await cut;
});

test('tls.connect({socket}) works over a tnet Socket', async (t) => {
  const server = await listen(
    t,
    tls.createServer(certificate, (socket) => socket.end('over tls')),
  );
  const { connect } = await import('../../src/net/index.ts');
  const socket = tls.connect({
    socket: connect(portOf(server), '127.0.0.1'),
    ca: certificate.cert,
    servername: 'localhost',
  });
  const story = record(socket);
  await story.closed;
  t.is(story.bytes().toString(), 'over tls');
});
