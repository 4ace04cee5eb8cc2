import { formatEndpoint, type Endpoint } from '../endpoint/endpoint.ts';
import { parseEndpoint } from '../endpoint/parse.ts';
import { TnetError } from '../errors.ts';
import { balanceSettings } from './balance-settings.ts';
import { faultSettings } from './fault-settings.ts';
import { limitSettings } from './limit-settings.ts';
import type { Setting, ValuesOf } from './setting.ts';

/** Every setting that a pair can have: a flag on the command line and a property in a configuration file. */
export const pairSettings = { ...balanceSettings, ...limitSettings, ...faultSettings } as const;

export type PairValues = ValuesOf<typeof pairSettings>;

/** Where clients are connected to: an address, or a service that DNS lists (`srv://_http._tcp.example.com`). */
export type Target = Endpoint | { readonly kind: 'srv'; readonly name: string };

/** The target as the user would write it. */
export function formatTarget(target: Target): string {
  return target.kind === 'srv' ? `srv://${target.name}` : formatEndpoint(target);
}

/** Where to listen, where to connect, and how. */
export interface Pair {
  readonly listen: Endpoint;
  readonly targets: readonly Target[];
  readonly values: PairValues;
}

/** What a pair is made of, as written: text not read yet. */
export interface WrittenPair {
  readonly listen: string;
  readonly targets: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
}

/** Names a part of what was written, for an error: `--latency`, `/pairs/0/latency`. */
export type NamePart = (part: string) => string;

export interface ReadPairOptions {
  readonly name: NamePart;
  /** Which loopback address a port on its own means. Default 4. */
  readonly family?: 4 | 6;
}

/**
 * Reads a pair and checks that its parts make sense together. Nothing is opened.
 *
 * @throws TnetError TNET_E_USAGE or TNET_E_ADDRESS, with the part that is wrong as its subject
 */
export function readPair(written: WrittenPair, { name, family }: ReadPairOptions): Pair {
  const values = readValues(written.values, name);
  const listen = bindLoopback(
    at(name('listen'), () => parseEndpoint(written.listen)),
    family,
  );
  const targets = written.targets.map((target) => at(name('targets'), () => parseTarget(target)));
  checkEnds(listen, targets, name);
  checkValues(values, name);
  checkBalance(targets, values, name);
  return { listen, targets, values };
}

function parseTarget(text: string): Target {
  const [, name] = /^srv:\/\/(.*)$/i.exec(text) ?? [];
  if (name === undefined) return parseEndpoint(text);
  if (/^[a-z0-9_][a-z0-9._-]*$/i.test(name)) {
    return { kind: 'srv', name };
  }
  throw new TnetError('TNET_E_ADDRESS', 'expected srv://_SERVICE._tcp.DOMAIN', { subject: text });
}

function readValues(values: Readonly<Record<string, unknown>>, name: NamePart): PairValues {
  const settings: Readonly<Record<string, Setting<unknown>>> = pairSettings;
  const read = Object.entries(values).map(([key, value]) => {
    const setting = settings[key];
    if (!setting) throw new TnetError('TNET_E_USAGE', 'there is no such setting', { subject: name(key) });
    return [key, at(name(key), () => setting.read(value))];
  });
  return Object.fromEntries(read) as PairValues;
}

/** Runs a reader; what it finds wrong is told with the place. */
function at<Value>(place: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TnetError)) throw error;
    const subject = error.subject === undefined ? place : `${place}: ${error.subject}`;
    throw new TnetError(error.code, error.message, { subject, cause: error });
  }
}

/** A relay is for this machine unless a host is named: exposing the target takes a word. */
function bindLoopback(endpoint: Endpoint, family: 4 | 6 | undefined): Endpoint {
  if (endpoint.kind !== 'tcp' || endpoint.host !== undefined) return endpoint;
  return { ...endpoint, host: family === 6 ? '::1' : '127.0.0.1' };
}

const listenKinds: readonly Endpoint['kind'][] = ['tcp', 'unix', 'fd'];
const targetKinds: readonly Target['kind'][] = ['tcp', 'unix', 'srv'];

function checkEnds(listen: Endpoint, targets: readonly Target[], name: NamePart): void {
  if (!listenKinds.includes(listen.kind))
    throw refuse(name('listen'), `cannot listen on ${formatEndpoint(listen)}`);
  for (const target of targets) {
    if (targetKinds.includes(target.kind)) continue;
    throw refuse(name('targets'), `cannot connect to ${formatTarget(target)}`);
  }
  if (targets.length === 0) throw refuse(name('targets'), 'a target is needed');
}

/** Settings that say something about another one that is not there. */
const needs: readonly (readonly [keyof PairValues, readonly (keyof PairValues)[]])[] = [
  ['reject', ['maxConnections']],
  [
    'direction',
    [
      'latency',
      'bandwidth',
      'slice',
      'sliceSize',
      'sliceDelay',
      'corrupt',
      'dropAfter',
      'blackhole',
      'slowClose',
    ],
  ],
  [
    'probability',
    Object.keys(faultSettings).filter(
      (key) => !['probability', 'seed', 'direction'].includes(key),
    ) as (keyof PairValues)[],
  ],
  ['seed', ['latency', 'slice', 'sliceSize', 'corrupt', 'probability']],
];

function checkValues(values: PairValues, name: NamePart): void {
  for (const [key, others] of needs) {
    if (values[key] === undefined || others.some((other) => values[other] !== undefined)) continue;
    throw refuse(name(key), `makes sense only with ${others.map(name).join(' or ')}`);
  }
  if (values.blackhole) {
    const senseless = (['latency', 'bandwidth', 'corrupt', 'slice', 'dropAfter', 'slowClose'] as const).find(
      (key) => values[key] !== undefined,
    );
    if (senseless)
      throw refuse(name(senseless), `makes no sense with ${name('blackhole')}: nothing is handed on`);
  }
}

/** Whether the targets are to be chosen among, and not simply dialled. */
export function isBalanced({ targets, values }: Pick<Pair, 'targets' | 'values'>): boolean {
  return (
    targets.length > 1 ||
    targets.some(({ kind }) => kind === 'srv') ||
    values.balance !== undefined ||
    values.health !== undefined ||
    values.resolve !== undefined ||
    values.dnsServer !== undefined
  );
}

function checkBalance(targets: readonly Target[], values: PairValues, name: NamePart): void {
  const senseless = (['healthFall', 'healthRise', 'eject'] as const).find((key) => values[key] !== undefined);
  if (senseless && !isBalanced({ targets, values })) {
    throw refuse(name(senseless), `makes sense only with several targets, or with ${name('health')}`);
  }
  if (values.healthRise !== undefined && values.health === undefined) {
    throw refuse(name('healthRise'), `makes sense only with ${name('health')}`);
  }
}

function refuse(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_USAGE', message, { subject });
}
