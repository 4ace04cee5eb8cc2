import { formatHostPort, type Endpoint } from '../../../address/endpoint.ts';
import { TnetError } from '../../../errors.ts';
import type { TargetList } from '../../../access/target-list.ts';
import type { OwnAddresses } from '../../../serve/own-addresses.ts';
import { isLocalListener } from '../../../net/listener-path.ts';
import type { Destination } from '../../../dial/dial-options.ts';
import { findNearKind, plainAddress } from '../../../address/address.ts';
import { loadNativeAddon } from '../../../native/addon.ts';
import type { Connection } from '../../../net/connection.ts';
import { guarded } from '../../../net/guard.ts';
import { Socket } from '../../../net/index.ts';
import { descriptorOf } from '../../../net/tuning.ts';

/** Why a connection may not be made, judged by the address that would be dialled; undefined: it may. */
export type JudgeTarget = (destination: Destination) => TnetError | undefined;

/** For the unspecified address, the system connects to loopback. */
const nearAddresses = {
  unspecified: 'a loopback address of this machine',
  loopback: 'a loopback address of this machine',
  'link-local': 'a link-local address of this machine',
} as const;

/** What the clients of a proxy may name as their targets. */
export interface TargetRules {
  /**
   * The judge of the addresses of a host that a client names; undefined: each may be connected to.
   *
   * @throws TnetError TNET_E_DENIED for a name that may not be asked for, whatever its address
   */
  judgeOf(host: string, port: number): JudgeTarget | undefined;
  /** Judges by the lists alone, for a peer that connects to us. */
  judgePeer(address: string, port: number): TnetError | undefined;
  /** Reads the files of the lists again; undefined without lists. Throws TNET_E_ACCESS; the old ones stay in force. */
  readonly reload: (() => Promise<void>) | undefined;
}

/**
 * The rules of a listener. Through the proxy, clients on other machines could otherwise reach what its machine offers
 * only to itself: loopback, its link, and the proxy's own metrics; an allow list may open the first two. The address is
 * judged and not the name, so that a name server cannot first give one answer and then another; the names of a list are
 * compared with what the client has asked for.
 */
export function createTargetRules(
  listen: Endpoint,
  own: OwnAddresses | undefined,
  list?: TargetList,
): TargetRules {
  const isLocal = isLocalListener(listen);
  const findDenial = (destination: Destination, host: string): string | undefined => {
    const { address, port, isName } = destination;
    const asked = { host, port, address: isName ? undefined : address };
    const denial = list?.judge(asked);
    if (denial !== undefined || isLocal || isName) return denial;
    const kind = findNearKind(address);
    const reason =
      kind && !list?.allowsNear(asked)
        ? nearAddresses[kind]
        : own?.find(destination) && 'a listener of this proxy';
    return reason && `${reason}, which clients on other machines may not reach`;
  };
  return {
    judgeOf(host, port) {
      const denial = list?.judgeName(host, port);
      if (denial !== undefined) throw createDenial(denial, host, port);
      if (!list && isLocal) return undefined;
      return (destination) => {
        const reason = findDenial(destination, host);
        return reason === undefined ? undefined : createDenial(reason, destination.address, destination.port);
      };
    },
    judgePeer(address, port) {
      const denial = list?.judge({ host: address, port, address });
      return denial === undefined ? undefined : createDenial(denial, address, port);
    },
    reload: list && (() => list.reload()),
  };
}

function createDenial(reason: string, host: string, port: number): TnetError {
  return new TnetError('TNET_E_DENIED', reason, { subject: formatHostPort(host, port) });
}

/** The error for a relay that leads back to itself. */
export function createLoopError(listener: string, target: string): TnetError {
  return new TnetError('TNET_E_LOOP', `the relay leads back to itself through ${target}`, {
    subject: listener,
  });
}

/** How long it is remembered that one of our listeners has led to another one. */
const rememberedMs = 5_000;

