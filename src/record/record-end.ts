import { plainAddress } from '../address/address.ts';
import type { RecordedEnd } from './record-format.ts';

/**
 * An end of a socket as a recording names it: its address without zone, an IPv4 address that a dual-stack socket shows
 * as an IPv6 one as what it is; `path` where the socket has no address.
 */
export function toRecordedEnd(
  address: string | undefined,
  port: number | undefined,
  path: string,
): RecordedEnd {
  if (address === undefined) return { path };
  return { host: plainAddress(address), port: port ?? 0 };
}
