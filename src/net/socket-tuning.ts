import { TnetError } from '../errors.ts';
import { loadNativeAddon, nativeStatus, type NativeAddon, type NumberOption } from '../native/addon.ts';
import { descriptorOfDatagrams, type DatagramSocket } from './datagram.ts';
import type { Socket } from './index.ts';
import type { SetKeepAlive } from './socket.ts';
import { descriptorOf } from './tuning.ts';

/** Socket options of a connection. What is absent keeps the default of the system, or of tnet. */
export interface SocketTuning {
  /** Send small writes at once (TCP_NODELAY). tnet's default: true. */
  readonly noDelay?: boolean | undefined;
  /** Probe a quiet connection. Times in milliseconds, whole seconds. */
  readonly keepAlive?:
    | {
        readonly idleMs: number;
        readonly intervalMs?: number | undefined;
        readonly count?: number | undefined;
      }
    | undefined;
  /** The type of service (IPv4) or traffic class (IPv6), 0 to 255. */
  readonly typeOfService?: number | undefined;
  /** Bytes of the system's buffers; Linux doubles them, for its own book-keeping. */
  readonly receiveBufferBytes?: number | undefined;
  readonly sendBufferBytes?: number | undefined;
  /** Hops a packet may take, 1 to 255. */
  readonly hopLimit?: number | undefined;
  /** Seconds that closing waits for the peer to take the rest; 0 makes closing a reset. */
  readonly lingerSeconds?: number | undefined;
}

/**
 * Returns a function that sets the options on a connected socket. The caller has checked times and numbers.
 *
 * @throws TnetError TNET_E_UNSUPPORTED at once when an option needs the native addon and there is none. The function
 *   that is returned throws the system's error when an option cannot be set.
 */
export function createTuner(tuning: SocketTuning): (socket: Socket) => void {
  const { noDelay, keepAlive, typeOfService } = tuning;
  const setNative = createNativeTuner(tuning);
  return (socket) => {
    if (noDelay !== undefined) socket.setNoDelay(noDelay);
    if (keepAlive) {
      const { idleMs, intervalMs, count } = keepAlive;
      (socket.setKeepAlive as SetKeepAlive)(true, idleMs, intervalMs, count);
    }
    if (typeOfService !== undefined) setTypeOfService(socket, typeOfService);
    setNative?.(socket);
  };
}

/** On an IPv6 socket with an IPv4 client, node:net sets an option that does not apply to that client's packets. */
function setTypeOfService(socket: Socket, value: number): void {
  const fd = descriptorOf(socket);
  const addon = loadNativeAddon();
  if (addon && fd !== undefined) addon.setOption(fd, 'tos', value);
  else socket.setTypeOfService(value);
}

/** The flags of options that node:net cannot set, by the addon's names. */
const nativeFlags = { rcvbuf: '--rcvbuf', sndbuf: '--sndbuf', ttl: '--ttl', linger: '--linger' } as const;

function createNativeTuner(tuning: SocketTuning): ((socket: Socket) => void) | undefined {
  const wanted: readonly (readonly [keyof typeof nativeFlags & NumberOption, number | undefined])[] = [
    ['rcvbuf', tuning.receiveBufferBytes],
    ['sndbuf', tuning.sendBufferBytes],
    ['ttl', tuning.hopLimit],
    ['linger', tuning.lingerSeconds],
  ];
  const options = wanted.filter((entry): entry is [(typeof entry)[0], number] => entry[1] !== undefined);
  const [first] = options;
  if (!first) return undefined;
  const addon = requireAddon(nativeFlags[first[0]]);
  return (socket) => {
    const fd = descriptorOf(socket);
    if (fd === undefined) return;
    for (const [name, value] of options) addon.setOption(fd, name, value);
  };
}

/**
 * Returns a function that sets the options that a bound UDP socket has: buffers, type of service and hop limit,
 * also for what is sent to a multicast group. The others are ignored.
 *
 * @throws as createTuner() does, and the function that is returned likewise
 */
export function createDatagramTuner({
  typeOfService,
  hopLimit,
  receiveBufferBytes,
  sendBufferBytes,
}: SocketTuning): (socket: DatagramSocket) => void {
  const addon = typeOfService === undefined ? loadNativeAddon() : requireAddon('--tos');
  return (socket) => {
    if (receiveBufferBytes !== undefined) socket.setRecvBufferSize(receiveBufferBytes);
    if (sendBufferBytes !== undefined) socket.setSendBufferSize(sendBufferBytes);
    const fd = descriptorOfDatagrams(socket);
    if (hopLimit !== undefined) {
      socket.setTTL(hopLimit);
      socket.setMulticastTTL(hopLimit);
      // Packets from an IPv6 socket to IPv4 have a limit of their own.
      if (fd !== undefined) addon?.setOption(fd, 'ttl', hopLimit);
    }
    if (fd !== undefined && typeOfService !== undefined) addon?.setOption(fd, 'tos', typeOfService);
  };
}

function requireAddon(flag: string): NativeAddon {
  const addon = loadNativeAddon();
  if (addon) return addon;
  const reason = nativeStatus().reason ?? 'it is not installed';
  throw new TnetError('TNET_E_UNSUPPORTED', `needs tnet's native addon: ${reason}`, { subject: flag });
}
