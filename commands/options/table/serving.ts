import { anyEnd, sessions, streamEnds, type OptionTable } from '../row.ts';
import { count, time, file, list, text } from '../value-kinds.ts';

/** What a proxy serves, and with how many processes. */
export const serving = {
  pair: {
    flags: '-L, --pair <listen=target>',
    help: 'a pair to serve, LISTEN=TARGET[,TARGET…]; may be repeated',
    value: list((pair) => pair, '0=1'),
    in: { proxy: ['process'] },
    ends: anyEnd,
    modes: ['workers'],
    test: 'cli/proxy/proxy.test.ts',
  },
  config: {
    flags: '--config <file>',
    help: 'serve the pairs of a JSON file; SIGHUP reloads it',
    value: file,
    in: { proxy: ['process'] },
    ends: anyEnd,
    modes: ['workers'],
    excludes: { pair: 'the file names the pairs' },
    test: 'cli/proxy/proxy.test.ts',
  },
  drain: {
    flags: '--drain <time>',
    help: 'at SIGTERM, let connections go on for at most this long',
    value: time,
    default: { value: 10_000, text: '10s' },
    in: { proxy: ['process'] },
    ends: anyEnd,
    modes: ['workers'],
    test: 'cli/proxy/deploy.test.ts',
  },
} as const satisfies OptionTable;

/** With how many processes a server serves. */
export const processes = {
  workers: {
    flags: '--workers <n>',
    help: 'serve clients in this many processes',
    helpIn: { listen: 'with -k and -e or -c: serve clients in this many processes' },
    value: count(1),
    in: { proxy: ['process'], echo: ['server'], listen: ['server'] },
    // A proxy's UDP clients are served by the process that accepts.
    ends: { process: anyEnd, server: streamEnds },
    modes: ['many', 'program', 'receive', 'send'],
    turnsOn: 'workers',
    needs: [
      { anyOf: ['keepOpen'], called: 'with -k', in: 'listen' },
      { anyOf: ['exec', 'shExec'], called: 'with -e or -c', in: 'listen' },
    ],
    test: 'cli/proxy/workers.test.ts',
  },
} as const satisfies OptionTable;

/** How a server ends. */
export const draining = {
  drain: {
    flags: '--drain <time>',
    help: 'at SIGTERM, let connections go on for at most this long',
    value: time,
    in: { echo: ['server'], listen: ['server'] },
    ends: anyEnd,
    modes: ['workers', ...sessions],
    needs: [{ anyOf: ['keepOpen'], called: 'with -k', in: 'listen' }],
    test: 'cli/servers.test.ts',
  },
} as const satisfies OptionTable;

/** What a monitor asks a server. */
export const monitoring = {
  metrics: {
    flags: '--metrics <address>',
    help: 'serve /metrics for Prometheus and /healthz there',
    value: text((address) => address, '0', 'address'),
    in: { proxy: ['process'], echo: ['server'], listen: ['server'] },
    ends: anyEnd,
    modes: ['workers', 'answers', ...sessions],
    needs: [{ anyOf: ['keepOpen'], called: 'with -k', in: 'listen' }],
    test: 'cli/metrics.test.ts',
  },
} as const satisfies OptionTable;
