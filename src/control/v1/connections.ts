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
    async answer({ query }, { steered }) {
      const name = query.get('pair');
      if (name !== null) steered.pair(name);
      const { connections } = await steered.look();
      const wanted = connections.filter(({ pair }) => name === null || pair === name);
      return { status: 200, body: { connections: wanted.map(showConnection) } };
    },
  },
  {
    method: 'GET',
    path: '/v1/connections/{id}',
    name: 'showConnection',
    answer: async ({ parts: { id = '' } }, { steered }) => ({
      status: 200,
      body: showConnection(await findConnection(steered, id)),
    }),
  },
  {
    method: 'DELETE',
    path: '/v1/connections/{id}',
    name: 'resetConnection',
    async answer({ parts: { id = '' } }, { steered }) {
      steered.reset((await findConnection(steered, id)).id);
      return { status: 200, body: { connections: 1 } };
    },
  },
  {
    method: 'GET',
    path: '/v1/totals',
    name: 'showTotals',
    answer: async (_, { steered }) => ({ status: 200, body: (await steered.look()).totals }),
  },
  {
    method: 'POST',
    path: '/v1/totals/reset',
    name: 'resetTotals',
    async answer(_, { steered }) {
      await steered.resetTotals();
      return { status: 200, body: (await steered.look()).totals };
    },
  },
];

/** @throws TnetError TNET_E_UNKNOWN_NAME */
export async function findConnection(steered: Steered, written: string): Promise<SteeredConnection> {
  const { connections } = await steered.look();
  const found = connections.find(({ id }) => String(id) === written);
  if (found) return found;
  throw new TnetError('TNET_E_UNKNOWN_NAME', 'there is no open connection of this number', {
    subject: written,
  });
}
