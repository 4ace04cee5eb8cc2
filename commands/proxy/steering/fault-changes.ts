import type { FaultOperation } from '../../../src/handlers/relay/faults/fault-operation.ts';
import { createLiveFaults } from '../../../src/handlers/relay/faults/pair-faults.ts';
import type { PairState } from './state.ts';

/**
 * What makes the faults of a pair what its settings say. Faults that no setting has made stay as they are.
 *
 * @param before what its settings were
 */
export function listFaultChanges({ pair, faults }: PairState, before: PairState): FaultOperation[] {
  if (!pair.liveFaults) return [];
  const wanted = createLiveFaults(pair.values).list;
  const gone = createLiveFaults(before.pair.values).list.filter(
    ({ name }) => !wanted.some((fault) => fault.name === name),
  );
  const has = (name: string) => faults.list.some((fault) => fault.name === name);
  return [
    ...gone.filter(({ name }) => has(name)).map(({ name }) => ({ remove: name })),
    ...wanted.map(({ name, ...fault }) =>
      has(name) ? { change: name, to: fault } : { add: { name, ...fault } },
    ),
  ];
}
