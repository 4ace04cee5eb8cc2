// A short proof that an installed tnet works: its version, isip, and an echo that gives every byte back.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';

/**
 * @param tnet the path of the command.
 * @param env the environment it gets, and nothing else.
 * @param engine what `--version --verbose` has to say of the flow engine.
 */
export async function smoke(tnet, env, engine = /./) {
  const run = (args, input = '') => execFileSync(tnet, args, { env, input, encoding: 'utf8' });
  assert.match(run(['--version', '--verbose']), new RegExp(`^flow engine: ${engine.source}`, 'm'));
  assert.equal(run(['isip', '::1', '192.0.2.1']), '6\n4\n');
  assert.match(run(['isip', '--json', '192.0.2.1']), /TEST-NET-1/);
  assert.match(run(['connect', '--help']), /--wait-connect/);
  assert.match(run(['completion', 'bash']), /complete -F/);

  const server = spawn(tnet, ['echo', '127.0.0.1:0'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    let said = '';
    server.stderr.setEncoding('utf8').on('data', (text) => (said += text));
    while (!/:\d+\n/.test(said)) await once(server.stderr, 'data');
    const port = /:(\d+)\n/.exec(said)[1];
    const text = 'every byte comes back\n'.repeat(10_000);
    assert.equal(run(['connect', '127.0.0.1', port], text), text);
    assert.match(run(['connect', '-z', '127.0.0.1', port]), /^$/);
  } finally {
    server.kill();
    await once(server, 'close');
  }
}
