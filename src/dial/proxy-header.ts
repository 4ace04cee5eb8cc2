import { plainAddress } from '../address/address.ts';
import { TnetError } from '../errors.ts';
import { isIPv4, type Socket } from '../net/index.ts';
import { encodeProxyV1, encodeProxyV2 } from '../protocol/proxy-protocol/encode.ts';
import { ProxyHeaderReceiver } from '../protocol/proxy-protocol/decode.ts';
import type { ProxyEnds, ProxyHeader } from '../protocol/proxy-protocol/header.ts';
import { converse } from '../net/converse.ts';
import { formatHostPort, formatPath } from '../address/endpoint.ts';
import { presentAddresses } from '../net/presented-address.ts';

/**
 * The PROXY header for a connection: of `ends`, or of the connection's own two ends, ours as the client's.
 * Source: haproxy's proxy-protocol.txt, section 2.
 */
export function encodeHeader(version: 1 | 2, socket: Socket, ends: ProxyEnds = endsOf(socket)): Buffer {
  if (version === 1) return encodeProxyV1(ends);
  return encodeProxyV2({ command: 'proxy', ends, values: [] });
}

/** The ends of a socket as a PROXY header names them; `source` is this side, or with `accepted` the peer's. */
export function endsOf(socket: Socket, side: 'dialled' | 'accepted' = 'dialled'): ProxyEnds {
  const { localAddress, localPort = 0, remoteAddress, remotePort = 0 } = socket;
  if (localAddress === undefined || remoteAddress === undefined) return { family: 'unknown' };
  const local = { host: plainAddress(localAddress), port: localPort };
  const remote = { host: plainAddress(remoteAddress), port: remotePort };
  const family = isIPv4(local.host) && isIPv4(remote.host) ? 'tcp4' : 'tcp6';
  return side === 'dialled'
    ? { family, source: local, destination: remote }
    : { family, source: remote, destination: local };
}

/** How long a client may take for its header. */
const headerMs = 5_000;

/**
 * Reads the PROXY header that a proxy has put before an accepted connection, and presents the socket under the
 * addresses it names. The rest of the stream is left to be read.
 *
 * @throws ProtocolError for a header that is none, TnetError TNET_E_PROXY when the peer ends first or takes more than
 *   five seconds, or the signal's reason.
 */
export async function readHeader(socket: Socket, signal?: AbortSignal): Promise<ProxyHeader> {
  const receiver = new ProxyHeaderReceiver();
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), headerMs);
  try {
    const header = await converse<ProxyHeader>(socket, {
      receive(chunk) {
        const received = receiver.receive(chunk);
        return received ? { done: { value: received.header, rest: received.rest } } : {};
      },
      cut: { code: 'TNET_E_PROXY', message: 'the connection ended before its PROXY header' },
      signal: signal ? AbortSignal.any([signal, limit.signal]) : limit.signal,
    });
    presentEnds(socket, header);
    return header;
  } catch (error) {
    if (!limit.signal.aborted) throw error;
    throw new TnetError('TNET_E_PROXY', `no PROXY header within ${headerMs} ms`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** LOCAL, UNKNOWN and UNSPEC say nothing: the connection's own addresses stay. */
function presentEnds(socket: Socket, { command, ends }: ProxyHeader): void {
  if (command === 'local' || ends.family === 'unknown') return;
  const { source, destination } = ends;
  if (typeof source === 'string' || typeof destination === 'string') {
    presentAddresses(socket, { remote: formatEnd(source), local: formatEnd(destination) });
    return;
  }
  presentAddresses(socket, {
    remote: formatHostPort(source.host, source.port),
    local: formatHostPort(destination.host, destination.port),
    remoteHost: source.host,
    remotePort: source.port,
  });
}

function formatEnd(end: string | { host: string; port: number }): string {
  if (typeof end !== 'string') return formatHostPort(end.host, end.port);
  return end === '' ? 'unix:' : formatPath(end);
}
