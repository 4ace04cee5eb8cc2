import type { TnetError } from '../../../errors.ts';
import { ServeError } from '../../../serve/service.ts';
import { parseBound } from '../../../serve/own-addresses.ts';
import type { RelayService } from '../service.ts';
import { checkLoops } from './loop-check.ts';

/**
 * Finds the loops that the pairs' own words do not say: by the ports that the system has chosen, and by what passed
 * descriptors are.
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
