import { TnetError } from '../../../src/errors.ts';
import { parseStatuses } from '../../../src/protocol/http-status.ts';
import { readTimeMs } from '../../../src/quantities.ts';
import {
  anyEnd,
  checking,
  streamEnds,
  tcpEnds,
  type End,
  type Mode,
  type Need,
  type OptionTable,
} from '../row.ts';
import { count, text, toggle } from '../value-kinds.ts';

/** In which modes something else than a connection may be looked for: no session follows any of them. */
const looking: readonly Mode[] = [...checking, 'receive'];
/** What listens somewhere. */
const listened: readonly End[] = ['stream', 'ip', 'unix'];
const limited: readonly Need[] = [
  { anyOf: ['wait', 'retry', 'check'], called: 'with --wait TIME, --retry or -z: they say how long to try' },
];

/** What has to be true of the addresses, where it is not that they accept. */
export const conditions = {
  waitHttp: {
    flags: '--wait-http <status>',
    help: 'URLs among the addresses answer with this status: 200, 2xx, 200,3xx',
    value: text(parseStatuses, '200'),
    in: { connect: ['client'] },
    ends: listened,
    modes: looking,
    turnsOn: 'condition',
    needs: limited,
    excludes: { waitClosed: '', waitName: '', stable: 'a request has a connection of its own' },
    test: 'cli/connect/conditions.test.ts',
  },
  waitClosed: {
    flags: '--wait-closed',
    help: 'the addresses refuse, or are no longer there',
    value: toggle,
    in: { connect: ['client'] },
    ends: listened,
    modes: looking,
    turnsOn: 'condition',
    needs: limited,
    excludes: {
      waitName: '',
      stable: 'there is no connection',
      tls: 'there is no connection',
      via: 'a proxy does not tell why it cannot connect',
      sendProxy: 'there is no connection',
    },
    test: 'cli/connect/conditions.test.ts',
  },
  waitName: {
    flags: '--wait-name',
    help: 'the addresses are host names, and can be looked up; nothing is connected to',
    value: toggle,
    in: { connect: ['client'] },
    ends: tcpEnds,
    modes: looking,
    turnsOn: 'condition',
    needs: limited,
    excludes: {
      unix: '',
      stable: 'there is no connection',
      tls: 'there is no connection',
      via: 'a proxy does its own lookups',
      sendProxy: 'there is no connection',
    },
    test: 'cli/connect/conditions.test.ts',
  },
} as const satisfies OptionTable;

/** What a check shows of each address. */
export const showing = {
  banner: {
    flags: '--banner [time]',
    help: 'with -z: print the first line that each server says, waiting this long for it (1s)',
    value: text(readTimeMs, '1s'),
    alone: '1s',
    in: { connect: ['client'] },
    ends: streamEnds,
    modes: ['check', 'receive'],
    needs: [{ anyOf: ['check'] }],
    excludes: { waitHttp: '', waitClosed: '', waitName: '' },
    test: 'cli/connect/banner.test.ts',
  },
  count: {
    flags: '--count <n>',
    help: 'with -z: try each address n times and print the times; -c n with -z is the same',
    value: count(1),
    in: { connect: ['client'] },
    ends: anyEnd,
    modes: ['check', 'receive'],
    needs: [{ anyOf: ['check'] }],
    excludes: seriesExcludes(),
    test: 'cli/connect/tries.test.ts',
  },
} as const satisfies OptionTable;

/** How often something is measured. */
export const pace = {
  interval: {
    flags: '--interval <time>',
    help: 'with -z: try each address again and again, from one try to the next this long (1s)',
    helpIn: { echo: 'from one payload to the next: another form of --rate (1s)' },
    value: text(readIntervalMs, '1s'),
    in: { connect: ['client'], echo: ['client'] },
    ends: anyEnd,
    modes: ['check', 'receive'],
    needs: [{ anyOf: ['check'], in: 'connect' }],
    excludes: { rate: '', ...seriesExcludes() },
    test: 'cli/connect/tries.test.ts',
  },
} as const satisfies OptionTable;

/** What a series of tries has no use for. */
function seriesExcludes() {
  const reason = 'each try is counted';
  return {
    banner: '',
    wait: reason,
    retry: reason,
    stable: reason,
    any: 'all addresses are tried',
    all: 'all addresses are tried',
    waitHttp: '',
    waitClosed: '',
    waitName: '',
  } as const;
}

function readIntervalMs(word: string): number {
  const intervalMs = readTimeMs(word);
  if (intervalMs >= 1) return intervalMs;
  throw new TnetError('TNET_E_USAGE', 'expected a time of at least 1ms');
}
