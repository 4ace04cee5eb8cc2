import type { SteeringChange } from '../../../src/control/steered.ts';
import { createLiveFaults } from '../../../src/handlers/relay/faults/pair-faults.ts';
import type { PairState } from './state.ts';

/**
 * Makes the faults of a pair what its settings say, at once. Faults that no setting has made stay as they are.
 *
 * @param before what its settings were
 */
export function applyFaults({ pair, faults }: PairState, before: PairState): SteeringChange {
  if (!pair.liveFaults) return { connections: 0 };
  const wanted = createLiveFaults(pair.values).list;
  const gone = createLiveFaults(before.pair.values).list.filter(
    ({ name }) => !wanted.some((fault) => fault.name === name),
  );
  const has = (name: string) => faults.list.some((fault) => fault.name === name);
  const changes = [
    ...gone.filter(({ name }) => has(name)).map(({ name }) => faults.remove(name)),
    ...wanted.map(({ name, ...fault }) =>
      has(name) ? faults.change(name, fault) : faults.add({ name, ...fault }),
    ),
  ];
  // All are caused in the same connections.
  return { connections: Math.max(0, ...changes.map(({ connections }) => connections)) };
}
