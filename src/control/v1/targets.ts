import { readBoolean, readFields, wrong } from '../fields.ts';
import type { Steered } from '../steered.ts';
import type { ControlRoute } from '../route-table.ts';
import type { ControlContext } from './context.ts';
import { showTarget } from './show.ts';

export const targetRoutes: readonly ControlRoute<ControlContext>[] = [
  {
    method: 'GET',
    path: '/v1/pairs/{name}/targets',
    name: 'listTargets',
    answer: async ({ parts: { name = '' } }, { steered }) => ({
      status: 200,
      body: { targets: await showTargets(steered, name) },
    }),
  },
  {
    method: 'PATCH',
    path: '/v1/pairs/{name}/targets/{address}',
    name: 'changeTarget',
    async answer({ body, parts: { name = '', address = '' } }, { steered }) {
      const fields = readFields(body, ['isEnabled', 'cut']);
      const isEnabled = readBoolean(fields, 'isEnabled');
      if (isEnabled === undefined) throw wrong('/isEnabled', 'expected true or false');
      const cut = readBoolean(fields, 'cut');
      const { connections } = await steered.setTargetEnabled(name, address, isEnabled, { cut });
      return { status: 200, body: { targets: await showTargets(steered, name), connections } };
    },
  },
];

/** @throws TnetError TNET_E_UNKNOWN_NAME */
async function showTargets(steered: Steered, name: string): Promise<object[]> {
  return (await steered.look()).targets(name).map(showTarget);
}
