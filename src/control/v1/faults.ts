import { TnetError } from '../../errors.ts';
import type { PairFault } from '../../handlers/relay/faults/live-faults.ts';
import type { Fault } from '../../transform/faults/fault.ts';
import { readFields, readObject, readText, within, wrong, type Fields } from '../fields.ts';
import type { ControlRoute } from '../route-table.ts';
import type { SteeredPair } from '../steered.ts';
import type { ControlContext } from './context.ts';
import { showFault } from './show.ts';

const settingNames = ['direction', 'toxicity', 'group', 'fault'];

export const faultRoutes: readonly ControlRoute<ControlContext>[] = [
  {
    method: 'GET',
    path: '/v1/pairs/{name}/faults',
    name: 'listFaults',
    answer: ({ parts: { name = '' } }, { steered }) => ({
      status: 200,
      body: { faults: steered.pair(name).faults.list.map(showFault) },
    }),
  },
  {
    method: 'POST',
    path: '/v1/pairs/{name}/faults',
    name: 'addFault',
    async answer({ body, parts: { name = '' } }, { steered }) {
      steered.pair(name);
      const fields = readFields(body, ['name', 'before', ...settingNames]);
      const settings = readSettings(fields);
      if (!settings.fault) throw wrong('/fault', 'expected an object');
      const fault: PairFault = {
        ...settings,
        name: readText(fields, 'name') ?? settings.fault.kind,
        fault: settings.fault,
      };
      const before = readText(fields, 'before');
      const { connections } = await attempt(steered.changeFaults(name, { add: fault, before }));
      const location = `/v1/pairs/${encodeURIComponent(name)}/faults/${encodeURIComponent(fault.name)}`;
      return {
        status: 201,
        headers: { location },
        body: { fault: showFault(fault), connections },
      };
    },
  },
  {
    method: 'DELETE',
    path: '/v1/pairs/{name}/faults',
    name: 'removeFaults',
    answer: async ({ parts: { name = '' } }, { steered }) => ({
      status: 200,
      body: await steered.changeFaults(name, { clear: true }),
    }),
  },
  {
    method: 'GET',
    path: '/v1/pairs/{name}/faults/{fault}',
    name: 'showFault',
    answer: ({ parts: { name = '', fault = '' } }, { steered }) => ({
      status: 200,
      body: showFault(find(steered.pair(name).faults, fault)),
    }),
  },
  {
    method: 'PATCH',
    path: '/v1/pairs/{name}/faults/{fault}',
    name: 'changeFault',
    async answer({ body, parts: { name = '', fault = '' } }, { steered }) {
      const present = find(steered.pair(name).faults, fault);
      const to = readSettings(readFields(body, settingNames), present.fault);
      const { connections } = await attempt(steered.changeFaults(name, { change: fault, to }));
      return { status: 200, body: { fault: showFault({ ...present, ...to }), connections } };
    },
  },
  {
    method: 'DELETE',
    path: '/v1/pairs/{name}/faults/{fault}',
    name: 'removeFault',
    answer: async ({ parts: { name = '', fault = '' } }, { steered }) => ({
      status: 200,
      body: await steered.changeFaults(name, { remove: fault }),
    }),
  },
];

/**
 * What a request says about a fault.
 *
 * @param present what the fault is: settings of the same kind that are not named stay
 */
function readSettings(fields: Fields, present?: Fault): Partial<Omit<PairFault, 'name'>> {
  const { direction, toxicity } = fields;
  if (direction !== undefined && direction !== 'up' && direction !== 'down' && direction !== 'both')
    throw wrong('/direction', 'expected up, down or both');
  if (toxicity !== undefined && (typeof toxicity !== 'number' || toxicity < 0 || toxicity > 1))
    throw wrong('/toxicity', 'expected a number from 0 to 1');
  const group = readText(fields, 'group');
  const given = readObject(fields, 'fault');
  const isSameKind = present && (given?.['kind'] === undefined || given['kind'] === present.kind);
  return {
    ...(direction !== undefined && { direction }),
    ...(toxicity !== undefined && { toxicity }),
    ...(group !== undefined && { group }),
    ...(given && { fault: { ...(isSameKind && present), ...given } as Fault }),
  };
}

function find({ list }: SteeredPair['faults'], name: string): PairFault {
  const fault = list.find((one) => one.name === name);
  if (fault) return fault;
  throw new TnetError('TNET_E_UNKNOWN_NAME', 'the pair has no fault of this name', { subject: name });
}

function attempt<Result>(change: Promise<Result>): Promise<Result> {
  return change.catch((error: unknown) => within('/fault', error));
}
