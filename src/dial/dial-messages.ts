import { formatEndpoint, type Endpoint } from '../address/endpoint.ts';
import { errorCode, TnetError } from '../errors.ts';
import type { Deadline } from '../net/deadline.ts';
import type { DatagramPeer } from '../net/datagram-peer.ts';
import type { Socket } from '../net/index.ts';
import { socketKinds } from '../native/messages.ts';
import { nameBytes, openMessageSocket, requireMessages } from '../net/message-calls.ts';
import { PacketConnection } from '../net/packet-connection.ts';
import { connectUnixDatagram } from '../net/unix-datagrams.ts';
import { connectVsock } from '../net/vsock.ts';
import { awaitPlace } from './backlog.ts';
import type { DialOptions } from './dial-options.ts';

type OfKind<Name extends Endpoint['kind']> = Extract<Endpoint, { kind: Name }>;

/** Connects to a socket of Unix datagrams. Success says that somebody has bound it. */
export function dialUnixDatagram(
  endpoint: OfKind<'unix-dgram'>,
  options: DialOptions,
): Promise<DatagramPeer> {
  return attempt(endpoint, options, () => Promise.resolve(connectUnixDatagram(endpoint.path)));
}

/** Connects to a server of Unix packets; while its backlog is full, until the limit. */
export function dialUnixPackets(
  endpoint: OfKind<'unix-seqpacket'>,
  options: DialOptions,
  { signal }: Deadline,
): Promise<PacketConnection> {
  return attempt(endpoint, options, () => awaitPlace(() => connectPackets(endpoint), signal));
}

/** Undefined when the server has no place in its backlog now. @throws the system's error */
function connectPackets(endpoint: OfKind<'unix-seqpacket'>): PacketConnection | undefined {
  const addon = requireMessages(formatEndpoint(endpoint));
  try {
    return openMessageSocket(addon, socketKinds.packet, (fd) => {
      addon.connectUnix(fd, nameBytes(endpoint.path));
      return new PacketConnection(addon, fd);
    });
  } catch (error) {
    if (errorCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}

/** Connects to a port of a virtual machine, or of its host. */
export function dialVsock(
  endpoint: OfKind<'vsock'>,
  options: DialOptions,
  { signal }: Deadline,
): Promise<Socket> {
  return attempt(endpoint, options, () => connectVsock(endpoint, signal));
}

async function attempt<Opened>(
  endpoint: Endpoint,
  { observer, proxies = [] }: DialOptions,
  open: () => Promise<Opened>,
): Promise<Opened> {
  const subject = formatEndpoint(endpoint);
  if (proxies.length > 0)
    throw new TnetError('TNET_E_USAGE', 'a proxy reaches hosts and ports, not this kind of socket', {
      subject,
    });
  observer?.attempt?.(subject);
  try {
    return await open();
  } catch (error) {
    observer?.attemptFailed?.(subject, error as Error);
    throw error;
  }
}
