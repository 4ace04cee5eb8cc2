import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import test from 'ava';

const program = fileURLToPath(new URL('../fuzz/servers.ts', import.meta.url));

/** Of test/fuzz/servers.ts, which has many more connections for each. */
const groups: Readonly<Record<string, readonly string[]>> = {
  echo: ['echo', 'echo-tls', 'echo-accept-proxy', 'echo-udp'],
  services: ['echo-discard', 'echo-chargen', 'echo-daytime', 'echo-time', 'echo-qotd'],
  listen: ['listen', 'listen-unix', 'listen-label', 'listen-accept-proxy', 'listen-udp'],
  'listen with TLS': ['listen-tls', 'listen-both'],
  rooms: ['listen-broker', 'listen-chat', 'listen-broadcast'],
  proxy: ['proxy', 'proxy-streams', 'proxy-tap', 'proxy-rate', 'proxy-workers'],
  'proxy with a greeting': ['proxy-tls-in', 'proxy-accept-proxy', 'proxy-route', 'proxy-all'],
  'proxy on the side': ['proxy-metrics', 'proxy-udp', 'proxy-udp-to-stream'],
};

for (const [what, names] of Object.entries(groups)) {
  test.serial(`no bytes of a peer end a server or stay with it: ${what}`, async (t) => {
    t.timeout(180_000);
    const args = ['--connections', '200', '--seed', String(Date.now() % 2 ** 31), ...names];
    const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    t.teardown(() => child.kill('SIGTERM'));
    let text = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    }
    const [status] = (await once(child, 'close')) as [number];
    t.is(status, 0, text);
  });
}
