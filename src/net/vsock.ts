import { closeSync } from 'node:fs';
import { formatEndpoint, localCid } from '../address/endpoint.ts';
import { errorCode, ExplainedError } from '../errors.ts';
import type { NativeAddon } from '../native/addon.ts';
import { socketKinds } from '../native/messages.ts';
import type { ListeningHandle } from './handles.ts';
import { Socket } from './index.ts';
import { calling, requireMessages } from './message-calls.ts';
import { openPipe } from './pipe-handle.ts';
import type { SocketOptions } from './socket-type.ts';
import { WatchedDescriptor } from './watched-descriptor.ts';

/** A port of a virtual machine or its host; without a CID, of any. */
export interface VsockAddress {
  readonly cid?: number | undefined;
  readonly port: number;
}

/** Any CID, and any free port. Source: vsock(7), VMADDR_CID_ANY and VMADDR_PORT_ANY. */
const anyNumber = 0xffff_ffff;

/**
 * Connects to a port of a virtual machine or its host; without a CID, of this machine.
 *
 * @throws the system's error (ECONNRESET where nothing listens, ENODEV without a way to it), the signal's reason, or
 *   TnetError TNET_E_UNSUPPORTED without the addon
 */
export async function connectVsock(address: VsockAddress, signal: AbortSignal): Promise<Socket> {
  const subject = formatEndpoint({ kind: 'vsock', ...address });
  const addon = requireMessages(subject);
  signal.throwIfAborted();
  const fd = openSocket(addon);
  try {
    if (calling(() => addon.connectVsock(fd, address.cid ?? localCid, address.port)) === 0) {
      await awaitWritable(addon, fd, signal);
      calling(() => addon.takeError(fd));
    }
    const handle = openPipe(addon, fd, 'connection');
    return new Socket({ handle, allowHalfOpen: true, dataBeforeError: true } as unknown as SocketOptions);
  } catch (error) {
    closeSync(fd);
    throw explain(error);
  }
}

function awaitWritable(addon: NativeAddon, fd: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // A descriptor of its own: closing the watch closes it.
    const watched = new WatchedDescriptor(addon, addon.duplicate(fd), {
      onWritable() {
        settle();
        resolve();
      },
    });
    const onAbort = () => {
      settle();
      reject(signal.reason as Error);
    };
    const settle = () => {
      signal.removeEventListener('abort', onAbort);
      watched.close();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    watched.awaitWritable();
  });
}

/** A bound socket for a server, and the address that it has got. */
export interface BoundVsock {
  readonly handle: ListeningHandle;
  readonly address: VsockAddress;
}

/** Binds a port; port 0 is any free one. @throws the system's error */
export function bindVsock({ cid, port }: VsockAddress): BoundVsock {
  const addon = requireMessages(formatEndpoint({ kind: 'vsock', port, ...(cid !== undefined && { cid }) }));
  const fd = openSocket(addon);
  try {
    calling(() => addon.bindVsock(fd, cid ?? anyNumber, port === 0 ? anyNumber : port));
    const [, bound] = addon.vsockLocal(fd);
    return { handle: openPipe(addon, fd, 'server'), address: { cid, port: bound } };
  } catch (error) {
    closeSync(fd);
    throw explain(error);
  }
}

/** What the other end of a connection is called: `vsock:CID:PORT`; undefined when it is gone. */
export function nameVsockPeer(addon: NativeAddon, fd: number): string | undefined {
  try {
    const [cid, port] = addon.vsockRemote(fd);
    return formatEndpoint({ kind: 'vsock', cid, port });
  } catch {
    return undefined;
  }
}

function openSocket(addon: NativeAddon): number {
  try {
    return calling(() => addon.openSocket(socketKinds.vsock));
  } catch (error) {
    throw explain(error);
  }
}

const reasons: Readonly<Partial<Record<string, string>>> = {
  EAFNOSUPPORT: 'this kernel has no VSOCK (its module vsock is not loaded)',
  ENODEV:
    'this kernel has no transport to that CID: a guest needs virtio, a host vhost, and CID 1 vsock_loopback',
  EADDRNOTAVAIL: 'not a CID of this machine',
};

function explain(error: unknown): unknown {
  const message = reasons[errorCode(error) ?? ''];
  return message !== undefined && error instanceof Error ? new ExplainedError(error, message) : error;
}
