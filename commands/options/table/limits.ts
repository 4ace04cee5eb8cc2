import { TnetError } from '../../../src/errors.ts';
import { readCount } from '../../../src/quantities.ts';
import {
  anyEnd,
  anySession,
  checking,
  connectedEnds,
  sessions,
  streamEnds,
  type OptionTable,
} from '../row.ts';
import { text, toggle, time } from '../value-kinds.ts';

/** How long things may take. */
export const limits = {
  waitConnect: {
    flags: '-w, --wait-connect <time>',
    help: 'limit for DNS and connecting, all addresses together',
    value: time,
    default: { value: 30_000, text: '30s' },
    config: true,
    in: { connect: ['client'], echo: ['client'], proxy: ['target'] },
    ends: anyEnd,
    modes: [...anySession, 'workers', 'names', 'replay-clients'],
    lane: true,
    test: 'cli/ends.test.ts',
  },
  idle: {
    flags: '-i, --idle <time>',
    help: 'end when no byte has moved for this long',
    helpIn: { proxy: 'end a connection when no byte has moved for this long' },
    value: time,
    config: true,
    in: { connect: ['client'], listen: ['server'], echo: ['server', 'client'], proxy: ['server', 'target'] },
    ends: anyEnd,
    modes: [...sessions, 'workers', 'names', 'replay-clients', 'replay-target'],
    lane: true,
    test: 'cli/ends.test.ts',
  },
  halfClosed: {
    flags: '--half-closed <time>',
    help: 'end a half-closed connection when no byte has moved for this long',
    value: time,
    config: true,
    in: { proxy: ['server', 'target'] },
    ends: connectedEnds,
    modes: ['workers', 'names', 'replay-clients', 'replay-target'],
    test: 'cli/proxy/ends.test.ts',
  },
  timeout: {
    flags: '--timeout <time>',
    help: 'end the whole run after this long, with status 124',
    helpIn: {
      proxy: 'end a connection this long after it was made',
      echo: 'end a connection this long after it was made; with --ping, the run',
    },
    value: time,
    config: true,
    in: { connect: ['client'], listen: ['server'], echo: ['server', 'client'], proxy: ['server', 'target'] },
    ends: anyEnd,
    modes: [...anySession, 'workers', 'names', 'replay-clients', 'replay-target'],
    lane: true,
    test: 'cli/connect/wait.test.ts',
  },
  handshakeLimit: {
    flags: '--handshake-limit <time>',
    help: 'limit for what a client must send before it is served (10s)',
    value: time,
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers', 'names', 'replay-target'],
    needs: [{ anyOf: ['acceptProxy', 'tlsIn', 'socks', 'httpConnect', 'http', 'route'] }],
    lane: true,
    test: 'cli/proxy/tls.test.ts',
  },
} as const satisfies OptionTable;

/** How often connecting is tried. */
export const tries = {
  wait: {
    flags: '--wait <time>',
    help: 'try until the server accepts, at most this long',
    value: time,
    in: { connect: ['client'], echo: ['client'] },
    ends: connectedEnds,
    modes: anySession,
    test: 'cli/connect/wait.test.ts',
  },
  stable: {
    flags: '--stable <time>',
    help: 'a connection counts once it has stayed open this long',
    value: time,
    in: { connect: ['client'], echo: ['client'] },
    ends: connectedEnds,
    modes: anySession,
    test: 'cli/connect/wait.test.ts',
  },
  retry: {
    flags: '--retry <n>',
    help: 'try again n times when connecting fails, or forever',
    value: text(readRetries, '1'),
    in: { connect: ['client'], echo: ['client'] },
    ends: connectedEnds,
    modes: anySession,
    test: 'cli/connect/wait.test.ts',
  },
  retryDelay: {
    flags: '--retry-delay <time>',
    help: 'the first wait between tries; then twice as long each',
    value: time,
    in: { connect: ['client'], echo: ['client'] },
    ends: connectedEnds,
    modes: anySession,
    needs: [{ anyOf: ['retry', 'wait'] }],
    test: 'cli/connect/wait.test.ts',
  },
} as const satisfies OptionTable;

/** Checks of ports. */
export const checks = {
  check: {
    flags: '-z, --check',
    help: 'only see whether ports accept: HOST… 22,80,8000-8010; reads no stdin',
    value: toggle,
    in: { connect: ['client'] },
    ends: anyEnd,
    modes: [...checking, 'receive'],
    turnsOn: 'check',
    test: 'cli/connect/check.test.ts',
  },
  any: {
    flags: '--any',
    help: 'with -z: end at the first that accepts',
    value: toggle,
    in: { connect: ['client'] },
    ends: anyEnd,
    modes: [...checking, 'receive'],
    needs: [{ anyOf: checking, called: 'with -z' }],
    excludes: { all: '' },
    test: 'cli/connect/check.test.ts',
  },
  all: {
    flags: '--all',
    help: 'with -z: succeed only when all accept (the default: when any does)',
    value: toggle,
    in: { connect: ['client'] },
    ends: anyEnd,
    modes: [...checking, 'receive'],
    needs: [{ anyOf: checking, called: 'with -z' }],
    test: 'cli/connect/check.test.ts',
  },
} as const satisfies OptionTable;

/** Infinity for `forever`. */
function readRetries(word: string): number {
  if (word === 'forever') return Infinity;
  try {
    return readCount(word, 0);
  } catch {
    throw new TnetError('TNET_E_USAGE', 'expected a whole number or forever');
  }
}
