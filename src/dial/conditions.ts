import { formatTargetEndpoint, type Endpoint } from '../address/endpoint.ts';
import { TnetError, errorCode } from '../errors.ts';
import { leaveInOrder } from '../net/connection.ts';
import { Deadline, rejectOn } from '../net/deadline.ts';
import { lookupAll } from '../net/lookup.ts';
import { requireNumericHost } from '../address/host-rules.ts';
import type { DialOptions } from './dial-options.ts';
import { dial } from './dial.ts';
import { tryPatiently } from './patience.ts';

/** What is waited for in place of a connection: nobody listens any more, or a host name has an address. */
export type Condition = 'closed' | 'name';

/** A condition that holds: why nobody is there, or an address of the name. */
export interface Met {
  readonly reason?: unknown;
  readonly address?: string | undefined;
}

const missing = { closed: 'not closed', name: 'name not found' } as const satisfies Record<Condition, string>;

/**
 * Waits, as the options' patience says, until a condition holds at an endpoint; without patience looks once.
 *
 * @throws TnetError TNET_E_OPEN for an endpoint that still accepts, TNET_E_TIMEOUT; the error of connecting or of the lookup
 *   that leaves the condition undecided; the signal's reason
 */
export async function awaitCondition(
  condition: Condition,
  endpoint: Endpoint,
  options: DialOptions,
): Promise<Met> {
  const { patience, timeoutMs, signal, observer } = options;
  const look = (limitMs: number | undefined) =>
    condition === 'closed' ? lookForEnd(endpoint, options, limitMs) : lookUp(endpoint, options, limitMs);
  if (!patience) return look(timeoutMs);
  return tryPatiently({
    ...patience,
    subject: condition === 'name' ? hostOf(endpoint) : formatTargetEndpoint(endpoint),
    missing: missing[condition],
    attempt: look,
    signal,
    onRetry: (retry) => observer?.retry?.(retry),
  });
}

/** Whether a failure to connect says that nobody listens there, and not only that nobody could be asked. */
function isGone(error: unknown): boolean {
  return ['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'EAI_NODATA', 'ENODATA'].includes(errorCode(error) ?? '');
}

async function lookForEnd(
  endpoint: Endpoint,
  { family, numericOnly, source, lookup, tune, signal }: DialOptions,
  timeoutMs: number | undefined,
): Promise<Met> {
  // Nothing is said to who still listens.
  const plain: Endpoint = endpoint.kind === 'tls' ? { ...endpoint, kind: 'tcp' } : endpoint;
  try {
    const options = { family, numericOnly, source, lookup, tune, signal, timeoutMs };
    void leaveInOrder(await dial(plain, options));
  } catch (error) {
    if (isGone(error)) return { reason: error };
    throw error;
  }
  throw new TnetError('TNET_E_OPEN', 'it still accepts connections');
}

async function lookUp(
  endpoint: Endpoint,
  { family, numericOnly, signal }: DialOptions,
  timeoutMs: number | undefined,
): Promise<Met> {
  const host = hostOf(endpoint);
  if (numericOnly) requireNumericHost({ kind: 'tcp', host, port: 0 });
  using deadline = new Deadline('the address was not found', timeoutMs, signal);
  const [first] = await Promise.race([lookupAll(host, { family }), rejectOn(deadline.signal)]);
  return { address: first?.address };
}

function hostOf(endpoint: Endpoint): string {
  return ('host' in endpoint ? endpoint.host : undefined) ?? 'localhost';
}
