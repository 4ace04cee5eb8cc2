import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { finish, program, start } from '../../helpers/isip.ts';

interface Loaded {
  /** Node's own modules, as process.moduleLoadList names them. */
  readonly builtins: readonly string[];
  readonly files: readonly string[];
}

/** What is loaded when `node ARGS` ends. */
async function loadedBy(t: ExecutionContext, args: readonly string[]): Promise<Loaded> {
  const folder = mkdtempSync(join(tmpdir(), 'tnet-isip-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const list = join(folder, 'loaded.json');
  const spy = join(folder, 'spy.cjs');
  // The program's parts are no modules of Node's: what is read of them is seen at the file system.
  writeFileSync(
    spy,
    `const fs = require('fs');
    const { readFileSync } = fs;
    const read = [];
    fs.readFileSync = (file, ...rest) => {
      if (/\\.c?js$/.test(file)) read.push(file);
      return readFileSync(file, ...rest);
    };
    process.once('exit', () => {
      const report = { builtins: process.moduleLoadList, files: [...new Set([...Object.keys(require.cache), ...read])] };
      fs.writeFileSync(${JSON.stringify(list)}, JSON.stringify(report));
    });`,
  );
  const { status, stderr } = await finish(start(t, [process.execPath, '--require', spy, ...args], 'pipe'));
  t.is(stderr, '');
  t.is(status, 0);
  const { builtins, files } = JSON.parse(readFileSync(list, 'utf8')) as Loaded;
  return { builtins, files: files.filter((file) => file !== spy) };
}

test('tnet isip 127.0.0.1 loads two files, and no module of sockets, processes, terminals or streams', async (t) => {
  const { builtins, files } = await loadedBy(t, [program, 'isip', '127.0.0.1']);
  t.deepEqual(
    files.map((file) => basename(file)),
    ['tnet.js', 'cli.cjs'],
  );
  const heavy = builtins.filter((name) =>
    /^(?:NativeModule|Internal Binding) (?:internal\/)?(?:net|tls|dgram|child_process|tty|tty_wrap|stream_base_commons|tcp_wrap|pipe_wrap|http|dns|crypto|worker|stream)$/.test(
      name,
    ),
  );
  const bare = await loadedBy(t, ['-e', '0']);
  t.deepEqual(
    heavy.filter((name) => !bare.builtins.includes(name)),
    [],
  );
});

test('tnet isip 127.0.0.1 loads at most a handful of modules more than node -e 0', async (t) => {
  const { builtins } = await loadedBy(t, [program, 'isip', '127.0.0.1']);
  const bare = await loadedBy(t, ['-e', '0']);
  const more = builtins.filter((name) => !bare.builtins.includes(name));
  t.true(more.length <= 10, more.join(', '));
});
