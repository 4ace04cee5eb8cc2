import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, createReadStream, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { spliceFlow, spliceFlowPair } from '../../src/flow/splice-flow.ts';
import {
  collect,
  createBytes,
  createFolder,
  createPipe,
  createSocketPair,
  listDescriptors,
  must,
  nativeTest,
  readFlags,
  until,
} from '../native/ends.ts';

const carrier = fileURLToPath(new URL('../native/carrier.ts', import.meta.url));

/** The engine's own: its epoll, its eventfd and the pipes it keeps. */
function withoutEngine(lines: readonly string[]): string[] {
  return lines.filter((line) => !/ (anon_inode:|pipe:|\/tmp\/\S+ \(deleted\))/.test(line));
}

nativeTest('leaves no descriptor behind, however a flow ends', async (t) => {
  const before = withoutEngine(listDescriptors()).length;
  const pairs = [];
  for (let i = 0; i < 30; i++) {
    const [[client, source], [peer, sink]] = [await createSocketPair(t), await createSocketPair(t)];
    const flow = must(spliceFlow({ source, sink }));
    client.write(createBytes(1 + i * 100_000));
    if (i % 3 === 0) client.end();
    if (i % 3 === 1) client.resetAndDestroy();
    if (i % 3 === 2) flow.stop('aborted');
    peer.resume();
    await flow.ended;
    pairs.push(client, source, peer, sink);
  }
  for (const socket of pairs) socket.destroy();
  await until(() => withoutEngine(listDescriptors()).length <= before);
  t.is(withoutEngine(listDescriptors()).length, before);
});

nativeTest('several flows write to one socket, each what comes from its own source', async (t) => {
  const [reader, sink] = await createSocketPair(t);
  const sources = await Promise.all(Array.from({ length: 3 }, () => createSocketPair(t)));
  const flows = sources.map(([, source]) => must(spliceFlow({ source, sink, onEnd: 'keep-open' })));
  let received = '';
  reader.on('data', (chunk: Buffer) => (received += chunk.toString()));
  for (const [index, [client]] of sources.entries()) {
    client.write(String(index));
    await until(() => received.length === index + 1);
  }
  for (const [client] of sources) client.end();
  for (const flow of flows) t.is((await flow.ended).reason, 'eof');
  t.is(received, '012');
  sink.end();
  await once(reader, 'end');
});

nativeTest('a relay has no descriptors beside those of its sockets, which it leaves open', async (t) => {
  const [client, front] = await createSocketPair(t);
  const [back, target] = await createSocketPair(t);
  const count = () => listDescriptors().filter((line) => line.includes('socket:')).length;
  const before = count();
  const up = must(spliceFlow({ source: front, sink: back }));
  const down = must(spliceFlow({ source: back, sink: front }));
  client.write('x');
  await until(() => up.bytes === 1);
  t.is(count(), before);
  client.end();
  await up.ended;
  t.is(count(), before);
  target.resume().end();
  await down.ended;
  t.is(count() <= before, true);
});

for (const way of ['destroy', 'resetAndDestroy'] as const) {
  nativeTest(
    `a socket of a running flow is closed by ${way}() once the engine has let go of it`,
    async (t) => {
      const [client, front] = await createSocketPair(t);
      const [back, target] = await createSocketPair(t);
      const [up, down] = must(spliceFlowPair({ source: front, sink: back }, { source: back, sink: front }));
      client.on('error', () => undefined).write('x');
      target.resume();
      await until(() => up.bytes === 1);
      const ended: string[] = [];
      void Promise.all([up.ended, down.ended]).then(() => ended.push('flows'));
      front.once('close', () => ended.push('socket'));
      front[way]();
      await once(front, 'close');
      t.deepEqual(ended, ['flows', 'socket']);
      t.deepEqual([(await up.ended).side, (await down.ended).side], ['source', 'sink']);
    },
  );
}

nativeTest('leaves the flags of pipes that others share as they are', async (t) => {
  const input = createPipe(t);
  const output = createPipe(t);
  const before = [input.readFd, input.writeFd, output.readFd, output.writeFd].map(readFlags);
  const flow = must(spliceFlow({ source: input.readFd, sink: output.writeFd }));
  const writer = spawn('head', ['-c', '5000000', '/dev/zero'], {
    stdio: ['ignore', input.writeFd, 'ignore'],
  });
  const reader = spawn('wc', ['-c'], { stdio: [output.readFd, 'pipe', 'ignore'] });
  const text = collect(reader.stdout!);
  const during = [input.readFd, output.writeFd].map(readFlags);
  closeSync(input.writeFd);
  await once(writer, 'exit');
  const ending = await flow.ended;
  t.is(ending.bytes, 5_000_000);
  t.deepEqual(during, [before[0], before[3]]);
  t.is(readFlags(output.writeFd), before[3]!);
  t.true(Number.parseInt(before[3]!, 8) % (constants.O_NONBLOCK * 2) < constants.O_NONBLOCK);
  for (const fd of [input.readFd, output.writeFd, output.readFd]) closeSync(fd);
  t.is((await text).toString().trim(), '5000000');
});

