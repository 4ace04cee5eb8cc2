import { Ledger, type Totals } from '../ledger.ts';

/** Knows what connections elsewhere have carried. */
export class DispatchLedger extends Ledger {
  /** Of the open connections of each worker, when it was asked last. */
  readonly carried = new Map<number, { readonly sentBytes: number; readonly receivedBytes: number }>();

  override sum(): Totals {
    const totals = super.sum();
    let { sentBytes, receivedBytes } = totals;
    for (const worker of this.carried.values()) {
      sentBytes += worker.sentBytes;
      receivedBytes += worker.receivedBytes;
    }
    return { ...totals, sentBytes, receivedBytes };
  }
}
