import { parseEndpoint } from '../../../address/parse.ts';
import { TnetError } from '../../../errors.ts';
import { isIP } from '../../../address/ip.ts';
import { hideUserInfo } from '../../../address/endpoint.ts';
import { choice, count, text, time, type SettingTable, type ValuesOf } from './setting.ts';

/** How a proxy spreads clients over several targets. */
export const balanceSettings = {
  balance: choice('--balance <way>', 'choose among targets: round-robin (default), least, first or hash', [
    'round-robin',
    'least',
    'first',
    'hash',
  ]),
  health: time('--health <time>', 'connect to each target this often, and use those that accept'),
  healthFall: count('--health-fall <n>', 'failures in a row after which a target is down (3)', 1),
  healthRise: count('--health-rise <n>', 'successes in a row after which it is up again (2)', 1),
  eject: time('--eject <time>', 'leave a target that refused clients out for this long (10s)'),
  resolve: time('--resolve <time>', 'look names up anew this often where DNS gives no TTL (30s)'),
  dnsServer: text('--dns-server <address>', 'ask this name server', readDnsServer),
} as const satisfies SettingTable;

export type BalanceValues = ValuesOf<typeof balanceSettings>;

export const defaultFall = 3;
export const defaultRise = 2;
export const defaultEjectMs = 10_000;
export const defaultResolveMs = 30_000;

/** An IP address, with a port or without, as node:dns takes it. */
function readDnsServer(word: string): string {
  if (isIP(word) !== 0) return word;
  const endpoint = parseEndpoint(word);
  if (endpoint.kind === 'tcp' && isIP(endpoint.host ?? '') !== 0) return word;
  throw new TnetError('TNET_E_ADDRESS', 'an IP address is needed, with a port or without', {
    subject: hideUserInfo(word),
  });
}