nativeTest('carries a shell pipeline from its stdin to its stdout', async (t) => {
  const bytes = createBytes(3_000_000);
  const child = spawn('sh', ['-c', `cat | "${process.execPath}" "${carrier}" 0 1 | cat`]);
  const output = collect(child.stdout);
  child.stdin.end(bytes);
  t.true(bytes.equals(await output));
});

nativeTest('ends when the last reader of its stdout goes', async (t) => {
  const child = spawn('sh', ['-c', `yes | "${process.execPath}" "${carrier}" 0 1 | head -c 100000 | wc -c`]);
  t.is((await collect(child.stdout)).toString().trim(), '100000');
});

nativeTest('appends a file to a file that is opened for appending', async (t) => {
  const folder = createFolder(t);
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  const bytes = createBytes(2_000_000);
  writeFileSync(from, bytes);
  writeFileSync(to, 'before');
  const [source, sink] = [openSync(from, 'r'), openSync(to, 'a')];
  const flow = must(spliceFlow({ source, sink }));
  t.is((await flow.ended).bytes, bytes.length);
  closeSync(source);
  closeSync(sink);
  t.true(Buffer.concat([Buffer.from('before'), bytes]).equals(readFileSync(to)));
});

nativeTest(
  'appends the bulk of a socket to a file that is opened for appending, which splice refuses',
  async (t) => {
    const to = join(createFolder(t), 'to');
    writeFileSync(to, 'before');
    const [client, source] = await createSocketPair(t);
    const sink = openSync(to, 'a');
    const bytes = createBytes(3_000_000);
    const flow = must(spliceFlow({ source, sink }));
    client.end(bytes);
    t.is((await flow.ended).bytes, bytes.length);
    closeSync(sink);
    t.true(Buffer.concat([Buffer.from('before'), bytes]).equals(readFileSync(to)));
  },
);

nativeTest('takes a file stream that nothing has read from, as process.stdin is', async (t) => {
  const from = join(createFolder(t), 'from');
  const bytes = createBytes(1_000_000);
  writeFileSync(from, bytes);
  const source = createReadStream('', { fd: openSync(from, 'r') });
  const [peer, sink] = await createSocketPair(t);
  const received = collect(peer);
  const closed = once(source, 'close');
  t.is((await must(spliceFlow({ source, sink })).ended).bytes, bytes.length);
  t.true(bytes.equals(await received));
  await closed;
});

nativeTest('lets other flows run while /dev/zero goes to /dev/null', async (t) => {
  const [zero, nowhere] = [openSync('/dev/zero', 'r'), openSync('/dev/null', 'w')];
  const endless = must(spliceFlow({ source: zero, sink: nowhere }));
  await until(() => endless.bytes > 1_000_000);
  const [client, socket] = await createSocketPair(t);
  const echo = must(spliceFlow({ source: socket, sink: socket }));
  const echoed = collect(client);
  const bytes = createBytes(500_000);
  client.end(bytes);
  t.true(bytes.equals(await echoed));
  await echo.ended;
  endless.stop('aborted');
  const ending = await endless.ended;
  t.is(ending.unsentBytes, 0);
  closeSync(zero);
  closeSync(nowhere);
});

nativeTest('ends at once on an empty device', async (t) => {
  const source = openSync('/dev/null', 'r');
  const [peer, sink] = await createSocketPair(t);
  t.deepEqual(await must(spliceFlow({ source, sink })).ended, { reason: 'eof', bytes: 0, unsentBytes: 0 });
  t.is((await collect(peer)).length, 0);
  closeSync(source);
});

nativeTest('says what a full disk says', async (t) => {
  const sink = openSync('/dev/full', 'w');
  const [client, source] = await createSocketPair(t);
  const flow = must(spliceFlow({ source, sink }));
  client.write('does not fit');
  const ending = await flow.ended;
  t.is((ending.error as NodeJS.ErrnoException).code, 'ENOSPC');
  t.is(ending.side, 'sink');
  t.is(ending.unsentBytes, 12);
  closeSync(sink);
});

nativeTest('keeps the process alive while a flow runs, and lets it exit after', async (t) => {
  const child = spawn(process.execPath, [carrier, '0', '1'], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write('one ');
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  t.is(first.toString(), 'one ');
  child.stdin.end('two');
  t.is((await collect(child.stdout)).toString(), 'two');
});
