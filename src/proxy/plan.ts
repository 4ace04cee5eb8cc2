import { requireNumericHost } from '../endpoint/numeric.ts';
import { faultSettings } from './fault-settings.ts';
import type { Faults } from './faults.ts';
import type { ProxyHost } from './host.ts';
import { defaultConnectMs } from './limit-settings.ts';
import { isBalanced, type Pair } from './pair.ts';
import { RateLimit } from './rate-limit.ts';
import { createDirectUpstream, type Upstream } from './upstream.ts';

/** A pair made ready to serve: what it needs is loaded, and what it keeps between connections is there. */
export interface Plan {
  readonly pair: Pair;
  readonly upstream: Upstream;
  /** Undefined: no limit. */
  readonly rate: RateLimit | undefined;
  /** Draws what is done to a connection; undefined when nothing is done to any. */
  readonly createFaults: ((connection: number, onDrop: () => void) => Faults) | undefined;
}

/** Makes a pair ready. What a pair does not use is not loaded. Opens no socket. */
export async function preparePlan(pair: Pair, host: ProxyHost): Promise<Plan> {
  const { values } = pair;
  const hasFaults = Object.keys(faultSettings).some(
    (key) => values[key as keyof typeof values] !== undefined,
  );
  const faults = hasFaults ? await import('./faults.ts') : undefined;
  return {
    pair,
    upstream: await createUpstream(pair, host),
    rate: values.rate && new RateLimit(values.rate),
    createFaults: faults && ((connection, onDrop) => faults.createFaults(values, connection, onDrop)),
  };
}

async function createUpstream(pair: Pair, host: ProxyHost): Promise<Upstream> {
  if (isBalanced(pair)) {
    const { BalancedUpstream } = await import('./balanced-upstream.ts');
    return new BalancedUpstream(pair, host);
  }
  const [target] = pair.targets;
  if (!target || target.kind === 'srv') throw new Error('a pair that is not balanced has one address');
  if (host.numericOnly) requireNumericHost(target);
  return createDirectUpstream(target, pair.values.waitConnect ?? defaultConnectMs, host);
}
