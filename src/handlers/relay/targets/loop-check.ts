import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { formatEndpoint, hasHost, isUnixKind, type Endpoint } from '../../../address/endpoint.ts';
import { TnetError } from '../../../errors.ts';
import { isIP } from '../../../address/ip.ts';
import { arrivesAt, parseBound } from '../../../serve/own-addresses.ts';
import type { Pair } from '../pair.ts';
import { formatTarget, type Target } from './target.ts';
import { ServeError } from '../../../serve/service.ts';
import type { RelayService } from '../service.ts';

/** A listener and where it connects its clients: what a loop is made of. */
export interface Leg extends Pick<Pair, 'listen' | 'targets'> {
  readonly values: Pick<Pair['values'], 'route' | 'via'>;
}

/**
 * Finds a relay that leads back to itself, through one pair or several: one client would use up every descriptor.
 * This finds what needs no name server; where a name leads is found when it is dialled (see LoopWatch).
 *
 * @throws TnetError TNET_E_LOOP, with the listener as its subject
 */
export function checkLoops(legs: readonly Leg[], family?: 4 | 6): void {
  const isOnlyV6 = family === 6;
  const next = new Map(
    legs.map((leg) => [
      leg,
      listTargets(leg).flatMap((target) =>
        legs.filter(({ listen }) => leadsTo(target, listen, isOnlyV6)).map((to) => ({ to, target })),
      ),
    ]),
  );
  const isDone = new Set<Leg>();
  const walk = (leg: Leg, way: readonly Leg[]): void => {
    for (const { to, target } of next.get(leg) ?? []) {
      if (to === leg) throw loopError(leg, `its target ${formatTarget(target)} is the relay itself`);
      const start = [...way, leg].indexOf(to);
      if (start >= 0) {
        const ring = [...[...way, leg].slice(start), to].map(({ listen }) => formatEndpoint(listen));
        throw loopError(to, `the relays form a loop: ${ring.join(' to ')}`);
      }
      if (!isDone.has(to)) walk(to, [...way, leg]);
    }
    isDone.add(leg);
  };
  for (const leg of legs) if (!isDone.has(leg)) walk(leg, []);
}

function loopError({ listen }: Leg, message: string): TnetError {
  return new TnetError('TNET_E_LOOP', message, { subject: formatEndpoint(listen) });
}

function listTargets({ targets, values }: Leg): readonly Target[] {
  // What a proxy connects to is on its own machine or beyond: our addresses say nothing about it.
  if (values.via) return [];
  return [...targets, ...(values.route ?? []).flatMap((route) => route.targets)];
}

function leadsTo(target: Target, listen: Endpoint, isOnlyV6: boolean): boolean {
  if (target.kind === 'srv') return false;
  if (isUnixKind(target))
    return isUnixKind(listen) && target.kind === listen.kind && isSamePath(target.path, listen.path);
  if (!hasHost(target)) return false;
  const { kind, host = 'localhost', port } = target;
  const transport = kind === 'udp' ? 'datagram' : 'stream';
  return listAddresses(host).some((address) => arrivesAt(listen, { transport, address, port }, isOnlyV6));
}

/** The addresses that a host certainly means. The names of loopback: RFC 6761, 6.3. */
function listAddresses(host: string): readonly string[] {
  if (isIP(host) !== 0) return [host];
  return /^(?:.*\.)?localhost\.?$/i.test(host) ? ['127.0.0.1', '::1'] : [];
}

/** Regardless of the links and folders by which the two are named. An abstract name has no file. */
function isSamePath(one: string, other: string): boolean {
  if (one === other) return true;
  return !one.startsWith('\0') && !other.startsWith('\0') && findPlace(one) === findPlace(other);
}

/** How many symbolic links of a path are followed. */
const mostLinks = 20;

/** The real location of a path, which need not exist. */
function findPlace(path: string, links = 0): string {
  const folder = dirname(resolve(path));
  const place = join(realFolder(folder), basename(path));
  try {
    if (links < mostLinks && lstatSync(place).isSymbolicLink())
      return findPlace(resolve(dirname(place), readlinkSync(place)), links + 1);
  } catch {
    // Nothing is there yet.
  }
  return place;
}

function realFolder(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

/**
 * Finds the loops that the pairs as written do not show: through the ports that the system has chosen, and through
 * passed descriptors.
 *
 * @throws ServeError
 */
export function checkBoundLoops(bound: ReadonlyMap<RelayService, string>, family?: 4 | 6): void {
  const legs = Array.from(bound, ([{ pair }, address]) => ({
    ...pair,
    listen: address === '' ? pair.listen : parseBound(address),
  }));
  try {
    checkLoops(legs, family);
  } catch (error) {
    throw new ServeError((error as TnetError).subject ?? '', error);
  }
}
