import { errorCode } from '../errors.ts';
import { isIP } from '../address/ip.ts';
import { lookupFirst } from '../net/lookup.ts';
import { bindDatagram, joinOwnGroup, type DatagramSocket } from '../net/datagram.ts';
import type { DatagramPeer } from '../net/datagram-peer.ts';
import { DatagramServer } from '../net/datagram-server.ts';
import { formatHostPort, type Endpoint } from '../address/endpoint.ts';
import { refuseNumericForm, requireNumericHost } from '../address/host-rules.ts';
import type { ServeOptions } from './serve.ts';

export type UdpEndpoint = Extract<Endpoint, { kind: 'udp' }>;

/** How a UDP socket is bound. */
export interface BindDatagramOptions extends Pick<ServeOptions, 'family' | 'numericOnly'> {
  /** Called with the bound socket. Throws what binding is to throw. */
  readonly tuneDatagrams?: ((socket: DatagramSocket) => void) | undefined;
}

/**
 * Binds a UDP endpoint; `onConnection` gets a DatagramPeer for every peer. Over maxConnections, the datagrams of
 * further peers are turned away until one is let go.
 *
 * @throws the system's error (`EADDRINUSE`, `EACCES`, …)
 */
export async function serveDatagrams(
  endpoint: UdpEndpoint,
  options: ServeOptions<DatagramPeer> & BindDatagramOptions,
): Promise<DatagramServer> {
  const socket = await bindEndpoint(endpoint, options);
  const { onConnection, onRefused, admit, maxConnections, onlyFirst } = options;
  return new DatagramServer(socket, {
    onlyFirst,
    maxPeers: maxConnections,
    admit,
    onRefused: (remote, reason) => onRefused?.(formatHostPort(remote.address, remote.port), reason),
    onPeer: onConnection,
  });
}

/**
 * Binds a UDP socket to an endpoint; one that is a multicast group is joined.
 *
 * @throws the system's error, TnetError TNET_E_ADDRESS, or what `tuneDatagrams` says
 */
export async function bindEndpoint(
  endpoint: UdpEndpoint,
  options: BindDatagramOptions,
): Promise<DatagramSocket> {
  const socket = await bindPlain(endpoint, options);
  try {
    options.tuneDatagrams?.(socket);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

async function bindPlain(
  endpoint: UdpEndpoint,
  { family, numericOnly }: BindDatagramOptions,
): Promise<DatagramSocket> {
  refuseNumericForm(endpoint.host ?? '');
  if (numericOnly) requireNumericHost(endpoint);
  const { host, port } = endpoint;
  if (host === undefined && family === undefined) {
    try {
      return await bindDatagram({ type: 'udp6', address: '::', port });
    } catch (error) {
      // As node:net does where IPv6 is off.
      if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(errorCode(error) ?? '')) throw error;
      return bindDatagram({ type: 'udp4', address: '0.0.0.0', port });
    }
  }
  const found = await findAddress(host, family);
  const kind = found.family === 4 ? ({ type: 'udp4' } as const) : ({ type: 'udp6', ipv6Only: true } as const);
  const socket = await bindDatagram({ ...kind, address: found.address, port });
  joinOwnGroup(socket, found.address);
  return socket;
}

async function findAddress(
  host: string | undefined,
  family: 4 | 6 | undefined,
): Promise<{ address: string; family: number }> {
  if (host === undefined)
    return family === 4 ? { address: '0.0.0.0', family: 4 } : { address: '::', family: 6 };
  const given = isIP(host);
  return given === 0 ? lookupFirst(host, { family }) : { address: host, family: given };
}
