import { once } from 'node:events';
import fs from 'node:fs';
import nodeNet from 'node:net';
import { join } from 'node:path';
import { execFileSync, spawn } from 'node:child_process';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { Server } from '../../src/net/index.ts';
import { isUnixPathTooLong, probeUnixPath } from '../../src/net/unix-path.ts';
import { closeAfter, listen, tempDir } from '../helpers/net/sockets.ts';

/** Leaves a socket file behind that nobody serves, as a killed process does. */
async function leaveStale(path: string): Promise<void> {
  const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', code]), 'exit');
}

function greet(server: Server): void {
  server.on('connection', (socket) => socket.end('hello'));
}

async function ask(path: string): Promise<string> {
  const client = nodeNet.connect(path);
  const [data] = (await once(client, 'data')) as [Buffer];
  // A server that is ended now may break it off.
  client.on('error', () => undefined);
  return data.toString();
}

test('a Unix server serves its path and deletes it when it closes', async (t) => {
  const server = await listen(t, new Server(), 'unix');
  greet(server);
  const path = server.address() as unknown as string;
  t.true(fs.lstatSync(path).isSocket());
  t.deepEqual(fs.readdirSync(join(path, '..')), ['socket'], 'and leaves no other name in the directory');
  t.is(await ask(path), 'hello');
  server.close();
  t.false(fs.existsSync(path));
});

test('a path that another server has taken over is not deleted on close', async (t) => {
  const path = join(tempDir(t), 'socket');
  const first = new Server().listen(path);
  await once(first, 'listening');
  fs.unlinkSync(path);
  const second = new Server().listen(path);
  closeAfter(t, second);
  greet(second);
  await once(second, 'listening');
  first.close();
  await once(first, 'close');
  t.is(await ask(path), 'hello');
});

test('a taken path is an EADDRINUSE error like node:net’s', async (t) => {
  const path = join(tempDir(t), 'socket');
  const first = new Server().listen(path);
  closeAfter(t, first);
  await once(first, 'listening');
  const [mine] = (await once(new Server().listen(path), 'error')) as [Error];
  const [nodes] = (await once(nodeNet.createServer().listen(path), 'error')) as [Error];
  t.is(mine.message, nodes.message);
  t.deepEqual(Object.entries(mine), Object.entries(nodes));
});

test('a stale path is an EADDRINUSE error unless replacing it was asked for', async (t) => {
  const path = join(tempDir(t), 'socket');
  await leaveStale(path);
  t.is((await probeUnixPath(path)).state, 'stale');
  const [error] = (await once(new Server().listen(path), 'error')) as [NodeJS.ErrnoException];
  t.is(error.code, 'EADDRINUSE');
  const server = new Server();
  closeAfter(t, server);
  greet(server);
  server.listen({ path, replaceStale: true });
  await once(server, 'listening');
  t.is(await ask(path), 'hello');
});

test('replaceStale refuses a live server and leaves it alone', async (t) => {
  const live = await listen(t, new Server(), 'unix');
  greet(live);
  const path = live.address() as unknown as string;
  const [error] = (await once(new Server().listen({ path, replaceStale: true }), 'error')) as [
    NodeJS.ErrnoException,
  ];
  t.is(error.code, 'EADDRINUSE');
  t.is(await ask(path), 'hello');
});

for (const kind of ['file', 'directory', 'symbolic link', 'dangling link'] as const) {
  test(`replaceStale never touches a ${kind}`, async (t) => {
    const dir = tempDir(t);
    const path = join(dir, 'taken');
    if (kind === 'file') fs.writeFileSync(path, 'precious');
    if (kind === 'directory') fs.mkdirSync(path);
    if (kind === 'symbolic link') {
      fs.writeFileSync(join(dir, 'target'), 'precious');
      fs.symlinkSync(join(dir, 'target'), path);
    }
    if (kind === 'dangling link') fs.symlinkSync(join(dir, 'nowhere'), path);
    const before = fs.lstatSync(path).ino;
    const [error] = (await once(new Server().listen({ path, replaceStale: true }), 'error')) as [
      NodeJS.ErrnoException,
    ];
    t.is(error.code, 'EADDRINUSE');
    t.is(fs.lstatSync(path).ino, before);
    t.is((await probeUnixPath(path)).state, 'file');
  });
}

