import { readBoolean, readFields, readObject, readSwitch, readText, within, wrong } from '../fields.ts';
import type { ControlRoute } from '../route-table.ts';
import type { ControlContext } from './context.ts';
import type { Steered, SteeredPair } from '../steered.ts';
import { showPair } from './show.ts';

export const pairRoutes: readonly ControlRoute<ControlContext>[] = [
  {
    method: 'GET',
    path: '/v1/pairs',
    name: 'listPairs',
    async answer(_, { steered }) {
      const sight = await steered.look();
      return { status: 200, body: { pairs: steered.pairs.map((pair) => showPair(pair, sight)) } };
    },
  },
  {
    method: 'POST',
    path: '/v1/pairs',
    name: 'addPair',
    async answer({ body }, { steered }) {
      const fields = readFields(body, ['name', 'isEnabled', 'settings']);
      const settings = readObject(fields, 'settings');
      if (!settings) throw wrong('/settings', 'expected an object');
      const { listen } = settings;
      // One that is no text is refused with the settings.
      const name = readText(fields, 'name') ?? (typeof listen === 'string' ? listen : 'unnamed');
      const pair = await steered
        .addPair(name, settings, { isEnabled: readBoolean(fields, 'isEnabled') ?? true })
        .catch((error: unknown) => within('/settings', error));
      const location = `/v1/pairs/${encodeURIComponent(name)}`;
      return { status: 201, headers: { location }, body: await show(steered, pair) };
    },
  },
  {
    method: 'GET',
    path: '/v1/pairs/{name}',
    name: 'showPair',
    answer: async ({ parts: { name = '' } }, { steered }) => ({
      status: 200,
      body: await show(steered, steered.pair(name)),
    }),
  },
  {
    method: 'PATCH',
    path: '/v1/pairs/{name}',
    name: 'changePair',
    async answer({ body, parts: { name = '' } }, { steered }) {
      const fields = readFields(body, ['isEnabled', 'settings', 'cut']);
      const settings = readObject(fields, 'settings');
      const isEnabled = readBoolean(fields, 'isEnabled');
      const options = { cut: readBoolean(fields, 'cut') };
      const pair = steered.pair(name);
      let connections = 0;
      if (settings) {
        const change = steered.changePair(name, settings, options);
        ({ connections } = await change.catch((error: unknown) => within('/settings', error)));
      }
      if (isEnabled !== undefined) {
        const change = await steered.setEnabled(name, isEnabled, options);
        connections = Math.max(connections, change.connections);
      }
      return { status: 200, body: { pair: await show(steered, pair), connections } };
    },
  },
  {
    method: 'DELETE',
    path: '/v1/pairs/{name}',
    name: 'removePair',
    answer: async ({ query, parts: { name = '' } }, { steered }) => ({
      status: 200,
      body: await steered.removePair(name, { cut: readSwitch(query, 'cut') }),
    }),
  },
];

/** @throws TnetError TNET_E_UNKNOWN_NAME */
async function show(steered: Steered, pair: SteeredPair): Promise<object> {
  return showPair(pair, await steered.look());
}
