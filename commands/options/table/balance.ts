import { isIP } from '../../../src/address/ip.ts';
import { parseEndpoint } from '../../../src/address/parse.ts';
import { hideUserInfo, TnetError } from '../../../src/errors.ts';
import { parseStatuses } from '../../../src/protocol/http-status.ts';
import { anyEnd, streamEnds, type End, type Mode, type OptionTable } from '../row.ts';
import { choice, text, count, time } from '../value-kinds.ts';

const modes: readonly Mode[] = ['workers', 'replay-clients'];
/** What may speak HTTP: no program, and no device. */
const sockets: readonly End[] = ['stream', 'ip', 'unix'];
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
  healthHttp: {
    flags: '--health-http <path>',
    help: 'ask each target for this path, as /healthz, and use those that answer well',
    value: text(readPath, '/healthz'),
    config: true,
    in: { proxy: ['target'] },
    ends: sockets,
    modes,
    needs: [{ anyOf: ['health'] }],
    lane: true,
    test: 'cli/proxy/health.test.ts',
  },
  healthStatus: {
    flags: '--health-status <status>',
    help: 'what is a good answer: 200, 2xx, 200,3xx (default: 2xx,3xx)',
    value: text(parseStatuses, '200'),
    config: true,
    in: { proxy: ['target'] },
    ends: sockets,
    modes,
    needs: [{ anyOf: ['healthHttp'] }],
    lane: true,
    test: 'cli/proxy/health.test.ts',
  },
  healthHost: {
    flags: '--health-host <name>',
    help: "ask for this host (default: the target's)",
    value: text(readHostField, 'www.example.com'),
    config: true,
    in: { proxy: ['target'] },
    ends: sockets,
    modes,
    needs: [{ anyOf: ['healthHttp'] }],
    lane: true,
    test: 'cli/proxy/health.test.ts',
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
  slowStart: {
    flags: '--slow-start <time>',
    help: 'give a target that is back its share little by little, over this long',
    value: time,
    config: true,
    in: { proxy: ['target'] },
    ends: anyEnd,
    modes,
    needs: [among],
    lane: true,
    test: 'cli/proxy/shares.test.ts',
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

function readPath(written: string): string {
  if (/^\/[\x21-\x7e]*$/.test(written) && !written.includes('#')) return written;
  throw new TnetError('TNET_E_USAGE', 'expected a path such as /healthz, with the rest encoded as %XX', {
    subject: hideUserInfo(written),
  });
}

function readHostField(written: string): string {
  if (/^[\w.:[\]-]+$/.test(written)) return written;
  throw new TnetError('TNET_E_USAGE', 'expected a host name, with or without a port', {
    subject: hideUserInfo(written),
  });
}

/** An IP address, with a port or without, as node:dns takes it. */
function readDnsServer(written: string): string {
  if (isIP(written) !== 0) return written;
  const endpoint = parseEndpoint(written);
  if (endpoint.kind === 'tcp' && isIP(endpoint.host ?? '') !== 0) return written;
  throw new TnetError('TNET_E_ADDRESS', 'expected an IP address, with or without a port', {
    subject: hideUserInfo(written),
  });
}