test('replaceStale listens where nothing is', async (t) => {
  const path = join(tempDir(t), 'socket');
  const server = new Server().listen({ path, replaceStale: true });
  closeAfter(t, server);
  await once(server, 'listening');
  t.true(fs.lstatSync(path).isSocket());
});

test('closing during the probe of a stale path listens nowhere', async (t) => {
  const path = join(tempDir(t), 'socket');
  await leaveStale(path);
  const before = fs.lstatSync(path).ino;
  const server = new Server().listen({ path, replaceStale: true });
  server.on('listening', () => t.fail());
  server.close();
  await once(server, 'close');
  await probeUnixPath(path);
  await new Promise((resolve) => setTimeout(resolve, 20));
  t.false(server.listening);
  t.true(!fs.existsSync(path) || fs.lstatSync(path).ino === before);
});

test('mode sets the permissions of the socket file, and readableAll and writableAll add to them', async (t) => {
  const dir = tempDir(t);
  const bits = async (options: object, name: string) => {
    const path = join(dir, name);
    const server = new Server().listen({ path, ...options });
    closeAfter(t, server);
    await once(server, 'listening');
    return fs.lstatSync(path).mode & 0o777;
  };
  t.is(await bits({ mode: 0o600 }, 'a'), 0o600);
  t.is(await bits({ mode: 0o660, replaceStale: true }, 'b'), 0o660);
  t.is(await bits({ mode: 0o600, readableAll: true, writableAll: true }, 'c'), 0o666);
  await leaveStale(join(dir, 'd'));
  t.is(await bits({ mode: 0o600, writableAll: true, replaceStale: true }, 'd'), 0o622);
});

test('readableAll and writableAll give a socket file the mode that node:net gives it, under any umask', (t) => {
  const entry = new URL('../../src/net/index.ts', import.meta.url).href;
  const path = join(tempDir(t), 'socket');
  // In a process of its own: the umask is the process's.
  const code = `import fs from 'node:fs';
    import { once } from 'node:events';
    import plain from 'node:net';
    import tnet from ${JSON.stringify(entry)};
    const path = ${JSON.stringify(path)};
    const kinds = [{}, { readableAll: true }, { writableAll: true }, { readableAll: true, writableAll: true }];
    for (const umask of [0o000, 0o022, 0o077, 0o277]) for (const kind of kinds) {
      process.umask(umask);
      const modes = [];
      for (const net of [plain, tnet]) {
        const server = net.createServer().listen({ path, ...kind });
        await once(server, 'listening');
        modes.push((fs.statSync(path).mode & 0o7777).toString(8));
        server.close();
        await once(server, 'close');
      }
      console.log(umask.toString(8), JSON.stringify(kind), ...modes);
    }`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  const lines = output.trim().split('\n');
  t.is(lines.length, 16);
  for (const line of lines) {
    const [nodes, mine] = line.split(' ').slice(-2);
    t.is(mine, nodes, line);
  }
});

test('a path in a missing directory is node:net’s ENOENT or EACCES error', async (t) => {
  const path = join(tempDir(t), 'missing', 'socket');
  const [mine] = (await once(new Server().listen(path), 'error')) as [Error];
  const [nodes] = (await once(nodeNet.createServer().listen(path), 'error')) as [Error];
  t.is(mine.message, nodes.message);
  t.deepEqual(Object.entries(mine), Object.entries(nodes));
});

