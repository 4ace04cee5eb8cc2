import type net from 'node:net';
import { internals, kState, type StatefulServer } from './server-state.ts';

/** How many connections count against a server's limit: the open ones whose place has not been given back. */
export function countPlaces(server: StatefulServer): number {
  const { released } = server[kState];
  // A closing connection is not counted by node:net any more, and leaves the set a little later.
  const away = released.size === 0 ? 0 : [...released].filter(({ destroyed }) => !destroyed).length;
  return internals(server)._connections - away;
}

/** Whether the server has as many connections as it may. */
export function isFull(server: StatefulServer): boolean {
  // node:net gives the property no value until it is set.
  const { maxConnections } = server as { maxConnections?: number | null };
  return maxConnections != null && countPlaces(server) >= maxConnections;
}

/**
 * Gives an accepted connection's place to the next one although it is still open: its client has ended its side and
 * may be gone. The server's close() goes on waiting for it. Does nothing for other sockets.
 */
export function releasePlace(socket: net.Socket): void {
  const { _server: server } = socket as unknown as { _server?: StatefulServer | null };
  if (!server || !(kState in server) || socket.destroyed) return;
  const { released, gate } = server[kState];
  released.add(socket);
  socket.once('close', () => released.delete(socket));
  if (gate?.isShut && !isFull(server)) gate.open('full');
}
