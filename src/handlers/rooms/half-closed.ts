import type { Connection } from '../../net/connection.ts';
import { Socket } from '../../net/index.ts';
import { releasePlace } from '../../net/server-state.ts';

/**
 * Clients that have ended their side. They may only have half-closed, and are sent to as long as they are there; or
 * have left. Their places are for the next ones, but no more than `most` are kept beside those: the oldest has to go.
 */
export class HalfClosedClients {
  readonly #most: number;
  readonly #clients = new Map<Connection, AbortController>();

  constructor(most = Infinity) {
    this.#most = most;
  }

  add(client: Connection, stop: AbortController): void {
    if (client instanceof Socket) releasePlace(client);
    this.#clients.set(client, stop);
    const [oldest] = this.#clients.values();
    if (this.#clients.size > this.#most) oldest?.abort();
  }

  delete(client: Connection): void {
    this.#clients.delete(client);
  }
}
