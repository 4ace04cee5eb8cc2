import type { Flow, FlowOptions } from './flow.ts';
import { startStreamFlow } from './stream-flow.ts';

/** Joins a source to a sink with the engine that fits the two ends. */
export function startFlow(options: FlowOptions): Flow {
  return startStreamFlow(options);
}
