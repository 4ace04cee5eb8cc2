import type net from 'node:net';
import type { AcceptGate } from './accept-gate.ts';
import type { ServerInternals } from './handles.ts';
import type { LongTimer } from './long-timer.ts';
import type { ListenOptions, ServerOptions } from './server-options.ts';
import type { UnixListener } from './unix-listener.ts';

/** What a tnet Server remembers beside node:net's own fields. */
export interface ServerState {
  readonly options: ServerOptions;
  /** As given to the last listen(). */
  listenOptions: ListenOptions;
  /** From listening to close(). */
  gate: AcceptGate | undefined;
  /** The Unix socket file to delete, from listening to close(). */
  unix: UnixListener | undefined;
  /** Runs while pause() does. */
  pauseTimer: LongTimer | undefined;
  /** Runs while accepting waits for free descriptors. */
  retryTimer: NodeJS.Timeout | undefined;
  /** Open connections that do not count against maxConnections any more. */
  readonly released: Set<net.Socket>;
  /** Opens the gate if enough descriptors are free; set when they first run out. */
  lookForDescriptors: (() => void) | undefined;
  /** From a call of close() to the 'close' that it leads to; only kept with `closeAfterError`. */
  isClosing: boolean;
}

export const kState = Symbol('tnet.server');

/** A server with its state; the class itself, without the import circle. */
export type StatefulServer = net.Server & { [kState]: ServerState };

export function createServerState(options: unknown): ServerState {
  return {
    options: typeof options === 'object' && options !== null ? options : {},
    listenOptions: {},
    gate: undefined,
    unix: undefined,
    pauseTimer: undefined,
    retryTimer: undefined,
    released: new Set(),
    lookForDescriptors: undefined,
    isClosing: false,
  };
}

export function internals(server: net.Server): ServerInternals {
  return server as unknown as ServerInternals;
}
