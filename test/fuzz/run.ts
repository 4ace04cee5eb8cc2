import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

const program = fileURLToPath(new URL('servers.ts', import.meta.url));

/** Runs the fuzz of these servers, as a program of its own: it goes into a network namespace. Fails with what it says. */
export async function checkServers(t: ExecutionContext, connections: number, names: readonly string[]) {
  const args = ['--connections', String(connections), '--seed', String(Date.now() % 2 ** 31), ...names];
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => child.kill('SIGTERM'));
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      t.log(chunk.trimEnd());
    });
  }
  const [status] = (await once(child, 'close')) as [number];
  t.is(status, 0, text);
}

/** All servers of servers.ts, by what they have in common. */
export const serverGroups: Readonly<Record<string, readonly string[]>> = {
  echo: ['echo', 'echo-tls', 'echo-accept-proxy', 'echo-udp'],
  services: ['echo-discard', 'echo-chargen', 'echo-daytime', 'echo-time', 'echo-qotd'],
  listen: ['listen', 'listen-unix', 'listen-label', 'listen-accept-proxy', 'listen-exec', 'listen-udp'],
  'listen with TLS': ['listen-tls', 'listen-both'],
  rooms: ['listen-broker', 'listen-chat', 'listen-broadcast'],
  proxy: ['proxy', 'proxy-streams', 'proxy-tap', 'proxy-rate', 'proxy-workers'],
  'proxy with a greeting': [
    'proxy-socks',
    'proxy-http',
    'proxy-http-connect',
    'proxy-either',
    'proxy-tls-in',
    'proxy-accept-proxy',
    'proxy-route',
    'proxy-all',
  ],
  'proxy on the side': ['proxy-metrics', 'proxy-udp', 'proxy-udp-to-stream'],
};
