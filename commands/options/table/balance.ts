import { isIP } from '../../../src/address/ip.ts';
import { parseEndpoint } from '../../../src/address/parse.ts';
import { hideUserInfo, TnetError } from '../../../src/errors.ts';
import { anyEnd, streamEnds, type Mode, type OptionTable } from '../row.ts';
import { choice, text, count, time } from '../value-kinds.ts';

const modes: readonly Mode[] = ['workers', 'replay-clients'];
const among = {
  anyOf: ['balanced'],
  called: 'with several targets, or with --health',
} as const;

/** How a proxy spreads clients over several targets. */
export const balance = {
  balance: {
    flags: '--balance <way>',
    help: 'choose among targets; default: round-robin',
    value: choice(['round-robin', 'least', 'first', 'hash']),
    config: true,
    in: { proxy: ['target'] },
    ends: anyEnd,
    modes,
    lane: true,
    test: 'cli/proxy/balance.test.ts',
  },
  health: {
    flags: '--health <time>',
    help: 'connect to each target this often, and use those that accept',
    value: time,
    config: true,
    in: { proxy: ['target'] },
    ends: streamEnds,
    modes,
    lane: true,
    test: 'cli/proxy/balance.test.ts',
  },
  healthFall: {
    flags: '--health-fall <n>',
    help: 'failures in a row after which a target is down (3)',
    value: count(1),
    config: true,
    in: { proxy: ['target'] },
    ends: anyEnd,
    modes,
    needs: [among],
    lane: true,
    test: 'cli/proxy/balance.test.ts',
  },
  healthRise: {
    flags: '--health-rise <n>',
    help: 'successes in a row after which it is up again (2)',
    value: count(1),
    config: true,
    in: { proxy: ['target'] },
    ends: anyEnd,
    modes,
    needs: [{ anyOf: ['health'] }],
    lane: true,
    test: 'cli/proxy/balance.test.ts',
  },
  eject: {
    flags: '--eject <time>',
    help: 'leave out a target for this long after it refused clients (10s)',
    value: time,
    config: true,
    in: { proxy: ['target'] },
    ends: anyEnd,
    modes,
    needs: [among],
    lane: true,
    test: 'cli/proxy/balance.test.ts',
  },
  resolve: {
    flags: '--resolve <time>',
    help: 'look up names again this often where DNS gives no TTL (30s)',
    value: time,
    config: true,
    in: { proxy: ['target'] },
    ends: anyEnd,
    modes,
    lane: true,
    test: 'handlers/relay/faults/faults.test.ts',
  },
  dnsServer: {
    flags: '--dns-server <address>',
    help: 'ask this name server',
    value: text(readDnsServer, '127.0.0.1', 'address'),
    config: true,
    in: { proxy: ['target'] },
    ends: anyEnd,
    modes,
    lane: true,
    test: 'cli/proxy/balance.test.ts',
  },
} as const satisfies OptionTable;

/** An IP address, with a port or without, as node:dns takes it. */
function readDnsServer(written: string): string {
  if (isIP(written) !== 0) return written;
  const endpoint = parseEndpoint(written);
  if (endpoint.kind === 'tcp' && isIP(endpoint.host ?? '') !== 0) return written;
  throw new TnetError('TNET_E_ADDRESS', 'expected an IP address, with or without a port', {
    subject: hideUserInfo(written),
  });
}
