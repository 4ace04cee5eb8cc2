import net from 'node:net';
import type { PeerName } from './handles.ts';
import { isIP } from '../address/ip.ts';

/** The protocol of a socket. Source: new net.Socket({type}) of Node 0.x. */
export type SocketType = 'tcp4' | 'tcp6' | 'unix';

const types: readonly unknown[] = ['tcp4', 'tcp6', 'unix'];

/** @throws TypeError ERR_INVALID_ARG_VALUE for anything but a type, null or undefined. */
export function checkType(type: unknown): SocketType | undefined {
  if (type == null) return undefined;
  if (types.includes(type)) return type as SocketType;
  throw createTypeError(`The property 'options.type' must be one of: 'tcp4', 'tcp6', 'unix'`, type);
}

/**
 * Closes the socket's open descriptor when it is of another type.
 *
 * @throws TypeError ERR_INVALID_ARG_VALUE when it is.
 */
export function checkDescriptor(socket: net.Socket, type: SocketType): void {
  const { _handle: handle } = socket as unknown as {
    _handle: { getsockname?: (out: PeerName) => number } | null;
  };
  if (!handle) return;
  const name: PeerName = {};
  handle.getsockname?.(name);
  const actual = !handle.getsockname ? 'unix' : name.family === 'IPv6' ? 'tcp6' : 'tcp4';
  if (actual === type) return;
  // The caller cannot: a constructor that throws returns no socket.
  socket.destroy();
  throw createTypeError(`The descriptor is a ${actual} socket, 'options.type' is`, type);
}

interface Target {
  readonly path?: string | undefined;
  readonly host?: string | undefined;
  readonly family?: number | string | undefined;
}

/**
 * The target with the family that the type asks for.
 *
 * @throws TypeError ERR_INVALID_ARG_VALUE when a socket of the type cannot reach the target.
 */
export function fitTarget<T extends Target>(target: T, type: SocketType): T {
  if (type === 'unix') {
    if (target.path != null) return target;
    throw createTypeError(`A socket of type 'unix' connects to a path, not to`, target);
  }
  if (target.path != null) throw createTypeError(`A socket of type '${type}' cannot connect to`, target.path);
  const family = type === 'tcp4' ? 4 : 6;
  const hostFamily = isIP(target.host ?? '');
  if (hostFamily !== 0 && hostFamily !== family) {
    throw createTypeError(`A socket of type '${type}' cannot connect to`, target.host);
  }
  return { ...target, family };
}

function createTypeError(message: string, received: unknown): TypeError {
  const shown = typeof received === 'string' ? `'${received}'` : JSON.stringify(received);
  return Object.assign(new TypeError(`${message}. Received ${shown}`), { code: 'ERR_INVALID_ARG_VALUE' });
}

/** A socket's options: node:net's and these. */
export interface SocketOptions extends Omit<net.SocketConstructorOpts, 'fd'> {
  /** An open descriptor to take over; closing the socket closes it. Default null, none. */
  readonly fd?: number | null | undefined;
  /**
   * The protocol, which connect() then keeps to: another kind of target, or a descriptor of another type (which is
   * closed), is a TypeError ERR_INVALID_ARG_VALUE. Default null, any.
   */
  readonly type?: SocketType | null | undefined;
  /**
   * Deliver every byte that the peer sent before the error that ended the connection: `'error'` waits until the
   * reader has taken what was received, a failed write waits until the read side has come to its own end, and a
   * reset is never mistaken for a clean end. node:net drops bytes and can miss resets. A socket that is not read
   * from gets its write errors at once. Default false, as in node:net.
   */
  readonly dataBeforeError?: boolean | undefined;
  /** With `keepAlive`: milliseconds between probes. Default: node:net's, one second. */
  readonly keepAliveInterval?: number | undefined;
  /** With `keepAlive`: unanswered probes after which the connection fails. Default: node:net's, ten. */
  readonly keepAliveCount?: number | undefined;
}
