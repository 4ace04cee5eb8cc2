import { formatEndpoint } from '../../src/address/endpoint.ts';
import type { Pair } from '../../src/handlers/relay/pair.ts';
import { formatSettings } from '../../src/handlers/relay/targets/settings.ts';
import { formatTarget } from '../../src/handlers/relay/targets/target.ts';
import type { Rate, Spread } from '../../src/quantities.ts';
import { formatSize } from '../../src/report/table.ts';
import { positiveSize, rate, size, sizeSpread, time, timeSpread } from '../options/value-kinds.ts';
import { faults } from '../options/table/faults.ts';
import { nameFlag, pairRows } from './options.ts';

/** What is reported about a pair besides its faults: what it speaks, how it chooses, and its limits. */
const told = [
  'tlsIn',
  'tlsOut',
  'socks',
  'httpConnect',
  'http',
  'balance',
  'health',
  'healthHttp',
  'slowStart',
  'maxConnections',
  'rate',
];
const limits = ['idle', 'halfClosed', 'timeout', 'waitConnect'];

/** `127.0.0.1:8080 -> 192.0.2.1:80; latency 100 ms±20 ms; max-connections 10`: a pair in one line. */
export function describePair({
  listen,
  targets,
  values,
}: Pick<Pair, 'listen' | 'targets' | 'values'>): string {
  const given = values as Readonly<Record<string, unknown>>;
  const parts = [...told, ...limits, ...Object.keys(faults)].flatMap((name) => {
    const value = given[name];
    if (value === undefined || value === false) return [];
    const flag = nameFlag(name).replace(/^--/, '');
    return [value === true ? flag : `${flag} ${formatValue(name, value)}`];
  });
  const to =
    targets.length > 0
      ? targets.map((target) => formatTarget(target) + formatSettings(target.settings)).join(', ')
      : 'where clients ask for';
  return [`${formatEndpoint(listen)} -> ${to}`, ...parts].join('; ');
}

const spreads: readonly unknown[] = [timeSpread, sizeSpread];
const times: readonly unknown[] = [time, timeSpread];
const sizes: readonly unknown[] = [size, positiveSize, sizeSpread];

function formatValue(name: string, value: unknown): string {
  const kind = pairRows.get(name)?.value;
  const format = (amount: number) =>
    times.includes(kind) ? formatTime(amount) : sizes.includes(kind) ? formatSize(amount) : String(amount);
  if (spreads.includes(kind)) {
    const { mean, spread } = value as Spread;
    return spread === 0 ? format(mean) : `${format(mean)}±${format(spread)}`;
  }
  if (kind === rate) {
    const { count, perMs } = value as Rate;
    return `${count} in ${formatTime(perMs)}`;
  }
  return typeof value === 'number' ? format(value) : String(value);
}

function formatTime(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${ms / 1_000} s`;
}
