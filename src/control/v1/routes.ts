import type { AnswerControl } from '../request.ts';
import { answerByRoute, type ControlRoute } from '../route-table.ts';
import { connectionRoutes } from './connections.ts';
import type { ControlContext } from './context.ts';
import { eventRoutes } from './events.ts';
import { faultRoutes } from './faults.ts';
import { pairRoutes } from './pairs.ts';
import { tapRoutes } from './taps.ts';
import { targetRoutes } from './targets.ts';

/** Every operation of the control address under /v1/. docs/control.yaml describes them. */
export const routes: readonly ControlRoute<ControlContext>[] = [
  ...pairRoutes,
  ...faultRoutes,
  ...targetRoutes,
  ...connectionRoutes,
  ...tapRoutes,
  ...eventRoutes,
];

/** The interface of tnet itself. */
export function createOwnInterface(context: ControlContext): AnswerControl {
  return (request) => answerByRoute(routes, request, context);
}
