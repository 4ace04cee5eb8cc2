import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { tnetPath } from './helpers/cli.ts';
import { tempDir } from './helpers/temp.ts';

const folder = fileURLToPath(new URL('../examples/', import.meta.url));

/** What each script prints. */
const expected: Readonly<Record<string, string | RegExp>> = {
  'wait-for-service.sh': 'the server is there\n',
  'send-file.sh': 'the copy is the same\n',
  'chat.sh': 'hello, everybody\n',
  'record.sh': 'remember this\nrecorded\n',
  'tls-echo.sh': 'nobody else can read this\n',
  'socket-on-a-port.sh': 'through a port to a path\n',
  'check-addresses.sh': '10.1.2.3\nfd00::1\n',
  'echo-server.mjs': 'every byte comes back\n',
  'slow-network.mjs': /^[ℹ#] pass 1\n[^]*^[ℹ#] fail 0\n/m,
  'cut-network.mjs': /^[ℹ#] pass 2\n[^]*^[ℹ#] fail 0\n/m,
};

/** A place that has `tnet` as an installed one is: in the PATH, and as a package. */
function install(t: ExecutionContext): { dir: string; path: string } {
  const dir = tempDir(t);
  mkdirSync(join(dir, 'bin'));
  mkdirSync(join(dir, 'node_modules'));
  const program = `#!/bin/sh\nexec '${process.execPath}' '${tnetPath}' "$@"\n`;
  writeFileSync(join(dir, 'bin/tnet'), program, { mode: 0o755 });
  symlinkSync(fileURLToPath(new URL('..', import.meta.url)), join(dir, 'node_modules/tnet'));
  return { dir, path: `${join(dir, 'bin')}${delimiter}${process.env.PATH ?? ''}` };
}

for (const [name, output] of Object.entries(expected)) {
  test(`examples/${name} runs, and prints what it says`, async (t) => {
    const { dir, path } = install(t);
    // A module finds its packages from where it stands.
    writeFileSync(join(dir, name), readFileSync(folder + name));
    const program = name.endsWith('.mjs') ? process.execPath : 'sh';
    const { stdout } = await promisify(execFile)(program, [join(dir, name)], {
      cwd: dir,
      env: { ...process.env, PATH: path },
      timeout: 50_000,
    });
    if (typeof output === 'string') t.is(stdout, output);
    else t.regex(stdout, output);
  });
}

test('every example is run by a test, and named in the README of its folder', (t) => {
  const scripts = readdirSync(folder).filter((name) => name !== 'README.md');
  t.deepEqual(scripts.sort(), Object.keys(expected).sort());
  const readme = readFileSync(`${folder}README.md`, 'utf8');
  for (const name of scripts) t.true(readme.includes(`[${name}](${name})`), name);
});
