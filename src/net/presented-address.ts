import type { Connection } from './connection.ts';

/** The ends of a connection as they are reported: its own, or as a proxy before us saw them. */
export interface PresentedAddresses {
  readonly remote: string;
  readonly local: string;
  /** The client's IP address and port as a PROXY header names them; absent without one, and for a Unix client. */
  readonly remoteHost?: string;
  readonly remotePort?: number;
}

const presented = new WeakMap<Connection, PresentedAddresses>();

/** Makes formatRemote() and formatLocal() show these addresses for the socket from now on. */
export function presentAddresses(socket: Connection, addresses: PresentedAddresses): void {
  presented.set(socket, addresses);
}

/** What presentAddresses() has been told of the socket, which outlasts the connection. */
export function presentedAddresses(socket: Connection): PresentedAddresses | undefined {
  return presented.get(socket);
}