test('a path over the system’s limit is an EINVAL error and nothing is bound', async (t) => {
  const dir = tempDir(t);
  const path = join(dir, 'x'.repeat(108 - dir.length - 1));
  t.is(Buffer.byteLength(path), 108);
  t.true(isUnixPathTooLong(path));
  t.false(isUnixPathTooLong(path.slice(0, -1)));
  const [error] = (await once(new Server().listen(path), 'error')) as [NodeJS.ErrnoException];
  t.is(error.code, 'EINVAL');
  t.deepEqual(fs.readdirSync(dir), []);
  const longest = path.slice(0, -1);
  const server = new Server().listen(longest);
  closeAfter(t, server);
  greet(server);
  await once(server, 'listening');
  t.is(await ask(longest), 'hello');
});

/** A worker thread that listens on the path and does what it is told. */
async function startWorker(path: string, options: object = {}): Promise<Worker> {
  const entry = new URL('../../src/net/index.ts', import.meta.url).href;
  const code = `import { parentPort } from 'node:worker_threads';
    import { createServer } from ${JSON.stringify(entry)};
    // Who looks whether somebody listens leaves without reading.
    const server = createServer((socket) => socket.on('error', () => undefined).end('hello'));
    server.listen(${JSON.stringify({ path, ...options })}, () => parentPort.postMessage('listening'));
    server.on('error', (error) => parentPort.postMessage(error.code));
    parentPort.on('message', (end) => {
      if (end === 'exit') process.exit();
      server.close(() => parentPort.postMessage('closed'));
    });`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`));
  const [message] = (await once(worker, 'message')) as [string];
  if (message !== 'listening') {
    await worker.terminate();
    throw new Error(message);
  }
  return worker;
}

for (const end of ['terminate', 'exit', 'close'] as const) {
  test(`the socket file of a worker thread is deleted at its ${end}`, async (t) => {
    const path = join(tempDir(t), 'socket');
    const worker = await startWorker(path, { mode: 0o600 });
    t.is(fs.statSync(path).mode & 0o777, 0o600);
    t.is(await ask(path), 'hello');
    const over = once(worker, end === 'close' ? 'message' : 'exit');
    if (end === 'terminate') await worker.terminate();
    else worker.postMessage(end);
    await over;
    t.deepEqual(fs.readdirSync(join(path, '..')), []);
    await worker.terminate();
  });
}

test('a worker thread replaces a stale path, and leaves one that another server has taken over', async (t) => {
  const path = join(tempDir(t), 'socket');
  await leaveStale(path);
  await t.throwsAsync(startWorker(path), { message: 'EADDRINUSE' });
  const worker = await startWorker(path, { replaceStale: true });
  t.teardown(() => worker.terminate());
  t.is(await ask(path), 'hello');
  await t.throwsAsync(startWorker(path, { replaceStale: true }), { message: 'EADDRINUSE' });
  fs.unlinkSync(path);
  const second = new Server((socket) => socket.end('second')).listen(path);
  closeAfter(t, second);
  await once(second, 'listening');
  worker.postMessage('close');
  await once(worker, 'message');
  t.is(await ask(path), 'second');
  t.deepEqual(fs.readdirSync(join(path, '..')), ['socket']);
});

test('the socket file is deleted when the process exits without closing the server', async (t) => {
  const path = join(tempDir(t), 'socket');
  const entry = new URL('../../src/net/index.ts', import.meta.url).href;
  const code = `import { Server } from ${JSON.stringify(entry)};
    new Server().listen(${JSON.stringify(path)}, () => process.exit());`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
  const [status] = (await once(child, 'exit')) as [number];
  t.is(status, 0);
  t.false(fs.existsSync(path));
});

if (process.platform === 'linux') {
  test('an abstract name is served without a file', async (t) => {
    const name = `\0tnet-test-${process.pid}`;
    const server = new Server().listen(name);
    closeAfter(t, server);
    greet(server);
    await once(server, 'listening');
    t.is(await ask(name), 'hello');
  });
}
