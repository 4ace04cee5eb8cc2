import { AsyncLocalStorage } from 'node:async_hooks';
import { TnetError } from '../../../errors.ts';
import { checkFault, type Fault } from '../../../transform/faults/fault.ts';
import { FaultChain } from '../../../transform/faults/fault-chain.ts';
import { createRandom } from '../../../transform/random.ts';

export type FaultDirection = 'up' | 'down';

/** A fault of a pair's connections. */
export interface PairFault {
  /** Unique among the faults of the pair. */
  readonly name: string;
  /** The way that it acts on: `up` is from the client to the target. Default `both`. */
  readonly direction?: FaultDirection | 'both';
  /** The share of the connections that it is caused in, from 0 to 1. Default 1. */
  readonly toxicity?: number;
  /** Faults with the same word here are caused in the same connections, as far as their toxicity allows. */
  readonly group?: string;
  readonly fault: Fault;
}

/** What a change came to. */
export interface FaultChange {
  /** How many open connections it applied to. */
  readonly connections: number;
}

/** What the faults of a connection do to it. */
export interface LiveActions {
  /** Closes the connection once everything that came through in this direction has been delivered. */
  readonly close: (direction: FaultDirection) => void;
  readonly reset: () => void;
  /** The transforms are needed from now on. Default: they are from the beginning. */
  readonly needed?: () => void;
}

/** The faults of one connection, as transforms of its two directions. */
export interface ConnectionFaults {
  readonly up: FaultChain;
  readonly down: FaultChain;
  /** Whether there is no fault, so that bytes need not pass. */
  readonly isIdle: boolean;
  /** How long a byte may be held on purpose at this moment, in milliseconds. */
  readonly holdMs: () => number;
  /** The connection is over. */
  readonly close: () => void;
}

interface OpenLink {
  readonly connection: number;
  readonly chains: Readonly<Record<FaultDirection, FaultChain>>;
  readonly needed: () => void;
  /** Runs a function as code of the connection: an exception then ends this connection. */
  readonly inside: <T>(work: () => T) => T;
}

const directions: readonly FaultDirection[] = ['up', 'down'];

/**
 * The faults of a pair, which can be added, changed and removed while connections are open: at once in these, and in
 * those that come. In each direction they act in the order of the list.
 *
 * Which connections a fault is caused in is drawn once for each connection and fault: raising its toxicity adds
 * connections, and lowering it takes some of them out again. With the same seed, the draws are the same.
 */
export class LiveFaults {
  /** What all draws depend on, besides the number of the connection and the name of the fault. */
  readonly seed: number;
  #faults: readonly PairFault[] = [];
  readonly #open = new Set<OpenLink>();

  /** @param seed default: another one each time */
  constructor({ seed = Math.floor(Math.random() * 2 ** 32) }: { readonly seed?: number | undefined } = {}) {
    this.seed = seed;
  }

  /** The faults, in the order in which bytes pass them. */
  get list(): readonly PairFault[] {
    return this.#faults;
  }

