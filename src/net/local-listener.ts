import { findListenerHost, findListenerPath } from './listener-path.ts';
import { isLoopbackName } from './lookup.ts';
import { parseBlock, wholeAddress } from '../address/prefix.ts';
import type { Endpoint } from '../address/endpoint.ts';

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
