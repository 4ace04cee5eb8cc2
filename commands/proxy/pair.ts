import { parseEndpoint } from '../../src/address/parse.ts';
import { loopbacks, requireFamily, toFamily } from '../../src/address/host-rules.ts';
import { hideUserInfo, TnetError } from '../../src/errors.ts';
import { hasHost, isSecure, type Endpoint } from '../../src/address/endpoint.ts';
import type { Pair, PairValues } from '../../src/handlers/relay/pair.ts';
import { parseTarget, type Target } from '../../src/handlers/relay/targets/target.ts';
import { type Mode, longNameOf } from '../options/row.ts';
import { faults } from '../options/table/faults.ts';
import { pairRows, type PairOptions } from './options.ts';
import { checkPair, type NamePart } from './pair-checks.ts';

/** What a pair is made of, as written: text not read yet. */
export interface WrittenPair {
  readonly listen: string;
  readonly targets: readonly string[];
  readonly values: Readonly<Record<string, unknown>>;
}

export interface ReadPairOptions {
  readonly name: NamePart;
  /** Which loopback address a port on its own means. Default 4. */
  readonly family?: 4 | 6;
  /** What the process does, each with what it is called: `workers`. */
  readonly modes?: Partial<Readonly<Record<Mode, string>>>;
}

/** A row that the relay knows nothing of, or the other way round, does not compile. */
type Same<One, Other> = [One, Other] extends [Other, One] ? true : never;
true satisfies Same<keyof PairOptions, keyof PairValues>;

/**
 * Reads a pair and checks that its parts make sense together. Nothing is opened.
 *
 * @throws TnetError TNET_E_USAGE or TNET_E_ADDRESS, with the part that is wrong as its subject
 */
export function readPair(written: WrittenPair, { name, family, modes }: ReadPairOptions): Pair {
  const values: PairValues = readValues(written.values, name);
  const listen = at(name('listen'), () =>
    bindLoopback(toFamily(parseEndpoint(written.listen), family), family),
  );
  // A recording in place of the target may be written as a target: -.
  const words =
    values.replay === undefined ? written.targets : written.targets.filter((word) => word !== '-');
  const targets = words.map((target) => at(name('targets'), () => readTarget(target, family)));
  const pair = unwrapTls({ listen, targets, values });
  const given = new Set(
    Object.entries(pair.values).flatMap(([key, value]) => (isAsked(key, value) ? [key] : [])),
  );
  checkPair(pair, given, name, modes);
  return {
    ...pair,
    isFaulty: Object.keys(faults).some((key) => given.has(key)),
    slowOption: findSlowOption(given),
  };
}

/** An option that is off counts as given only if it can be turned off. */
function isAsked(key: string, value: unknown): boolean {
  return value !== undefined && (value !== false || pairRows.get(key)?.off !== undefined);
}

function findSlowOption(given: ReadonlySet<string>): string | undefined {
  const slow = [...pairRows].find(([key, { lane }]) => given.has(key) && !lane);
  return slow && longNameOf(slow[1]);
}

/** `tls://` or `wss://` before an address is another way to write --tls-in or --tls-out. */
function unwrapTls({
  listen,
  targets,
  values,
}: Pick<Pair, 'listen' | 'targets' | 'values'>): Pick<Pair, 'listen' | 'targets' | 'values'> {
  // When only some targets are secure, the rest stay as they are, for checkPair() to refuse.
  const allSecure =
    targets.length > 0 && targets.every((target) => target.kind !== 'srv' && isSecure(target));
  const isOut = allSecure || values.tlsOut === true;
  return {
    listen: listen.kind === 'tls' ? { ...listen, kind: 'tcp', host: listen.host ?? '127.0.0.1' } : listen,
    targets: targets.map((target) => unwrapTarget(target, { allSecure, isOut })),
    values: {
      ...values,
      ...(isSecure(listen) && { tlsIn: true }),
      ...(allSecure && { tlsOut: true }),
    },
  };
}

/** What TLS makes a WebSocket secure is reported as that. */
function unwrapTarget(target: Target, { allSecure, isOut }: { allSecure: boolean; isOut: boolean }): Target {
  if (target.kind === 'ws' && isOut) return { ...target, isSecure: true };
  return target.kind === 'tls' && allSecure ? { ...target, kind: 'tcp' } : target;
}

function readValues(values: Readonly<Record<string, unknown>>, name: NamePart): PairOptions {
  const read = Object.entries(values).map(([key, value]) => {
    const row = pairRows.get(key);
    if (!row) throw new TnetError('TNET_E_USAGE', 'there is no such setting', { subject: name(key) });
    const place = name(key);
    // A flag is shown with its value.
    const shown =
      place.startsWith('--') && typeof value === 'string' ? `${place} ${hideUserInfo(value)}` : place;
    return [key, at(shown, () => row.value.read(value))];
  });
  return Object.fromEntries(read) as PairOptions;
}

/** Runs a reader; what it finds wrong is reported with the place. */
function at<Value>(place: string, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TnetError)) throw error;
    const subject = error.subject === undefined ? place : `${place}: ${error.subject}`;
    throw new TnetError(error.code, error.message, { subject, cause: error });
  }
}

/** A relay is for this machine unless a host is named: exposing the target has to be explicit. */
function bindLoopback(endpoint: Endpoint, family: 4 | 6 | undefined): Endpoint {
  if (!hasHost(endpoint) || endpoint.host !== undefined) return endpoint;
  return { ...endpoint, host: loopbacks[family ?? 4] };
}

function readTarget(word: string, family: 4 | 6 | undefined): Target {
  const target = parseTarget(word);
  if ('host' in target) requireFamily(target.host, family);
  return target;
}