  /**
   * Adds a fault behind the others, or before the one of that name.
   *
   * @throws TnetError TNET_E_NAME_TAKEN, or TNET_E_USAGE when its settings cannot be
   */
  add(fault: PairFault, { before }: { readonly before?: string } = {}): FaultChange {
    checkPairFault(fault);
    if (this.#faults.some(({ name }) => name === fault.name))
      throw new TnetError('TNET_E_NAME_TAKEN', 'another fault has this name', { subject: fault.name });
    const at = before === undefined ? this.#faults.length : this.#indexOf(before);
    return this.#use(this.#faults.toSpliced(at, 0, fault), fault.name);
  }

  /**
   * Gives a fault other settings, in its place. What is not named stays as it is; its direction may change as well.
   *
   * @throws TnetError TNET_E_UNKNOWN_NAME, or TNET_E_USAGE when the settings cannot be
   */
  change(name: string, settings: Partial<Omit<PairFault, 'name'>>): FaultChange {
    const at = this.#indexOf(name);
    const changed: PairFault = { ...(this.#faults[at] as PairFault), ...settings, name };
    checkPairFault(changed);
    return this.#use(this.#faults.with(at, changed), name);
  }

  /**
   * Removes a fault. What it holds goes on at once.
   *
   * @throws TnetError TNET_E_UNKNOWN_NAME
   */
  remove(name: string): FaultChange {
    return this.#use(this.#faults.toSpliced(this.#indexOf(name), 1), name);
  }

  /** Removes all faults. */
  clear(): FaultChange {
    const touched = new Set<OpenLink>();
    for (const { name } of this.#faults) this.#use(this.#faults.slice(1), name, touched);
    return { connections: touched.size };
  }

  /** Draws the faults of a connection, by its number. Whoever opens it calls close() at its end. */
  open(connection: number, { close, reset, needed = () => undefined }: LiveActions): ConnectionFaults {
    const create = (direction: FaultDirection) => new FaultChain({ close: () => close(direction), reset });
    const chains = { up: create('up'), down: create('down') };
    const link: OpenLink = { connection, chains, needed, inside: AsyncLocalStorage.snapshot() };
    this.#open.add(link);
    for (const { name } of this.#faults) this.#apply(link, name);
    return {
      ...chains,
      isIdle: !hasFaults(link),
      holdMs: () => Math.max(chains.up.holdMs, chains.down.holdMs),
      close: () => void this.#open.delete(link),
    };
  }

  #indexOf(name: string): number {
    const at = this.#faults.findIndex((fault) => fault.name === name);
    if (at < 0)
      throw new TnetError('TNET_E_UNKNOWN_NAME', 'the pair has no fault of this name', { subject: name });
    return at;
  }

  /** Uses another list, which differs in the fault of that name. */
  #use(faults: readonly PairFault[], name: string, touched = new Set<OpenLink>()): FaultChange {
    this.#faults = faults;
    for (const link of [...this.#open]) {
      if (!link.inside(() => this.#apply(link, name))) continue;
      touched.add(link);
      if (hasFaults(link)) link.inside(link.needed);
    }
    return { connections: touched.size };
  }

  /** Makes a fault of a connection what the list says. @returns whether that changed anything */
  #apply({ connection, chains }: OpenLink, name: string): boolean {
    const wanted = this.#faults.find((fault) => fault.name === name);
    let isChanged = false;
    for (const direction of directions) {
      const chain = chains[direction];
      if (chain.destroyed) continue;
      const isThere = chain.faults.some((fault) => fault.name === name);
      const random = createRandom(this.seed, connection, direction, name);
      if (!wanted || !this.#hits(wanted, direction, connection)) {
        if (!isThere) continue;
        chain.remove(name);
      } else if (isThere) chain.change(name, wanted.fault, random);
      else chain.add(name, wanted.fault, { at: this.#placeIn(chain, name), random });
      isChanged = true;
    }
    return isChanged;
  }

  /** Behind how many faults of the chain a fault comes by the list. */
  #placeIn({ faults }: FaultChain, name: string): number {
    const before = this.#faults.slice(0, this.#indexOf(name));
    return faults.filter((one) => before.some((other) => other.name === one.name)).length;
  }

  #hits(
    { name, direction = 'both', toxicity = 1, group }: PairFault,
    way: FaultDirection,
    connection: number,
  ): boolean {
    if (direction !== 'both' && direction !== way) return false;
    return createRandom(this.seed, connection, 'toxicity', group ?? name)() < toxicity;
  }
}

function hasFaults({ chains: { up, down } }: OpenLink): boolean {
  return up.faults.length + down.faults.length > 0;
}

/** @throws TnetError TNET_E_USAGE */
function checkPairFault({ name, fault, toxicity = 1 }: PairFault): void {
  if (name === '') throw new TnetError('TNET_E_USAGE', 'a fault has a name of at least one character');
  if (!(toxicity >= 0 && toxicity <= 1))
    throw new TnetError('TNET_E_USAGE', 'expected a number from 0 to 1', { subject: 'toxicity' });
  checkFault(fault);
}

/** The faults of a pair that are not exchanged: its settings say what they are, for the connections that come. */
export class FixedFaults extends LiveFaults {
  override add(): never {
    throw fixedError();
  }

  override change(): never {
    throw fixedError();
  }

  override remove(): never {
    throw fixedError();
  }

  override clear(): FaultChange {
    return { connections: 0 };
  }
}

function fixedError(): TnetError {
  return new TnetError(
    'TNET_E_UNSUPPORTED',
    'the faults of datagrams are settings of the pair, and hold for the sessions that come',
  );
}
