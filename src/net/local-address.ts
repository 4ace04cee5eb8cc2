import { networkInterfaces } from 'node:os';
import { plainAddress } from '../address/address.ts';
import { findNearKind } from '../address/embedded.ts';
import type { Endpoint } from '../address/endpoint.ts';
import { parseBlock, wholeAddress } from '../address/prefix.ts';
import { findListenerHost, findListenerPath } from './listener-path.ts';
import { isLoopbackName } from '../address/host-rules.ts';

/** Whether to connect to an address is to connect to this machine. */
export function isOfThisMachine(text: string): boolean {
  const kind = findNearKind(text);
  if (kind === 'loopback' || kind === 'unspecified') return true;
  const plain = plainAddress(text);
  return Object.values(networkInterfaces())
    .flat()
    .some((one) => one !== undefined && plainAddress(one.address) === plain);
}

const loopback = ['127.0.0.0/8', '::1'].map(parseBlock);

/**
 * Whether a listener is reached from this machine only, as far as its address tells. A passed descriptor is judged by
 * what it is bound to.
 */
export function isLocalListener(listen: Endpoint): boolean {
  if (listen.kind === 'unix') return true;
  if (listen.kind === 'fd' && findListenerPath(listen.fd) !== undefined) return true;
  const host = (listen.kind === 'fd' ? findListenerHost(listen.fd) : hostOf(listen)) ?? '';
  const address = wholeAddress(host);
  // A name may mean another address tomorrow; localhost may not (RFC 6761, 6.3).
  return address ? loopback.some((block) => block.covers(address)) : isLoopbackName(host);
}

function hostOf(endpoint: Endpoint): string | undefined {
  return 'host' in endpoint ? endpoint.host : undefined;
}
