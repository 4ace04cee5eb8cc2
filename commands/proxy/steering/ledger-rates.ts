import { tellLanes } from '../../../src/flow/express-lane.ts';
import { guarded } from '../../../src/net/guard.ts';
import type { CarriedConnection, Ledger } from '../../../src/serve/ledger.ts';
import { Rates, type ConnectionRates } from './rates.ts';

/** How often what connections have moved is noted, for their rates. */
const noteMs = 1_000;

/** The rates of the open connections of a ledger. */
export class LedgerRates {
  readonly #ledger: Ledger;
  readonly #rates = new Rates();
  readonly #noting: NodeJS.Timeout;

  /** The caller closes it. */
  constructor(ledger: Ledger) {
    this.#ledger = ledger;
    this.#noting = setInterval(
      guarded(() => this.#note()),
      noteMs,
    ).unref();
  }

  of(connection: CarriedConnection, now?: number): ConnectionRates {
    return this.#rates.of(connection, now);
  }

  /** Those of all, by the numbers of the connections. */
  list(): [id: number, rates: ConnectionRates][] {
    return this.#ledger.list().map((connection) => [connection.id, this.of(connection)]);
  }

  close(): void {
    clearInterval(this.#noting);
  }

  #note(): void {
    tellLanes();
    this.#rates.note(this.#ledger.list());
  }
}
