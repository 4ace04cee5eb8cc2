import { isDeepStrictEqual } from 'node:util';
import type { Steered, SteeredPair, WrittenSettings } from '../steered.ts';
import { toToxiproxyError, type ToxiproxyError } from './errors.ts';
import { isSamePlace, targetsOf, toListen, toTargets, writtenListen } from './places.ts';
import { showToxics, type Toxic } from './toxics.ts';
import { readChange, readList, readWanted, type WantedPlace, type WantedProxy } from './wanted.ts';

/** A pair as toxiproxy's clients see it. */
export interface ShownProxy {
  readonly name: string;
  /** What is bound; while it is disabled, what is to be bound. */
  readonly listen: string;
  /** Its targets, with commas between them; '' when it has none. */
  readonly upstream: string;
  readonly enabled: boolean;
  readonly toxics: readonly Toxic[];
  /** What toxiproxy's proxies have not. */
  readonly settings?: WrittenSettings;
}

/** What of a steered proxy this interface needs. */
export type ToxiproxySteered = Pick<
  Steered,
  'pairs' | 'pair' | 'addPair' | 'changePair' | 'setEnabled' | 'removePair' | 'changeFaults' | 'look'
>;

/** How connections fare when their proxy is taken down, replaced or led elsewhere. */
const cutting = { cut: true } as const;

/** The proxies of toxiproxy's interface: the pairs of a proxy that is steered. */
export class Proxies {
  readonly #steered: ToxiproxySteered;
  /** What each pair had bound last, which it binds again when it is enabled. */
  readonly #bound = new WeakMap<object, string>();

  constructor(steered: ToxiproxySteered) {
    this.#steered = steered;
  }

  /** @throws ToxiproxyError 404 */
  show(name: string): ShownProxy {
    return this.#show(this.#steered.pair(name));
  }

  list(): Readonly<Record<string, ShownProxy>> {
    return Object.fromEntries(this.#steered.pairs.map((pair) => [pair.name, this.#show(pair)]));
  }

  /** @throws ToxiproxyError 400, 409, or 500 when its address cannot be bound */
  async create(body: unknown): Promise<ShownProxy> {
    const wanted = readWanted(body);
    await this.#add(wanted);
    return this.show(wanted.name);
  }

  /**
   * Changes what the body names. When it listens or leads elsewhere then, its connections are reset.
   *
   * @throws ToxiproxyError 400, 404, or 500 when the address cannot be bound: then it stays as it was
   */
  async update(name: string, body: unknown): Promise<ShownProxy> {
    const pair = this.#steered.pair(name);
    const { enabled: isEnabled = pair.isEnabled, settings, ...place } = readChange(body);
    const others = Object.entries(settings).filter(
      ([key, value]) => !isDeepStrictEqual(pair.settings[key] ?? null, value),
    );
    const changes = { ...Object.fromEntries(others), ...(await this.#findMoves(pair, place)) };
    if (pair.isEnabled && !isEnabled) await this.#steered.setEnabled(name, false, cutting);
    if (Object.keys(changes).length > 0) await this.#steered.changePair(name, changes, cutting);
    if (!this.#steered.pair(name).isEnabled && isEnabled) await this.#steered.setEnabled(name, true);
    return this.show(name);
  }

  async remove(name: string): Promise<void> {
    await this.#steered.removePair(name, cutting);
  }

  /**
   * Makes the proxies of a list. One that is there already and listens and leads to the same stays as it is, with its
   * toxics; another one of its name is replaced.
   *
   * @returns those before the first that could not be made, and why it could not
   */
  async populate(body: unknown): Promise<{ proxies: ShownProxy[]; error?: ToxiproxyError }> {
    const names: string[] = [];
    try {
      for (const wanted of readList(body)) {
        await this.#addOrReplace(wanted);
        names.push(wanted.name);
      }
      return { proxies: names.map((name) => this.show(name)) };
    } catch (error) {
      const there = new Set(this.#steered.pairs.map(({ name }) => name));
      const proxies = names.filter((name) => there.has(name)).map((name) => this.show(name));
      return { proxies, error: toToxiproxyError(error) };
    }
  }

  /** Enables every proxy and removes every toxic. */
  async reset(): Promise<void> {
    for (const { name, isEnabled } of this.#steered.pairs) {
      if (!isEnabled) await this.#steered.setEnabled(name, true);
      await this.#steered.changeFaults(name, { clear: true });
    }
  }

  #show(pair: SteeredPair): ShownProxy {
    const { name, isEnabled, settings, faults } = pair;
    const others = Object.entries(settings).filter(([key]) => key !== 'listen' && key !== 'targets');
    return {
      name,
      listen: this.#listenOf(pair),
      upstream: targetsOf(settings).join(','),
      enabled: isEnabled,
      toxics: showToxics(faults.list),
      ...(others.length > 0 && { settings: Object.fromEntries(others) }),
    };
  }

  #listenOf({ address, settings, faults }: SteeredPair): string {
    if (address !== undefined) this.#bound.set(faults, address);
    return address ?? this.#bound.get(faults) ?? writtenListen(settings);
  }

  async #add({ name, listen, upstream, settings, enabled: isEnabled }: WantedProxy): Promise<void> {
    const written = { ...settings, listen: toListen(listen), targets: toTargets(upstream) };
    await this.#steered.addPair(name, written, { isEnabled });
  }

  async #addOrReplace(wanted: WantedProxy): Promise<void> {
    const { name, enabled, settings } = wanted;
    const pair = this.#steered.pairs.find((one) => one.name === name);
    if (!pair) return this.#add(wanted);
    const moves = await this.#findMoves(pair, wanted);
    if (Object.keys(moves).length === 0) return;
    if (pair.isEnabled && !enabled) await this.#steered.setEnabled(name, false, cutting);
    const nothing = Object.fromEntries(Object.keys(pair.settings).map((key) => [key, null]));
    const { listen: oldListen, targets: oldTargets } = pair.settings;
    const changes = { ...nothing, listen: oldListen, targets: oldTargets, ...settings, ...moves };
    await this.#steered.changePair(name, changes, cutting);
    await this.#steered.changeFaults(name, { clear: true });
    if (!this.#steered.pair(name).isEnabled && enabled) await this.#steered.setEnabled(name, true);
  }

  /** The settings by which a pair would listen or lead elsewhere; none when it does as wanted. */
  async #findMoves(pair: SteeredPair, { listen, upstream }: WantedPlace): Promise<WrittenSettings> {
    const moves: Record<string, unknown> = {};
    const places = [this.#listenOf(pair), writtenListen(pair.settings)];
    if (listen !== undefined && !(await isSamePlace(toListen(listen), places)))
      moves.listen = toListen(listen);
    const targets = targetsOf(pair.settings);
    if (upstream !== undefined && upstream !== targets.join(',')) moves.targets = toTargets(upstream);
    return moves;
  }
}
