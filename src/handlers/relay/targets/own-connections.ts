import { formatHostPort } from '../../../address/endpoint.ts';
import { plainAddress } from '../../../address/address.ts';
import { loadNativeAddon } from '../../../native/addon.ts';
import type { Connection } from '../../../net/connection.ts';
import { guarded } from '../../../net/guard.ts';
import { Socket } from '../../../net/index.ts';
import { descriptorOf } from '../../../net/tuning.ts';

/**
 * The connections that this process has made to targets. A client that is one of them has been led back here by what no
 * address shows: a rule of this machine (DNAT, REDIRECT) for the target's.
 */
export class OwnConnections {
  /** Where each leads, by our own address of it. */
  readonly #made = new Map<string, string>();

  /** Remembers a connection to a target until it is closed. */
  add(target: Connection): void {
    const from = nameOf(target, target.localAddress, target.localPort);
    const to = nameOf(target, target.remoteAddress, target.remotePort);
    if (from === undefined || to === undefined) return;
    this.#made.set(from, to);
    target.once('close', () => {
      if (this.#made.get(from) === to) this.#made.delete(from);
    });
  }

  /**
   * Whether a client is one of them. Of TCP only where the system tells where the client was going (Linux, with the addon):
   * a client of this machine may have the same address as one of ours to elsewhere.
   */
  has(client: Connection): Promise<boolean> | false {
    const from = nameOf(client, client.remoteAddress, client.remotePort);
    if (from === undefined) return false;
    if (!(client instanceof Socket)) return this.#made.has(from) && Promise.resolve(true);
    const to = findOriginalDestination(client);
    if (to === undefined) return false;
    // That ours stands may be told after that the client is here, but in the same round.
    return new Promise((resolve) => setImmediate(guarded(() => resolve(this.#made.get(from) === to))));
  }
}

function nameOf(connection: Connection, address?: string, port?: number): string | undefined {
  if (address === undefined || port === undefined) return undefined;
  const name = formatHostPort(plainAddress(address), port);
  return connection instanceof Socket ? name : `udp://${name}`;
}

/** Where a rule has had a client come here from; undefined when there is none. */
function findOriginalDestination(client: Socket): string | undefined {
  const fd = descriptorOf(client);
  const to = fd === undefined ? undefined : loadNativeAddon()?.originalDestination(fd);
  return to === nameOf(client, client.localAddress, client.localPort) ? undefined : to;
}
