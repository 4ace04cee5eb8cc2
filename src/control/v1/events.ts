import type { ControlRoute } from '../route-table.ts';
import type { ControlContext } from './context.ts';

export const eventRoutes: readonly ControlRoute<ControlContext>[] = [
  {
    method: 'GET',
    path: '/v1/events',
    name: 'streamEvents',
    answer: ({ method }, { feeds }) => ({
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      ...(method !== 'HEAD' && { body: feeds.open() }),
    }),
  },
];
