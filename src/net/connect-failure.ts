import { errorCode, ExplainedError, formatLimit, TnetError } from '../errors.ts';
import type { Attempt } from './candidates.ts';

/** Failures of this machine's own set-up: another address, path, permission or limit is needed, not another try. */
const setupCodes = new Set([
  'EACCES',
  'EPERM',
  'EADDRINUSE',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'EISDIR',
  'EBADF',
  'ENOSPC',
  'EINVAL',
  'EAFNOSUPPORT',
]);

/**
 * What connect(2) to an IP address also says because of the network: a route that prohibits (EACCES) or swallows
 * (EINVAL), a packet filter (EPERM), no source address or port available at the moment (EADDRNOTAVAIL). From
 * bind(2) and for Unix paths, the same codes are about what was asked for.
 */
const networkCodes = new Set(['EACCES', 'EPERM', 'EINVAL', 'EADDRNOTAVAIL']);

/** A link-local address, which means nothing without the link's name. */
const linkLocal = /^fe[89ab][0-9a-f]:[^%]*$/i;

/**
 * Whether a failure comes from this machine's set-up, so that the same attempt would fail again. Of several errors:
 * all do.
 */
export function isSetupFailure(error: unknown): boolean {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(isSetupFailure);
  const code = errorCode(error) ?? '';
  return setupCodes.has(code) && !(networkCodes.has(code) && isOfNetwork(error));
}

function isOfNetwork(error: unknown): boolean {
  const { syscall, address = '', port = 0 } = error as { syscall?: string; address?: string; port?: number };
  return syscall === 'connect' && port > 0 && !linkLocal.test(address);
}

/**
 * How informative a failure is: a refusal, which means that the route works, before all others, and set-up failures
 * last.
 */
function rank(error: Error): number {
  if (errorCode(error) === 'ECONNREFUSED') return 0;
  return isSetupFailure(error) ? 2 : 1;
}

/** The failures of several addresses, the most informative first. */
export function sortFailures(errors: readonly Error[]): Error[] {
  return [...errors].sort((one, other) => rank(one) - rank(other));
}

/**
 * The error for a connection to itself. A connect to a port of this machine in the range for outgoing ports, on
 * which nothing listens, may be given that very port as its source; TCP then joins the two ends of one socket (RFC
 * 9293, 3.5, simultaneous open).
 */
export function createSelfRefusal(address: string, port: number): Error {
  const message = `connection refused: nobody listens, and the socket was connected to itself`;
  return Object.assign(new Error(message), { code: 'ECONNREFUSED', syscall: 'connect', address, port });
}

type Tried = Pick<Attempt, 'address' | 'family' | 'port'>;

/** What the error of a host is made of: which addresses were tried, and why each finished attempt failed. */
export interface Progress {
  readonly tried: Tried[];
  /** The attempts that are over. */
  readonly failed: Set<Tried>;
  readonly errors: Error[];
}

interface RaceLimits {
  readonly host?: string | undefined;
  readonly port: number;
  readonly timeoutMs?: number | undefined;
  readonly limitMs?: number | undefined;
}

/** The failure of a host whose addresses have all failed. */
export function createRaceError(
  { host = 'localhost' }: { readonly host?: string | undefined },
  { tried, errors }: Progress,
): Error {
  const sorted = sortFailures(errors);
  const [first] = sorted;
  // An error on our side is the same for every address.
  if (first && sorted.every((error) => error === first || isSameExplained(error, first))) return first;
  const code = errorCode(first);
  const reasons = sorted.map(({ message }) => message).join('; ');
  const message = `none of the ${tried.length} addresses of ${host} accepted the connection: ${reasons}`;
  return Object.assign(new AggregateError(sorted, message), { code });
}

function isSameExplained(one: Error, other: Error): boolean {
  return one instanceof ExplainedError && other instanceof ExplainedError && one.message === other.message;
}

/** The failure of a host for which there was not enough time. */
export function createTimeoutError(
  { host = 'localhost', port, timeoutMs = 0, limitMs = timeoutMs }: RaceLimits,
  { tried, failed, errors }: Progress,
): Error {
  const addresses = tried.filter((attempt) => !failed.has(attempt)).map(formatAttempt);
  const what =
    addresses.length === 0 ? `no address of ${host} was found` : `no answer from ${addresses.join(', ')}`;
  return new TnetError('TNET_E_TIMEOUT', `${what} within ${formatLimit(limitMs)}`, {
    subject: host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`,
    cause: errors.length > 0 ? new AggregateError(errors) : undefined,
  });
}

function formatAttempt({ address, family, port }: Tried): string {
  return family === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
