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
 * What connect(2) to an IP address also says because of the network: a route that prohibits (EACCES) or swallows (EINVAL),
 * a packet filter (EPERM), no address or port to come from at the moment (EADDRNOTAVAIL). Of bind(2) and of Unix paths the
 * same codes are about what was asked for.
 */
const networkCodes = new Set(['EACCES', 'EPERM', 'EINVAL', 'EADDRNOTAVAIL']);

/** An address of one link, which says nothing without the link's name. */
const linkLocal = /^fe[89ab][0-9a-f]:[^%]*$/i;

/** Whether what failed is of this machine's set-up, so that the same try would fail again. Of several errors: all are. */
export function isSetupFailure(error: unknown): boolean {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(isSetupFailure);
  const code = errorCode(error) ?? '';
  return setupCodes.has(code) && !(networkCodes.has(code) && isOfNetwork(error));
}

function isOfNetwork(error: unknown): boolean {
  const { syscall, address = '', port = 0 } = error as { syscall?: string; address?: string; port?: number };
  return syscall === 'connect' && port > 0 && !linkLocal.test(address);
}

/** How much a failure says: a refusal, which means that the way is right, before all others, and set-up failures last. */
function rank(error: Error): number {
  if (errorCode(error) === 'ECONNREFUSED') return 0;
  return isSetupFailure(error) ? 2 : 1;
}

/** The failures of several addresses, those first that say most. */
export function sortFailures(errors: readonly Error[]): Error[] {
  return [...errors].sort((one, other) => rank(one) - rank(other));
}

/**
 * What a connection to itself is taken for. A connect to a port of this machine in the range for outgoing ports, at which
 * nobody listens, may be given that very port to come from; TCP then joins the two ends of one socket (RFC 9293, 3.5,
 * simultaneous open).
 */
export function createSelfRefusal(address: string, port: number): Error {
  const message = `connection refused: nobody listens, and the socket was connected to itself`;
  return Object.assign(new Error(message), { code: 'ECONNREFUSED', syscall: 'connect', address, port });
}

type Tried = Pick<Attempt, 'address' | 'family' | 'port'>;

/** What an error of a host has to tell: which addresses were tried, and why each that is over failed. */
export interface Progress {
  readonly tried: Tried[];
  /** Those of them that are over. */
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
  // What is wrong at our end is wrong for every address.
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
