import { longestDelayMs } from '../../quantities.ts';
import { wrong } from '../fields.ts';
import type { ControlRoute } from '../route-table.ts';
import { findConnection } from './connections.ts';
import type { ControlContext } from './context.ts';

export const tapRoutes: readonly ControlRoute<ControlContext>[] = [
  {
    method: 'GET',
    path: '/v1/connections/{id}/tap',
    name: 'tapConnection',
    async answer({ method, parts: { id: written = '' } }, { steered, taps }) {
      const { id } = await findConnection(steered, written);
      return {
        status: 200,
        headers: { 'content-type': 'text/event-stream' },
        ...(method !== 'HEAD' && { body: await taps.open(id) }),
      };
    },
  },
  {
    method: 'GET',
    path: '/v1/connections/{id}/recording',
    name: 'recordConnection',
    async answer({ method, query, parts: { id: written = '' } }, { steered, taps }) {
      const durationMs = readDuration(query);
      const { id } = await findConnection(steered, written);
      return {
        status: 200,
        headers: {
          'content-type': 'application/x-pcapng',
          'content-disposition': `attachment; filename="connection-${id}.pcapng"`,
        },
        ...(method !== 'HEAD' && { body: await taps.record(id, durationMs) }),
      };
    },
  },
];

/** Undefined: no limit. @throws TnetError TNET_E_CONFIG */
function readDuration(query: URLSearchParams): number | undefined {
  const written = query.get('durationMs');
  if (written === null) return undefined;
  const durationMs = Number(written);
  if (/^\d+$/.test(written) && durationMs >= 1 && durationMs <= longestDelayMs) return durationMs;
  throw wrong('?durationMs', `expected a number from 1 to ${longestDelayMs}`);
}
