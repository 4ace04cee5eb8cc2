import type { Destination } from '../dial/dial-options.ts';
import { hasHost, type Endpoint } from '../address/endpoint.ts';
import { parseEndpoint } from '../address/parse.ts';
import { findNearKind, plainAddress } from '../address/address.ts';
import { isOfThisMachine } from '../net/listener-path.ts';

/** What this proxy has bound itself: its listeners and its metrics, each as it is reported: `127.0.0.1:80`. */
export class OwnAddresses {
  readonly #bound = new Map<string, Endpoint>();
  readonly #isOnlyV6: boolean;
  /** Called with all of them when one is added or removed. */
  onChange: ((addresses: readonly string[]) => void) | undefined;

  /** @param family 6: what is bound to every IPv6 address takes no IPv4 client */
  constructor(family?: 4 | 6) {
    this.#isOnlyV6 = family === 6;
  }

  get list(): readonly string[] {
    return [...this.#bound.keys()];
  }

  add(address: string): void {
    if (this.#bound.has(address)) return;
    this.#bound.set(address, parseBound(address));
    this.onChange?.(this.list);
  }

  remove(address: string): void {
    if (this.#bound.delete(address)) this.onChange?.(this.list);
  }

  /** Replaces them with what another process has bound. */
  replace(addresses: readonly string[]): void {
    this.#bound.clear();
    for (const address of addresses) this.#bound.set(address, parseBound(address));
  }

  /** Which of them a connection would arrive at. */
  find(destination: Destination): string | undefined {
    for (const [address, endpoint] of this.#bound) {
      if (arrivesAt(endpoint, destination, this.#isOnlyV6)) return address;
    }
    return undefined;
  }
}

/**
 * Whether a connection to a destination would arrive at a listener bound to an endpoint. Names are not looked up.
 */
export function arrivesAt(
  bound: Endpoint,
  { transport, address, port }: Destination,
  isOnlyV6 = false,
): boolean {
  if (!hasHost(bound)) return false;
  if ((bound.kind === 'udp') !== (transport === 'datagram') || bound.port !== port || port === 0)
    return false;
  const host = plainAddress(bound.host ?? '::');
  const plain = plainAddress(address);
  const isV4 = !plain.includes(':');
  if (findNearKind(host) === 'unspecified') {
    const fits = host.includes(':') ? !isV4 || !isOnlyV6 : isV4;
    return fits && isOfThisMachine(plain);
  }
  // Connecting to the unspecified address connects to loopback.
  if (findNearKind(plain) === 'unspecified') return host === (isV4 ? '127.0.0.1' : '::1');
  return host === plain;
}

/**
 * Parses the address of a listener as it is reported. A path need not have the slash by which paths are recognized.
 */
export function parseBound(address: string): Endpoint {
  try {
    return parseEndpoint(address);
  } catch {
    return { kind: 'unix', path: address };
  }
}
