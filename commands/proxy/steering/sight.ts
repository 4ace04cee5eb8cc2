import type { SteeredConnection, SteeredSight, SteeredTarget } from '../../../src/control/steered.ts';
import { tellLanes } from '../../../src/flow/express-lane.ts';
import { roundMs } from '../../../src/quantities.ts';
import type { Ledger, Moved, Totals } from '../../../src/serve/ledger.ts';
import type { OwnPair } from './own-pair.ts';
import { subtractTotals } from './subtract-totals.ts';
import { isHandedOver, type WorkerGroup } from './worker-group.ts';

/** What a proxy knows of its connections and targets by now; of those of workers, what they said last. */
export class Sight implements SteeredSight {
  readonly #ledger: Ledger;
  /** @throws TnetError TNET_E_UNKNOWN_NAME */
  readonly #findPair: (name: string) => OwnPair;
  /** What had been done at resetTotals(). */
  #before: Totals | undefined;
  /** Who serves the pairs that are handed over. */
  workers: WorkerGroup | undefined;

  constructor(ledger: Ledger, findPair: (name: string) => OwnPair) {
    this.#ledger = ledger;
    this.#findPair = findPair;
  }

  get connections(): readonly SteeredConnection[] {
    tellLanes();
    const now = performance.now();
    return this.#ledger.list().map(({ startedAt, service = '', ...connection }) => ({
      ...connection,
      pair: service,
      ageMs: roundMs(now - startedAt),
    }));
  }

  get totals(): Totals {
    tellLanes();
    const sum = this.#ledger.sum();
    return this.#before ? subtractTotals(sum, this.#before) : sum;
  }

  resetTotals(): void {
    tellLanes();
    this.#before = this.#ledger.sum();
  }

  moved(name: string): Moved {
    tellLanes();
    return this.#ledger.movedBy(this.#findPair(name).name);
  }

  targets(name: string): readonly SteeredTarget[] {
    const pair = this.#findPair(name);
    return this.workers && isHandedOver(pair.state) ? this.workers.targets(pair) : pair.targets;
  }
}
