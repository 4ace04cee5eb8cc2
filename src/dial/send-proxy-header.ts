import { isIPv4, type Socket } from '../net/index.ts';
import { plainAddress } from '../address/address.ts';
import { encodeProxyV1, encodeProxyV2 } from '../protocol/proxy-protocol/encode.ts';
import { type ProxyEnds, type ProxyHeader } from '../protocol/proxy-protocol/header.ts';

/** The ends of a socket, under the names that a Socket has for them. */
export type SocketEnds = Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>;

/**
 * The PROXY header for a connection of our own: with `ends`, or with the socket's two ends, ours as the client.
 * Source: haproxy's proxy-protocol.txt, section 2.
 */
export function encodeHeader(
  version: 1 | 2,
  socket: Socket,
  ends: ProxyEnds = endsOf(socket, 'dialled'),
): Buffer {
  return encode(version, { command: 'proxy', ends, values: [] });
}

/**
 * The header that a target gets about a client: the content of the client's own header, with its values if the
 * version has room for them, or else the ends of the accepted socket.
 */
export function createProxyHeader(
  version: 1 | 2,
  client: SocketEnds,
  received: ProxyHeader | undefined,
): Buffer {
  return encode(version, received ?? { command: 'proxy', ends: endsOf(client, 'accepted'), values: [] });
}

/** The header of a connection that speaks for no client, such as a check. */
export function createLocalHeader(version: 1 | 2): Buffer {
  return encode(version, { command: 'local', ends: { family: 'unknown' }, values: [] });
}

/** Version 1 has no word for LOCAL: UNKNOWN also makes the receiver keep the connection's own addresses. */
function encode(version: 1 | 2, { command, ends, values }: Omit<ProxyHeader, 'version'>): Buffer {
  if (version === 2) return encodeProxyV2({ command, ends, values });
  return encodeProxyV1(command === 'local' ? { family: 'unknown' } : ends);
}

/**
 * The ends of a socket as a header names them: the client first, which is our side of a socket that we dialled. The
 * ends of a Unix socket have no names, but their family is known.
 */
function endsOf(socket: SocketEnds, side: 'dialled' | 'accepted'): ProxyEnds {
  const { localAddress, localPort = 0, remoteAddress, remotePort = 0 } = socket;
  if (localAddress === undefined || remoteAddress === undefined) {
    return { family: 'unix', source: '', destination: '' };
  }
  const local = { host: plainAddress(localAddress), port: localPort };
  const remote = { host: plainAddress(remoteAddress), port: remotePort };
  const family = isIPv4(local.host) && isIPv4(remote.host) ? 'tcp4' : 'tcp6';
  return side === 'dialled'
    ? { family, source: local, destination: remote }
    : { family, source: remote, destination: local };
}
