import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import {
  loadNativeAddon,
  nativeStatus,
  type NativeAddon,
  type NumberOption,
} from '../../src/native/addon.ts';
import { createFolder, createPipe, createSocketPair, nativeTest, until } from './ends.ts';

const run = promisify(execFile);
const addon = loadNativeAddon() as NativeAddon;
const root = fileURLToPath(new URL('../..', import.meta.url));
const fdOf = (owner: object) => (owner as { _handle: { fd: number } })._handle.fd;
const printStatus = `import('${root}/src/native/addon.ts').then((m) => console.log(JSON.stringify(m.nativeStatus())))`;

async function statusWith(env: Record<string, string>): Promise<{ used: boolean; reason: string }> {
  const { stdout } = await run(process.execPath, ['-e', printStatus], { env: { ...process.env, ...env } });
  return JSON.parse(stdout) as { used: boolean; reason: string };
}

test('TNET_NATIVE=0 turns the native engine off, and the status says so', async (t) => {
  t.deepEqual(await statusWith({ TNET_NATIVE: '0' }), { used: false, reason: 'TNET_NATIVE=0 turns it off' });
});

test('an addon that cannot be loaded is a reason and a debug line, and no more', async (t) => {
  const options = { env: { ...process.env, TNET_NATIVE: '/dev/null', NODE_DEBUG: 'tnet' } };
  const { stdout, stderr } = await run(process.execPath, ['-e', printStatus], options);
  t.regex((JSON.parse(stdout) as { reason: string }).reason, /^\/dev\/null cannot be loaded: /);
  t.regex(stderr, /^TNET \d+: native engine: /m);
  const { stderr: quiet } = await run(process.execPath, ['-e', printStatus], {
    env: { ...process.env, TNET_NATIVE: '/dev/null', NODE_DEBUG: '' },
  });
  t.is(quiet, '');
});

nativeTest('the build succeeds without a compiler, with a debug line', async (t) => {
  const output = join(createFolder(t), 'tnet.node');
  const args = [join(root, 'scripts/build-native.mjs'), '--output', output];
  const { stdout, stderr } = await run(process.execPath, args, {
    env: { ...process.env, CC: '/nowhere/cc', NODE_DEBUG: 'tnet' },
  });
  t.is(stdout, '');
  t.regex(stderr, /native addon: not built, \/nowhere\/cc: /);
  t.false(existsSync(output));
});

nativeTest('a prebuilt addon is found first, and one that cannot be loaded is passed over', async (t) => {
  const folder = createFolder(t);
  const { file } = nativeStatus();
  const built = join(folder, 'native/build/tnet.node');
  const prebuilt = join(folder, `prebuilds/${process.platform}-${process.arch}/tnet.node`);
  for (const copy of [built, prebuilt]) {
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(file!, copy);
  }
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  copyFileSync(join(root, 'src/native/addon.ts'), join(folder, 'native-addon.ts'));
  const script = `import('${folder}/native-addon.ts').then((m) => console.log(m.nativeStatus().file))`;
  const env = { ...process.env, TNET_NATIVE: '' };
  const fileUsed = async () => (await run(process.execPath, ['-e', script], { env })).stdout.trim();
  t.is(await fileUsed(), prebuilt);
  writeFileSync(prebuilt, 'not an addon');
  t.is(await fileUsed(), built);
});

const settable: [NumberOption, number, (value: number) => boolean][] = [
  ['rcvbuf', 20_000, (value) => value >= 20_000],
  ['sndbuf', 20_000, (value) => value >= 20_000],
  ['ttl', 7, (value) => value === 7],
  ['linger', 3, (value) => value === 3],
  ['linger', -1, (value) => value === -1],
  ['nodelay', 1, (value) => value === 1],
];

for (const [name, value, holds] of settable) {
  nativeTest(`sets the socket option ${name} to ${value} and reads it back`, async (t) => {
    const [, socket] = await createSocketPair(t);
    addon.setOption(fdOf(socket), name, value);
    t.true(holds(addon.getOption(fdOf(socket), name)));
  });
}

nativeTest('sets options of IPv6 and listening sockets', async (t) => {
  const server = net.createServer().listen(0, '::1');
  t.teardown(() => server.close());
  await once(server, 'listening');
  addon.setOption(fdOf(server), 'ttl', 9);
  t.is(addon.getOption(fdOf(server), 'ttl'), 9);
  addon.setOption(fdOf(server), 'tos', 0xb8);
  t.is(addon.getOption(fdOf(server), 'tos'), 0xb8);
});

