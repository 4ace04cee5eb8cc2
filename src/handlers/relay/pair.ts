import { type Endpoint, hideUserInfo } from '../../address/endpoint.ts';
import { parseEndpoint } from '../../address/parse.ts';
import { loopbacks, requireFamily, toFamily } from '../../address/host-rules.ts';
import { TnetError } from '../../errors.ts';
import { accessSettings } from './settings/access.ts';
import { balanceSettings } from './settings/balance.ts';
import { datagramSettings } from './settings/datagrams.ts';
import { checkPair } from './settings/pair-checks.ts';
import { faultSettings } from './settings/faults.ts';
import { limitSettings } from './settings/limits.ts';
import { protocolSettings } from './settings/protocols.ts';
import { replaySettings } from './settings/replay.ts';
import { secureSettings } from './settings/tls.ts';
import { parseTarget, type Target } from './targets/target.ts';
import type { Setting, SettingTable, ValuesOf } from './settings/setting.ts';

/** Every setting that a pair can have: a flag on the command line and a property in a configuration file. */
export const pairSettings = {
  ...protocolSettings,
  ...secureSettings,
  ...balanceSettings,
  ...accessSettings,
  ...limitSettings,
  ...datagramSettings,
  ...faultSettings,
  ...replaySettings,
} as const;

/** The settings by what they are about, under the headings that help gives them. */
export const pairSettingGroups: readonly (readonly [heading: string, settings: SettingTable])[] = [
  ['Protocols:', protocolSettings],
  ['TLS:', secureSettings],
  ['Several targets:', balanceSettings],
  ['Access:', accessSettings],
  ['Limits:', limitSettings],
  ['Datagrams:', datagramSettings],
  ['Faults on purpose:', faultSettings],
  ['Replay:', replaySettings],
];

export type PairValues = ValuesOf<typeof pairSettings>;

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
  const listen = at(name('listen'), () =>
    bindLoopback(toFamily(parseEndpoint(written.listen), family), family),
  );
  // A recording in the target's place may be written as a target: -.
  const words =
    values.replay === undefined ? written.targets : written.targets.filter((word) => word !== '-');
  const targets = words.map((target) => at(name('targets'), () => readTarget(target, family)));
  const pair = unwrapTls({ listen, targets, values });
  checkPair(pair, name);
  return pair;
}

/** `tls://` before an address is another way to write --tls-in or --tls-out. */
function unwrapTls({ listen, targets, values }: Pair): Pair {
  const isSecure = ({ kind }: Target) => kind === 'tls';
  // Where only some targets are secure, the rest stays as it is, for checkPair() to refuse.
  const allSecure = targets.length > 0 && targets.every(isSecure);
  return {
    listen: listen.kind === 'tls' ? { ...listen, kind: 'tcp', host: listen.host ?? '127.0.0.1' } : listen,
    targets: allSecure ? targets.map((target) => ({ ...target, kind: 'tcp' }) as Target) : targets,
    values: {
      ...values,
      ...(listen.kind === 'tls' && { tlsIn: true }),
      ...(allSecure && { tlsOut: true }),
    },
  };
}

function readValues(values: Readonly<Record<string, unknown>>, name: NamePart): PairValues {
  const settings: Readonly<Record<string, Setting<unknown>>> = pairSettings;
  const read = Object.entries(values).map(([key, value]) => {
    const setting = settings[key];
    if (!setting) throw new TnetError('TNET_E_USAGE', 'there is no such setting', { subject: name(key) });
    const place = name(key);
    // A flag is shown with what it was given.
    const shown =
      place.startsWith('--') && typeof value === 'string' ? `${place} ${hideUserInfo(value)}` : place;
    return [key, at(shown, () => setting.read(value))];
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
  if ((endpoint.kind !== 'tcp' && endpoint.kind !== 'udp') || endpoint.host !== undefined) return endpoint;
  return { ...endpoint, host: loopbacks[family ?? 4] };
}

function readTarget(word: string, family: 4 | 6 | undefined): Target {
  const target = parseTarget(word);
  if ('host' in target) requireFamily(target.host, family);
  return target;
}
