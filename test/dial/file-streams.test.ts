import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import test from 'ava';
import { FileInput, FileOutput } from '../../src/dial/file-streams.ts';
import { sameBytes } from '../helpers/bytes.ts';

const inFolder = async (name: string): Promise<string> =>
  join(await mkdtemp(join(tmpdir(), 'tnet-file-streams-')), name);

const patterned = (bytes: number): Buffer =>
  Buffer.alloc(bytes, Buffer.from(Array.from({ length: 251 }, (_, i) => i)));

/** By the file and not by the number alone, which the next file may get as soon as this one is closed. */
function isOpenOn(fd: number, path: string): boolean {
  try {
    const open = fstatSync(fd);
    const file = statSync(path);
    return open.dev === file.dev && open.ino === file.ino;
  } catch {
    return false;
  }
}

for (const bytes of [0, 1, 256 * 1024, 256 * 1024 + 1, 700_000]) {
  test(`a file of ${bytes} bytes is read whole, and stays open until the input is destroyed`, async (t) => {
    const path = await inFolder('input');
    const content = patterned(bytes);
    writeFileSync(path, content);
    const fd = openSync(path, 'r');
    const input = new FileInput(fd);
    sameBytes(t, await buffer(input), content);
    t.is(input.bytesRead, bytes);
    t.true(isOpenOn(fd, path));
    input.destroy();
    await once(input, 'close');
    t.false(isOpenOn(fd, path));
  });
}

test('an input begins where its descriptor stands', async (t) => {
  const path = await inFolder('input');
  writeFileSync(path, 'read before, then this');
  const fd = openSync(path, 'r');
  readSync(fd, Buffer.alloc('read before, '.length));
  const input = new FileInput(fd);
  t.is(String(await buffer(input)), 'then this');
  input.destroy();
});

test('the failure of a read is the error of an input', async (t) => {
  const input = new FileInput(openSync(tmpdir(), 'r'));
  const error = await t.throwsAsync(buffer(input));
  t.like(error, { code: 'EISDIR', syscall: 'read' });
});

test('an input that is destroyed while it reads closes its descriptor when the read is done', async (t) => {
  const path = await inFolder('input');
  writeFileSync(path, 'content');
  const fd = openSync(path, 'r');
  const input = new FileInput(fd);
  input.read(0);
  input.destroy();
  t.true(isOpenOn(fd, path));
  await once(input, 'close');
  t.false(isOpenOn(fd, path));
});

test('what is written at once in thousands of pieces comes in order, and the descriptor stays open', async (t) => {
  const path = await inFolder('output');
  const fd = openSync(path, 'w');
  const output = new FileOutput(fd);
  const content = patterned(100_003);
  for (let at = 0; at < content.length; at += 29) output.write(content.subarray(at, at + 29));
  output.write('');
  output.end('the end');
  await once(output, 'close');
  sameBytes(t, readFileSync(path), Buffer.concat([content, Buffer.from('the end')]));
  t.is(output.bytesWritten, content.length + 'the end'.length);
  t.notThrows(() => closeSync(fd));
});

test('the failure of a write is the error of an output', async (t) => {
  const output = new FileOutput(openSync('/dev/full', 'w'));
  output.write('too much');
  const [error] = (await once(output, 'error')) as [Error];
  t.like(error, { code: 'ENOSPC', syscall: 'write' });
});

test('a write of which a part is taken goes on with the rest, and one that is never taken fails', async (t) => {
  const path = await inFolder('fifo');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  const content = patterned(1 << 20);
  const output = new FileOutput(fd);
  output.write(content);
  const [error] = (await once(output, 'error')) as [Error];
  t.like(error, { code: 'EAGAIN' });
  const taken = Buffer.alloc(content.length);
  const count = readSync(reader, taken);
  t.is(count, output.bytesWritten);
  sameBytes(t, taken.subarray(0, count), content.subarray(0, count));
  for (const one of [reader, fd]) closeSync(one);
});
