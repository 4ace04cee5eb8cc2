import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { collect } from './helpers/bytes.ts';
import { startCli } from './helpers/cli.ts';
import { connectPeer, startPeerServer } from './helpers/peers.ts';
import { tempDir } from './helpers/temp.ts';

const root = join(import.meta.dirname, '..');
const needed = ['bin', 'commands', 'src', 'scripts', 'native', 'package.json', 'tsconfig.json'];

/** The steps of a section: a file, and the code that stands in it, as a whole or below a line. */
function readSteps(section: string): { file: string; below: string | undefined; code: string }[] {
  const text = readFileSync(join(root, 'docs/adding.md'), 'utf8');
  const [, part = ''] = new RegExp(`\n## ${section}\n([^]*?)\n## `).exec(text) ?? [];
  const steps = part.matchAll(/\n`([\w/.-]+)`, (?:a new file|below `([^`]+)`)[^\n]*:\n\n```ts\n([^]*?)```/g);
  return Array.from(steps, ([, file = '', below, code = '']) => ({ file, below, code }));
}

test('a fault that is added as docs/adding.md says does what it says', async (t) => {
  const copy = tempDir(t);
  for (const name of needed) cpSync(join(root, name), join(copy, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const steps = readSteps('A fault');
  t.is(steps.length, 11);
  for (const { file, below, code } of steps) {
    const path = join(copy, file);
    mkdirSync(dirname(path), { recursive: true });
    if (below === undefined) {
      writeFileSync(path, code);
      continue;
    }
    const lines = readFileSync(path, 'utf8').split('\n');
    const at = lines.findIndex((line) => line.trim() === below);
    t.true(at >= 0, `${file} has no line ${below}`);
    lines.splice(at + 1, 0, code.trimEnd());
    writeFileSync(path, lines.join('\n'));
  }
  await promisify(execFile)(process.execPath, ['scripts/build.mjs'], { cwd: copy });

  // The copy's program in the place of this one's.
  const inside = ['sh', '-c', `node=$1; shift 2; exec "$node" ${join(copy, 'bin/tnet.js')} "$@"`, 'sh'];
  const target = await startPeerServer(t, 'tcp');
  const proxy = startCli(t, ['proxy', '--shout', '--direction=up', '127.0.0.1:0', target.words.join(':')], {
    inside,
  });
  const client = await connectPeer(t, await proxy.address());
  client.end('loud');
  const served = await target.accept();
  t.is((await collect(served)).toString(), 'LOUD');
  served.end('quiet');
  t.is((await collect(client)).toString(), 'quiet');
  const refused = startCli(t, ['proxy', '--shout', 'udp://127.0.0.1:0', 'udp://127.0.0.1:9'], { inside });
  t.is((await refused.exit).code, 2, refused.stderr());
  t.regex(refused.stderr(), /--shout/);
});