/**
 * Detects relays that lead back to themselves when they dial: through a name, whose address is known only then.
 * They are not connected, so that not even one round is made.
 */
export class LoopWatch {
  /** For loops that no address shows. */
  readonly connections = new OwnConnections();
  readonly #own: OwnAddresses;
  /** Which of our listeners have led to which, and when last. */
  readonly #led = new Map<string, Map<string, number>>();

  constructor(own: OwnAddresses) {
    this.#own = own;
  }

  /** Judges what a client of the listener `from`, as its address is reported, is to be connected to. */
  judge(from: string, destination: Destination): TnetError | undefined {
    const to = this.#own.find(destination);
    if (to === undefined) return undefined;
    if (to === from || this.#leads(to, from, performance.now(), new Set())) {
      return createLoopError(from, formatHostPort(destination.address, destination.port));
    }
    const led = this.#led.get(from) ?? new Map<string, number>();
    this.#led.set(from, led.set(to, performance.now()));
    return undefined;
  }

  #leads(from: string, to: string, now: number, seen: Set<string>): boolean {
    if (seen.has(from)) return false;
    seen.add(from);
    return [...(this.#led.get(from) ?? [])].some(
      ([next, at]) => now - at < rememberedMs && (next === to || this.#leads(next, to, now, seen)),
    );
  }
}

/**
 * The connections that this process has made to targets. A client that is one of them was led back here by
 * something that no address shows: a firewall rule (DNAT, REDIRECT) of this machine for the target's address.
 */
export class OwnConnections {
  /** Where each leads, by its address on our side. */
  readonly #made = new Map<string, string>();
  /**
   * Those that are not in #made yet: as long as no client arrives through such a rule, their addresses are not
   * asked for.
   */
  readonly #unnamed = new Set<Connection>();

  /** Remembers a connection to a target until it is closed. */
  add(target: Connection): void {
    if (target instanceof Socket) {
      this.#unnamed.add(target);
      target.once('close', () => this.#unnamed.delete(target));
    } else this.#name(target);
  }

  #name(target: Connection): void {
    const from = nameOf(target, target.localAddress, target.localPort);
    const to = nameOf(target, target.remoteAddress, target.remotePort);
    if (from === undefined || to === undefined) return;
    this.#made.set(from, to);
    target.once('close', () => {
      if (this.#made.get(from) === to) this.#made.delete(from);
    });
  }

  #nameAll(): void {
    for (const target of this.#unnamed) this.#name(target);
    this.#unnamed.clear();
  }

  /**
   * Whether a client is one of them. For TCP only when the system can tell the client's original destination
   * (Linux, with the addon): a client on this machine may have the same address as one of our connections to
   * elsewhere.
   */
  has(client: Connection): Promise<boolean> | false {
    const to = client instanceof Socket ? findOriginalDestination(client) : '';
    const from = to === undefined ? undefined : nameOf(client, client.remoteAddress, client.remotePort);
    if (from === undefined) return false;
    if (!(client instanceof Socket)) return this.#made.has(from) && Promise.resolve(true);
    // Our connection may be reported as established after the client's arrival, but in the same round.
    return new Promise((resolve) => {
      const look = () => {
        this.#nameAll();
        resolve(this.#made.get(from) === to);
      };
      setImmediate(guarded(look));
    });
  }
}

function nameOf(connection: Connection, address?: string, port?: number): string | undefined {
  if (address === undefined || port === undefined) return undefined;
  const name = formatHostPort(plainAddress(address), port);
  return connection instanceof Socket ? name : `udp://${name}`;
}

/** The destination from which a firewall rule diverted a client here; undefined when there is no rule. */
function findOriginalDestination(client: Socket): string | undefined {
  const fd = descriptorOf(client);
  const to = fd === undefined ? undefined : loadNativeAddon()?.originalDestination(fd);
  if (to === undefined) return undefined;
  return to === nameOf(client, client.localAddress, client.localPort) ? undefined : to;
}
