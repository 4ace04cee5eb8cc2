import type { Endpoint } from '../address/endpoint.ts';
import type { DialOptions } from './dial-options.ts';
import { dial } from './dial.ts';
import { leaveInOrder } from './leave.ts';

/**
 * Whether somebody is there: connects as a client would, TLS and its certificate included, and leaves again in order.
 * Never rejects.
 */
export async function isThere(endpoint: Endpoint, options: DialOptions): Promise<boolean> {
  try {
    void leaveInOrder(await dial(endpoint, options));
    return true;
  } catch {
    return false;
  }
}
