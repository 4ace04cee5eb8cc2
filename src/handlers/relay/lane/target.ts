import { getSystemErrorName } from 'node:util';
import { formatHostPort, formatPath } from '../../../address/endpoint.ts';
import type { LaneTarget } from '../../../flow/express-lane.ts';
import { createRaceError, createTimeoutError } from '../../../net/connect-failure.ts';
import { isIP } from '../../../address/ip.ts';
import { loopbackAddresses } from '../../../net/lookup.ts';
import { TnetError, formatLimit } from '../../../errors.ts';
import type { Target } from '../targets/target.ts';
import { isLoopbackName } from '../../../address/host-rules.ts';

/** The addresses of a target, in the order in which they are tried, each as it is reported. */
export interface ExpressTarget {
  readonly endpoint: Target;
  readonly addresses: readonly LaneTarget[];
}

/** A target that needs no name server. @param family only addresses of it, if one is given */
export function findAddresses(endpoint: Target, family: 4 | 6 | undefined): ExpressTarget {
  if (endpoint.kind === 'unix') return { endpoint, addresses: [{ path: endpoint.path }] };
  if (endpoint.kind !== 'tcp') return { endpoint, addresses: [] };
  const { host = 'localhost', port } = endpoint;
  // As in dial().
  const hosts = isLoopbackName(host) ? loopbackAddresses().map(({ address }) => address) : [host];
  const addresses = hosts
    .filter((address) => family === undefined || isIP(address) === family)
    .map((address) => ({ address, port }));
  return { endpoint, addresses };
}

/** An address as an event names it. */
export function formatLaneTarget(target: LaneTarget): string {
  return 'path' in target ? formatPath(target.path) : formatHostPort(target.address, target.port);
}

/** The error that node:net gives when an address does not accept. */
export function createRefusal(target: LaneTarget, errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const where = 'path' in target ? target.path : `${target.address}:${target.port}`;
  const error = new Error(`connect ${code} ${where}`);
  return Object.assign(error, { errno: -errno, code, syscall: 'connect' }, target);
}

/**
 * What dial() throws when no address has accepted, or none in time. `refusals` are the errors of those that
 * refused.
 */
export function createDialError(
  { endpoint, addresses }: ExpressTarget,
  refusals: readonly Error[],
  limitMs: number | undefined,
): Error {
  if (endpoint.kind === 'unix') {
    const name = formatPath(endpoint.path);
    const message = `no answer from ${name} within ${formatLimit(limitMs ?? 0)}`;
    return refusals[0] ?? new TnetError('TNET_E_TIMEOUT', message, { subject: name });
  }
  const { host, port } = { host: undefined, port: 0, ...endpoint };
  const tried = addresses.flatMap((one) =>
    'path' in one ? [] : [{ ...one, family: isIP(one.address) as 4 | 6 }],
  );
  const errors = [...refusals];
  const said = new Set(errors.map((error) => (error as { address?: string }).address));
  const failed = new Set(tried.filter(({ address }) => said.has(address)));
  if (limitMs === undefined) return createRaceError({ host }, { tried, failed, errors });
  const progress = { tried: tried.slice(0, refusals.length + 1), failed, errors };
  return createTimeoutError({ host, port, timeoutMs: limitMs }, progress);
}
