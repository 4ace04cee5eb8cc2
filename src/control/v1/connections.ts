import { TnetError } from '../../errors.ts';
import type { ControlRoute } from '../route-table.ts';
import type { Steered, SteeredConnection } from '../steered.ts';
import type { ControlContext } from './context.ts';
import { showConnection } from './show.ts';

export const connectionRoutes: readonly ControlRoute<ControlContext>[] = [
  {
    method: 'GET',
    path: '/v1/connections',
    name: 'listConnections',
    answer({ query }, { steered }) {
      const name = query.get('pair');
      if (name !== null) steered.pair(name);
      const connections = steered.connections().filter(({ pair }) => name === null || pair === name);
      return { status: 200, body: { connections: connections.map(showConnection) } };
    },
  },
  {
    method: 'GET',
    path: '/v1/connections/{id}',
    name: 'showConnection',
    answer: ({ parts: { id = '' } }, { steered }) => ({
      status: 200,
      body: showConnection(findConnection(steered, id)),
    }),
  },
  {
    method: 'DELETE',
    path: '/v1/connections/{id}',
    name: 'resetConnection',
    answer({ parts: { id = '' } }, { steered }) {
      steered.reset(findConnection(steered, id).id);
      return { status: 200, body: { connections: 1 } };
    },
  },
  {
    method: 'GET',
    path: '/v1/totals',
    name: 'showTotals',
    answer: (_, { steered }) => ({ status: 200, body: steered.totals() }),
  },
  {
    method: 'POST',
    path: '/v1/totals/reset',
    name: 'resetTotals',
    answer(_, { steered }) {
      steered.resetTotals();
      return { status: 200, body: steered.totals() };
    },
  },
];

export function findConnection(steered: Steered, written: string): SteeredConnection {
  const found = steered.connections().find(({ id }) => String(id) === written);
  if (found) return found;
  throw new TnetError('TNET_E_UNKNOWN_NAME', 'there is no open connection of this number', {
    subject: written,
  });
}
