import { readTlsNames } from '../net/tls-names.ts';
import { isIPv4, type Socket } from '../net/index.ts';
import { plainAddress } from '../address/address.ts';
import { encodeProxyV1, encodeProxyV2 } from '../protocol/proxy-protocol/encode.ts';
import {
  type ProxyEnds,
  type ProxyHeader,
  type ProxySsl,
  type ProxyValue,
} from '../protocol/proxy-protocol/header.ts';

/** The ends of a socket, under the names that a Socket has for them. */
export type SocketEnds = Pick<Socket, 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort'>;

/**
 * The PROXY header for a connection of our own, with the socket's two ends, ours as the client, and in version 2 with
 * values. Source: haproxy's proxy-protocol.txt, section 2.
 */
export function encodeHeader(version: 1 | 2, socket: Socket, values: readonly ProxyValue[] = []): Buffer {
  return encode(version, { command: 'proxy', ends: endsOf(socket, 'dialled'), values });
}

/**
 * The header that a target gets about a client: the content of the client's own header, or else the ends of the
 * accepted socket. If the version has room for values, it has `given`, then those of the client's header, then what is
 * known of TLS with the client, each type once.
 */
export function createProxyHeader(
  version: 1 | 2,
  client: SocketEnds & Partial<Pick<Socket, 'secureLayer'>>,
  received: ProxyHeader | undefined,
  given: readonly ProxyValue[] = [],
): Buffer {
  const { command, ends } = received ?? { command: 'proxy', ends: endsOf(client, 'accepted') };
  const isLocal = command === 'local';
  const values =
    version === 1 || isLocal ? [] : joinValues(given, received?.values, describeTls(client.secureLayer));
  return encode(version, { command, ends, values });
}

/** What only an earlier list has is followed by what only a later one has. A checksum is made for the new header. */
function joinValues(...lists: readonly (readonly ProxyValue[] | undefined)[]): ProxyValue[] {
  const keyOf = (value: ProxyValue) => (value.type === 'other' ? value.code : value.type);
  const joined: ProxyValue[] = [];
  for (const list of lists) {
    const known = new Set(joined.map(keyOf));
    joined.push(...(list ?? []).filter((value) => !known.has(keyOf(value))));
  }
  return joined;
}

/** What is known of TLS with a client. Source: haproxy's proxy-protocol.txt, sections 2.2.1, 2.2.2 and 2.2.6. */
function describeTls(layer: Socket['secureLayer']): ProxyValue[] {
  if (!layer) return [];
  const { alpn, serverName = '' } = readTlsNames(layer);
  const certificate = layer.getPeerCertificate() as { subject?: { CN?: string | string[] } } | undefined;
  const hasCertificate = certificate?.subject !== undefined;
  const [commonName] = [certificate?.subject?.CN ?? []].flat();
  const version = layer.getProtocol();
  const cipher = (layer.getCipher() as { name?: string } | undefined)?.name;
  const ssl: ProxySsl = {
    isTls: true,
    hasCertificate: hasCertificate && !layer.isSessionReused(),
    hasSessionCertificate: hasCertificate,
    verify: layer.authorized ? 0 : 1,
    ...(version !== null && { version }),
    ...(commonName !== undefined && { commonName }),
    ...(cipher !== undefined && { cipher }),
  };
  return [
    ...(alpn !== undefined ? [{ type: 'alpn', protocol: alpn } as const] : []),
    ...(serverName !== '' ? [{ type: 'authority', name: serverName } as const] : []),
    { type: 'ssl', ssl },
  ];
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
