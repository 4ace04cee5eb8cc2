import type { Endpoint } from '../../src/address/endpoint.ts';
import { TnetError } from '../../src/errors.ts';
import type { TableFlags } from './row.ts';
import type { address } from './table/address.ts';

/**
 * The endpoint as a UDP one when -u is given.
 *
 * @throws TnetError TNET_E_UNSUPPORTED for a Unix path, TNET_E_USAGE for what cannot be UDP
 */
export function applyUdp(
  endpoint: Endpoint,
  { udp }: Pick<TableFlags<typeof address, 'listen'>, 'udp'>,
): Endpoint {
  if (!udp || endpoint.kind === 'udp') return endpoint;
  if (endpoint.kind === 'tcp') return { ...endpoint, kind: 'udp' };
  if (endpoint.kind === 'unix') {
    throw new TnetError(
      'TNET_E_UNSUPPORTED',
      'Node has no Unix datagram sockets, and the native addon offers none: use -U without -u',
      { subject: '-u' },
    );
  }
  throw new TnetError('TNET_E_USAGE', '-u goes with HOST PORT or PORT');
}
