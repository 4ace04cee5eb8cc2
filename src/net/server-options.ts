import type net from 'node:net';
import type { UnixListenOptions } from './unix-listener.ts';

export interface ServerOptions extends net.ServerOpts {
  /** Given to every accepted socket; see SocketOptions. Default false. */
  readonly dataBeforeError?: boolean | undefined;
  /** With `keepAlive`: milliseconds between probes of accepted sockets. Default: node:net's, one second. */
  readonly keepAliveInterval?: number | undefined;
  /** With `keepAlive`: unanswered probes after which an accepted socket fails. Default: node:net's, ten. */
  readonly keepAliveCount?: number | undefined;
  /**
   * What becomes of connections beyond `maxConnections`: `drop` closes them and emits 'drop', as node:net does;
   * `wait` stops accepting, so that they wait in the backlog until a connection ends. Default `drop`.
   */
  readonly overflow?: 'drop' | 'wait' | undefined;
  /** Emit 'close' directly after every 'error', and close a server that is still listening. Default false. */
  readonly closeAfterError?: boolean | undefined;
  /**
   * Descriptors to leave free. When an accepted one comes closer to the process's limit, 'exhausted' is emitted with
   * an EMFILE error, and accepting pauses until some are free again. A server that cannot be paused in its backlog
   * (Unix sockets, and TCP before Node 24.20) only reports. 0 switches it off; then libuv accepts and closes what it
   * has no descriptor for, and nobody is told. Default 8. Only Linux tells the limit.
   */
  readonly descriptorReserve?: number | undefined;
}

export interface ListenOptions extends net.ListenOptions, UnixListenOptions {
  /**
   * Where to listen when the host is omitted: `dual` is node:net's `::`, or 0.0.0.0 where IPv6 is off; `ipv4` is
   * 0.0.0.0, every IPv4 address and no other. Default `dual`.
   */
  readonly anyAddress?: 'dual' | 'ipv4' | undefined;
}
