import { lookup } from 'node:dns/promises';
import { isIP } from '../net/ip.ts';
import { bindDatagram } from '../net/datagram.ts';
import type { DatagramPeer } from '../net/datagram-peer.ts';
import { DatagramServer } from '../net/datagram-server.ts';
import { formatHostPort, type Endpoint } from './endpoint.ts';
import { requireNumericHost } from './numeric.ts';
import type { ServeOptions } from './serve.ts';

/**
 * Binds a UDP endpoint; `onConnection` gets a DatagramPeer for every peer. Over maxConnections, the datagrams of
 * further peers are turned away until one is let go.
 *
 * @throws the system's error (`EADDRINUSE`, `EACCES`, …)
 */
export async function serveDatagrams(
  endpoint: Extract<Endpoint, { kind: 'udp' }>,
  options: ServeOptions<DatagramPeer>,
): Promise<DatagramServer> {
  if (options.numericOnly) requireNumericHost(endpoint);
  const { address, family } = await findAddress(endpoint.host, options.family);
  const isDualStack = endpoint.host === undefined && options.family === undefined;
  const socket = await bindDatagram({
    type: family === 6 ? 'udp6' : 'udp4',
    ipv6Only: family === 6 && !isDualStack,
    address,
    port: endpoint.port,
  });
  const { onConnection, onRefused, admit, maxConnections, onlyFirst } = options;
  return new DatagramServer(socket, {
    onlyFirst,
    maxPeers: maxConnections,
    admit,
    onRefused: (remote, reason) => onRefused?.(formatHostPort(remote.address, remote.port), reason),
    onPeer: onConnection,
  });
}

async function findAddress(
  host: string | undefined,
  family: 4 | 6 | undefined,
): Promise<{ address: string; family: number }> {
  if (host === undefined)
    return family === 4 ? { address: '0.0.0.0', family: 4 } : { address: '::', family: 6 };
  const given = isIP(host);
  return given === 0 ? lookup(host, { family: family ?? 0 }) : { address: host, family: given };
}
