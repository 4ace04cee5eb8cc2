import type { FaultChange, LiveFaults, PairFault } from './live-faults.ts';

/** A change of the faults of a pair, as plain data: several processes that serve a pair each make it. */
export type FaultOperation =
  /** Puts it behind the others, or before the one of that name. */
  | { readonly add: PairFault; readonly before?: string | undefined }
  | { readonly change: string; readonly to: Partial<Omit<PairFault, 'name'>> }
  | { readonly remove: string }
  | { readonly clear: true };

/** @throws as the methods of LiveFaults do */
export function operate(faults: LiveFaults, operation: FaultOperation): FaultChange {
  if ('add' in operation) {
    const { add, before } = operation;
    return faults.add(add, { ...(before !== undefined && { before }) });
  }
  if ('change' in operation) return faults.change(operation.change, operation.to);
  if ('remove' in operation) return faults.remove(operation.remove);
  return faults.clear();
}
