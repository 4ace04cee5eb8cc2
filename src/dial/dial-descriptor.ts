import { fstatSync } from 'node:fs';
import { TnetError, errorCode } from '../errors.ts';
import { readDescriptorFlags, readSocketInode, readSocketTable } from '../net/descriptor-tables.ts';
import { restoreBlocking, type PeerName } from '../net/handles.ts';
import { SocketClass, type Socket } from '../net/socket.ts';
import type { DialOptions } from './dial-options.ts';

/**
 * The connection behind a descriptor that this process was given: a stream socket that is connected, TCP or Unix. The
 * descriptor then belongs to the socket.
 *
 * @throws TnetError TNET_E_DESCRIPTOR for a descriptor that is something else, TNET_E_USAGE for proxies
 */
export function dialDescriptor(fd: number, { proxies = [], observer }: DialOptions): Socket {
  const subject = `fd:${fd}`;
  if (proxies.length > 0) {
    throw new TnetError('TNET_E_USAGE', 'a descriptor is connected already: no proxy can be on the way', {
      subject,
    });
  }
  const fault = findFault(fd);
  if (fault !== undefined) throw refuse(fd, fault);
  observer?.attempt?.(subject);
  const options = { fd, allowHalfOpen: true, dataBeforeError: true, manualStart: true };
  const isBlocking = readDescriptorFlags(fd)?.isNonBlocking === false;
  let socket: Socket;
  try {
    socket = isBlocking ? new SharedSocket(options) : new SocketClass(options);
  } catch (error) {
    throw refuse(fd, `${notConnected} (${errorCode(error) ?? 'ERROR'})`, error);
  }
  const code = findPeerError(socket);
  if (code !== undefined) {
    socket.destroy();
    throw refuse(fd, code === notConnectedCode ? unconnected : `${notConnected} (${code})`);
  }
  return socket.setNoDelay(true);
}

/** O_NONBLOCK belongs to the open socket, which whoever gave it to us may go on using: it is put back. */
class SharedSocket extends SocketClass {
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    restoreBlocking(this);
    super._destroy(error, done);
  }
}

const notConnected = 'the descriptor is not a connected stream socket';
const listening = 'the descriptor is a listening socket, for tnet listen';
const unconnected = 'the socket is not connected';
const notConnectedCode = 'ENOTCONN';

function refuse(fd: number, message: string, cause?: unknown): TnetError {
  return new TnetError('TNET_E_DESCRIPTOR', message, { subject: `fd:${fd}`, cause });
}

/** Why a descriptor is no connection, as far as the system tells without touching it. */
function findFault(fd: number): string | undefined {
  try {
    if (!fstatSync(fd).isSocket()) return `${notConnected} (ENOTSOCK)`;
  } catch {
    return `${notConnected} (EBADF)`;
  }
  if (fd <= 2) return 'standard input and output are used as such: pass the connection as another descriptor';
  return findFaultInTables(fd);
}

/** Source: proc_pid_net(5); net/unix.h: __SO_ACCEPTCON; net.h: socket_state; tcp_states.h: TCP_LISTEN. */
const acceptsFlag = 0x10000;
const streamType = 1;
const connectedState = 3;
const tcpListen = '0A';

/** What the tables of Linux say about a socket; undefined where they say nothing. */
function findFaultInTables(fd: number): string | undefined {
  const inode = readSocketInode(fd);
  if (inode === undefined) return undefined;
  const unix = readSocketTable('unix').find((row) => row[6] === inode);
  if (unix) {
    const [, , , flags = '', type = '', state = ''] = unix;
    if (Number.parseInt(type, 16) !== streamType) return notConnected;
    if (Number.parseInt(flags, 16) & acceptsFlag) return listening;
    return Number.parseInt(state, 16) === connectedState ? undefined : unconnected;
  }
  const tcp = [...readSocketTable('tcp'), ...readSocketTable('tcp6')].find((row) => row[9] === inode);
  return tcp?.[3] === tcpListen ? listening : undefined;
}

/** The code with which the system refuses to name a TCP socket's peer; a Unix socket's is not asked for. */
function findPeerError(socket: Socket): string | undefined {
  const { _handle: handle } = socket as unknown as {
    _handle: { getpeername?: (out: PeerName) => number } | null;
  };
  const status = handle?.getpeername?.({}) ?? 0;
  if (status === 0) return undefined;
  const { getSystemErrorName } = process.getBuiltinModule('node:util');
  return getSystemErrorName(status);
}