nativeTest('throws an errno for a bad descriptor, an unknown option, a wrong type of value', async (t) => {
  const [, socket] = await createSocketPair(t);
  const errnoOf = (call: () => void) => t.throws<NodeJS.ErrnoException>(call).errno;
  t.is(
    errnoOf(() => addon.getOption(1_000_000, 'ttl')),
    -9,
  );
  t.is(
    errnoOf(() => addon.setOption(fdOf(socket), 'colour' as NumberOption, 1)),
    -22,
  );
  t.throws(() => addon.setOption(fdOf(socket), 'ttl', 'seven' as unknown as number));
  t.throws(() => addon.getOption('x' as unknown as number, 'ttl'));
});

nativeTest('tells what the kernel knows of a TCP connection', async (t) => {
  const [client, socket] = await createSocketPair(t);
  client.write('hello');
  await until(() => addon.unsentBytes(fdOf(client)) === 0 && addon.unreadBytes(fdOf(socket)) === 5);
  t.is(addon.tcpState(fdOf(client)), 1);
  const fd = addon.duplicate(fdOf(client));
  t.teardown(() => closeSync(fd));
  socket.resetAndDestroy();
  await until(() => addon.tcpState(fd) === 7);
});

nativeTest('tells how much the peer of a full connection has not taken', async (t) => {
  const [client, socket] = await createSocketPair(t);
  client.write(Buffer.alloc(20_000_000));
  await until(() => addon.unsentBytes(fdOf(client)) > 100_000);
  t.true(addon.unreadBytes(fdOf(socket)) > 0);
});

nativeTest('duplicates a listening descriptor, whose backlog outlives the server', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const fd = addon.duplicate(fdOf(server));
  t.is(
    Number.parseInt(/^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!, 8) &
      0o2000000,
    0o2000000,
  );
  server.close();
  await once(server, 'close');
  const waiting = net.connect(port, '127.0.0.1');
  await once(waiting, 'connect');
  const heir = net.createServer((socket) => void socket.end('from the backlog'));
  heir.listen({ fd });
  const [greeting] = (await once(waiting, 'data')) as [Buffer];
  t.is(greeting.toString(), 'from the backlog');
  waiting.destroy();
  heir.close();
});

nativeTest('tells kinds of descriptors apart', async (t) => {
  const [, socket] = await createSocketPair(t);
  const { readFd, writeFd } = createPipe(t);
  t.is(addon.describe(fdOf(socket)), 0);
  t.is(addon.describe(readFd), 1);
  t.is(addon.describe(1_000_000), -9);
  closeSync(readFd);
  closeSync(writeFd);
});

nativeTest('ignores a flow number that is over or never was', (t) => {
  const state = new Float64Array([1, 2, 3, 4]);
  for (const id of [0, -1, Number.NaN, 2 ** 24, 2 ** 24 + 1e6, 2 ** 53, Infinity]) {
    addon.stop(id);
    addon.finish(id);
    addon.read(id, state);
  }
  t.deepEqual([...state], [1, 2, 3, 4]);
});

nativeTest('runs flows in a worker thread, and ends them with it', async (t) => {
  const script = `
    const { Worker } = require('node:worker_threads');
    const worker = new Worker(${JSON.stringify(`
      const { openSync } = require('node:fs');
      import('${root}/src/flow/splice-flow.ts').then(({ spliceFlow }) => {
        spliceFlow({ source: openSync('/dev/zero'), sink: openSync('/dev/null', 'w') });
        require('node:worker_threads').parentPort.postMessage('running');
      });
    `)}, { eval: true });
    worker.once('message', async () => console.log(await worker.terminate()));
  `;
  const { stdout } = await run(process.execPath, ['-e', script]);
  t.is(stdout.trim(), '1');
});

nativeTest('leaves no thread in the way of process.exit() while flows run', async (t) => {
  const script = `
    const { openSync } = require('node:fs');
    import('${root}/src/flow/splice-flow.ts').then(({ spliceFlow }) => {
      const flow = spliceFlow({ source: openSync('/dev/zero'), sink: openSync('/dev/null', 'w') });
      setInterval(() => flow.bytes > 0 && process.exit(7), 10);
    });
  `;
  const failure = (await t.throwsAsync(run(process.execPath, ['-e', script]))) as unknown as { code: number };
  t.is(failure.code, 7);
});
