import type { Flow, FlowOptions } from './flow.ts';
import { spliceFlow, spliceFlowPair } from './splice-flow.ts';
import { startStreamFlow } from './stream-flow.ts';
import { guarded } from '../net/guard.ts';

/**
 * Joins a source to a sink with the engine that fits: the native one when both are raw descriptors and nothing looks
 * at the bytes, else Node streams. For a flow whose two ends no other flow uses; see startFlowPair.
 */
export function startFlow(options: FlowOptions): Flow {
  return spliceFlow(options) ?? startStreamFlow(options);
}

/**
 * Starts the two opposite flows of one connection, both in the same engine: the kernel reports a reset once, and of
 * two engines only one would see it.
 */
export function startFlowPair(first: FlowOptions, second: FlowOptions): [Flow, Flow] {
  return spliceFlowPair(first, second) ?? [startStreamFlow(first), startStreamFlow(second)];
}

/** How long an interrupted flow may take to deliver what it has read. */
const flushMs = 2_000;

/** Ends flows from our side: what they have read is delivered, within a time limit; then they are stopped. */
export function finishFlows(...flows: (Flow | undefined)[]): void {
  const running = flows.filter((flow) => flow !== undefined);
  for (const flow of running) flow.finish();
  const stop = () => {
    for (const flow of running) flow.stop('aborted');
  };
  const timer = setTimeout(guarded(stop), flushMs);
  void Promise.all(running.map((flow) => flow.ended)).then(() => clearTimeout(timer));
}
