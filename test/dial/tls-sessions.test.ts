import { X509Certificate } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import type net from 'node:net';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { dial } from '../../src/dial/dial.ts';
import { type TlsClientSettings, TlsSessions } from '../../src/dial/tls-client.ts';
import { createContext } from '../../src/dial/tls-files.ts';
import type { Socket } from '../../src/net/index.ts';
import { collect } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';

const authority = createAuthority();
test.after.always(() => authority.remove());
const good = authority.issue('good', 'DNS:localhost,IP:127.0.0.1');
const elsewhere = authority.issue('elsewhere', 'DNS:elsewhere.example');

type Version = 'TLSv1.2' | 'TLSv1.3';

/** A server that greets, so that a client that has read the greeting has its tickets too. */
async function startServer(t: ExecutionContext, { cert, key } = good, version: Version = 'TLSv1.3') {
  const options = { cert, key, minVersion: version, maxVersion: version };
  const server = tls.createServer(options, (socket) => {
    // A turn later: node:tls would end at once without close_notify.
    setImmediate(() => socket.on('error', () => undefined).end('hello'));
  });
  server.on('tlsClientError', () => undefined).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  return { kind: 'tcp', host: '127.0.0.1', port } as const;
}

type Server = Awaited<ReturnType<typeof startServer>>;

function settingsWith(sessions: TlsSessions, more: Partial<TlsClientSettings> = {}): TlsClientSettings {
  const verify = more.verify ?? true;
  return { context: createContext({ ca: authority.caFile }, undefined, verify), verify, sessions, ...more };
}

/** Connects, reads the greeting, and says whether the session was an earlier one's. */
async function isReused(t: ExecutionContext, server: Server, settings: TlsClientSettings): Promise<boolean> {
  const socket: Socket = await dial(server, { tls: settings });
  t.teardown(() => socket.destroy());
  const reused = socket.secureLayer?.isSessionReused() ?? false;
  t.is((await collect(socket)).toString(), 'hello');
  socket.destroy();
  return reused;
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`the second ${version} connection to a target goes on from the first one's session`, async (t) => {
    const server = await startServer(t, good, version);
    const settings = settingsWith(new TlsSessions());
    t.false(await isReused(t, server, settings));
    t.true(await isReused(t, server, settings));
  });

  test(`a ${version} session goes on from a server whose pin was right`, async (t) => {
    const server = await startServer(t, good, version);
    const { fingerprint256 } = new X509Certificate(good.cert);
    const pins = [Buffer.from(fingerprint256.replaceAll(':', ''), 'hex')];
    const settings = settingsWith(new TlsSessions(), { pins });
    t.false(await isReused(t, server, settings));
    t.true(await isReused(t, server, settings));
  });

  test(`no session is kept of a ${version} server that is refused`, async (t) => {
    const sessions = new TlsSessions();
    const wrongName = settingsWith(sessions);
    const wrongPin = settingsWith(sessions, { pins: [Buffer.alloc(32)] });
    const untrusted = settingsWith(sessions, { context: createContext({}, undefined, true) });
    const server = await startServer(t, good, version);
    await t.throwsAsync(dial(await startServer(t, elsewhere, version), { tls: wrongName }), {
      code: 'ERR_TLS_CERT_ALTNAME_INVALID',
    });
    await t.throwsAsync(dial(server, { tls: wrongPin }), { code: 'TNET_E_TLS' });
    await t.throwsAsync(dial(server, { tls: untrusted }));
    t.is(sessions.size, 0);
  });
}

test('a target is not offered the session of another name or address', async (t) => {
  const [one, other] = [await startServer(t), await startServer(t)];
  const sessions = new TlsSessions();
  t.false(await isReused(t, one, settingsWith(sessions)));
  t.false(await isReused(t, other, settingsWith(sessions)));
  t.false(await isReused(t, one, settingsWith(sessions, { servername: 'localhost' })));
  t.is(sessions.size, 3);
});

/** A connection's layer, as far as its sessions are concerned. */
function createLayer(): tls.TLSSocket {
  return Object.assign(Object.create(tls.TLSSocket.prototype) as tls.TLSSocket, new EventEmitter());
}

test('a session counts from when its server is accepted, and the last one is kept', (t) => {
  const sessions = new TlsSessions();
  const gathering = sessions.gather('a');
  const layer = createLayer();
  gathering.watch(layer);
  layer.emit('session', Buffer.from('1'));
  t.is(sessions.find('a'), undefined);
  gathering.accept();
  t.is(sessions.find('a')?.toString(), '1');
  layer.emit('session', Buffer.from('2'));
  t.is(sessions.find('a')?.toString(), '2');
  sessions.gather('a').refuse();
  t.is(sessions.find('a'), undefined);
});

test('no more sessions are kept than the limit, and the oldest goes first', (t) => {
  const sessions = new TlsSessions(2);
  for (const target of ['a', 'b', 'a', 'c']) {
    const [gathering, layer] = [sessions.gather(target), createLayer()];
    gathering.watch(layer);
    gathering.accept();
    layer.emit('session', Buffer.from(target));
  }
  t.is(sessions.size, 2);
  t.is(sessions.find('b'), undefined);
  t.truthy(sessions.find('a'));
});
