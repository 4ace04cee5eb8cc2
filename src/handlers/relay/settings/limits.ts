import { readRate } from '../../../quantities.ts';
import { count, text, time, toggle, type SettingTable, type ValuesOf } from './setting.ts';

/** How much of a proxy each client, connection or everybody together may use. */
export const limitSettings = {
  maxConnections: count('-m, --max-connections <n>', 'serve at most n connections at once; the rest wait', 1),
  reject: toggle('--reject', 'reset the connections beyond -m instead of letting them wait'),
  rate: {
    ...text(
      '--rate <rate>',
      'new connections a client address may make: 10/s, 100/m; more are reset',
      readRate,
    ),
    schema: { type: ['string', 'integer'], pattern: '^\\d+(/(\\d+(\\.\\d+)?)?(ms|s|m|h))?$', minimum: 1 },
  },
  idle: time('-i, --idle <time>', 'end a connection when no byte has moved for this long'),
  halfClosed: time(
    '--half-closed <time>',
    'end a connection of which one side has ended when no byte has moved for this long',
  ),
  timeout: time('--timeout <time>', 'end a connection this long after it was made'),
  handshakeLimit: time(
    '--handshake-limit <time>',
    'limit for what a client must send before it is served (10s)',
  ),
  waitConnect: time(
    '-w, --wait-connect <time>',
    'limit for DNS and connecting, all addresses together (30s)',
  ),
} as const satisfies SettingTable;

export type LimitValues = ValuesOf<typeof limitSettings>;

export const defaultHandshakeMs = 10_000;
export const defaultConnectMs = 30_000;
