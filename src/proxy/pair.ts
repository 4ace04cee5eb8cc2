import { formatEndpoint, type Endpoint } from '../endpoint/endpoint.ts';
import { parseEndpoint } from '../endpoint/parse.ts';
import { TnetError } from '../errors.ts';
import { faultSettings } from './fault-settings.ts';
import { limitSettings } from './limit-settings.ts';
import type { Setting, ValuesOf } from './setting.ts';

/** Every setting that a pair can have: a flag on the command line and a property in a configuration file. */
export const pairSettings = { ...limitSettings, ...faultSettings } as const;

export type PairValues = ValuesOf<typeof pairSettings>;

/** Where to listen, where to connect, and how. */
export interface Pair {
  readonly listen: Endpoint;
  readonly targets: readonly Endpoint[];
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
  const targets = written.targets.map((target) => at(name('targets'), () => parseEndpoint(target)));
  checkEnds(listen, targets, name);
  checkValues(values, name);
  return { listen, targets, values };
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
const targetKinds: readonly Endpoint['kind'][] = ['tcp', 'unix'];

function checkEnds(listen: Endpoint, targets: readonly Endpoint[], name: NamePart): void {
  if (!listenKinds.includes(listen.kind))
    throw refuse(name('listen'), `cannot listen on ${formatEndpoint(listen)}`);
  for (const target of targets) {
    if (targetKinds.includes(target.kind)) continue;
    throw refuse(name('targets'), `cannot connect to ${formatEndpoint(target)}`);
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

function refuse(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_USAGE', message, { subject });
}
