import type net from 'node:net';
import type { SocketType } from './socket-type.ts';

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
   * reset is never taken for a clean end. node:net drops bytes and can miss resets. A socket that nobody reads from
   * gets its write errors at once. Default false, as in node:net.
   */
  readonly dataBeforeError?: boolean | undefined;
  /** With `keepAlive`: milliseconds between probes. Default: node:net's, one second. */
  readonly keepAliveInterval?: number | undefined;
  /** With `keepAlive`: unanswered probes after which the connection fails. Default: node:net's, ten. */
  readonly keepAliveCount?: number | undefined;
}
