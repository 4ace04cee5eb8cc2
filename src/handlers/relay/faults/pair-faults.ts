import type { Fault } from '../../../transform/faults/fault.ts';
import type { FaultValues } from '../pair.ts';
import { LiveFaults } from './live-faults.ts';

/** Of one word, so that --probability is drawn once for all faults of a connection. */
const group = 'options';

/** The faults that a pair's options ask for, each named like its kind, in the order in which they act. */
export function createLiveFaults(values: FaultValues): LiveFaults {
  const { seed, direction = 'both', probability: toxicity = 1, resetAfter } = values;
  const live = new LiveFaults({ seed });
  for (const fault of listFaults(values)) live.add({ name: fault.kind, direction, toxicity, group, fault });
  // One of a direction goes with the end of that direction, and this is to reset the connection in any case.
  if (resetAfter !== undefined)
    live.add({ name: 'reset', toxicity, group, fault: { kind: 'reset', afterMs: resetAfter } });
  return live;
}

function listFaults(values: FaultValues): readonly Fault[] {
  const { corrupt, bandwidth, latency, dropAfter, slowClose, blackhole } = values;
  const { slice, sliceSize, sliceDelay } = values;
  const isSliced = slice ?? (sliceSize !== undefined || sliceDelay !== undefined);
  const { mean: bytes, spread: variationBytes } = sliceSize ?? { mean: 64, spread: 63 };
  const faults: (Fault | false)[] = [
    corrupt !== undefined && { kind: 'corrupt', share: corrupt },
    bandwidth !== undefined && { kind: 'bandwidth', bytesPerSecond: bandwidth },
    latency !== undefined && { kind: 'latency', delayMs: latency.mean, jitterMs: latency.spread },
    isSliced && { kind: 'slice', bytes, variationBytes, delayMs: sliceDelay ?? 0 },
    dropAfter !== undefined && { kind: 'limit', bytes: dropAfter },
    slowClose !== undefined && { kind: 'slow-close', delayMs: slowClose },
    blackhole === true && { kind: 'blackhole' },
  ];
  return faults.filter((fault) => fault !== false);
}
