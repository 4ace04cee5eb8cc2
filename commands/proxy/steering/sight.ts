import type { SteeredConnection, SteeredSight, SteeredTarget } from '../../../src/control/steered.ts';
import { tellLanes } from '../../../src/flow/express-lane.ts';
import { roundMs } from '../../../src/quantities.ts';
import type { Ledger, Moved, Totals } from '../../../src/serve/ledger.ts';
import { LedgerRates } from './ledger-rates.ts';
import type { OwnPair } from './own-pair.ts';
import { subtractTotals } from './subtract-totals.ts';
import { isHandedOver, type WorkerGroup } from './worker-group.ts';

/** What a proxy knows of its connections and targets by now; of those of workers, what they said last. */
export class Sight implements SteeredSight {
  readonly #ledger: Ledger;
  readonly #findPair: (name: string) => OwnPair;
  readonly #rates: LedgerRates;
  /** What had been done at resetTotals(). */
  #before: Totals | undefined;
  /** Who serves the pairs that are handed over. */
  workers: WorkerGroup | undefined;

  /**
   * The caller closes it.
   *
   * @param findPair throws TNET_E_UNKNOWN_NAME
   */
  constructor(ledger: Ledger, findPair: (name: string) => OwnPair) {
    this.#ledger = ledger;
    this.#findPair = findPair;
    this.#rates = new LedgerRates(ledger);
  }

  close(): void {
    this.#rates.close();
  }

  get connections(): readonly SteeredConnection[] {
    tellLanes();
    const now = performance.now();
    return this.#ledger.list().map((entry) => {
      const { startedAt, service = '', ...connection } = entry;
      const rates = this.workers?.ratesOf(entry.id) ?? this.#rates.of(entry, now);
      return { ...connection, pair: service, ageMs: roundMs(now - startedAt), ...rates };
    });
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
