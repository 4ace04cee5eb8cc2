import type { Flow } from './flow.ts';
import { guarded } from '../net/guard.ts';

/** How long an interrupted flow may take to deliver what it has read. */
const flushMs = 2_000;

/** Ends flows from our side: what they have read is delivered, within a bound; then they are stopped. */
export function finishFlows(...flows: (Flow | undefined)[]): void {
  const running = flows.filter((flow) => flow !== undefined);
  for (const flow of running) flow.finish();
  const stop = () => {
    for (const flow of running) flow.stop('aborted');
  };
  const timer = setTimeout(guarded(stop), flushMs);
  void Promise.all(running.map((flow) => flow.ended)).then(() => clearTimeout(timer));
}
