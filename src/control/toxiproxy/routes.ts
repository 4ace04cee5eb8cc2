import type { AnswerControl, ControlAnswer } from '../request.ts';
import { findRoutes, type Route } from '../route-table.ts';
import { TnetError } from '../../errors.ts';
import type { PairFault } from '../../handlers/relay/faults/live-faults.ts';
import type { SteeredPair } from '../steered.ts';
import { answerError, toxicNotFound, ToxiproxyError } from './errors.ts';
import { showMetrics } from './metrics.ts';
import { Proxies, type ToxiproxySteered } from './proxies.ts';
import { readToxic, readToxicChange, showToxic, showToxics } from './toxics.ts';

/** The version of toxiproxy whose interface this is. */
const toxiproxyVersion = '2.12.0';

const done: ControlAnswer = { status: 204 };
const ok = (body: object): ControlAnswer => ({ status: 200, body });

/**
 * toxiproxy's HTTP interface, over the pairs of a proxy that is steered, so that its clients work unchanged. What
 * toxiproxy has not goes through it as well: addresses of every kind as `listen` and `upstream`, a pair's other settings
 * as `settings`, `corrupt` and `blackhole` as toxics, `both` as their stream.
 *
 * @returns answers every path of toxiproxy, with its statuses and its form of errors
 */
export function answerToxiproxy(steered: ToxiproxySteered): AnswerControl {
  const proxies = new Proxies(steered);
  const routes = createRoutes(steered, proxies);
  return async (request) => {
    const { path, method, headers } = request;
    const found = findRoutes(routes, path);
    if (found.length === 0) return undefined;
    // A page of a browser has no business here.
    if (headers['user-agent']?.startsWith('Mozilla/'))
      return { status: 403, headers: { 'content-type': 'text/plain' }, body: 'User agent not allowed\n' };
    const match = found.find(({ route }) => route.method === method);
    if (!match) return { status: 405, headers: { allow: found.map(({ route }) => route.method).join(', ') } };
    try {
      return await match.route.answer({ ...request, parts: match.parts });
    } catch (error) {
      return answerError(error);
    }
  };
}

function createRoutes(steered: ToxiproxySteered, proxies: Proxies): readonly Route[] {
  const faultsOf = (proxy: string) => steered.pair(proxy).faults;
  const update: Route['answer'] = async ({ body, parts: { proxy = '' } }) =>
    ok(await proxies.update(proxy, body));
  const updateToxic: Route['answer'] = async ({ body, parts: { proxy = '', toxic = '' } }) => {
    const present = findToxic(faultsOf(proxy), toxic);
    const to = readToxicChange(present, body);
    await steered.changeFaults(proxy, { change: toxic, to });
    return ok(showToxic({ ...present, ...to }));
  };
  return [
    { method: 'GET', path: '/proxies', answer: () => ok(proxies.list()) },
    {
      method: 'POST',
      path: '/proxies',
      answer: async ({ body }) => ({ status: 201, body: await proxies.create(body) }),
    },
    {
      method: 'GET',
      path: '/proxies/{proxy}',
      answer: ({ parts: { proxy = '' } }) => ok(proxies.show(proxy)),
    },
    { method: 'POST', path: '/proxies/{proxy}', answer: update },
    { method: 'PATCH', path: '/proxies/{proxy}', answer: update },
    {
      method: 'DELETE',
      path: '/proxies/{proxy}',
      async answer({ parts: { proxy = '' } }) {
        await proxies.remove(proxy);
        return done;
      },
    },
    {
      method: 'GET',
      path: '/proxies/{proxy}/toxics',
      answer: ({ parts: { proxy = '' } }) => ok(showToxics(faultsOf(proxy).list)),
    },
    {
      method: 'POST',
      path: '/proxies/{proxy}/toxics',
      answer: async ({ body, parts: { proxy = '' } }) => ok(showToxic(await addToxic(steered, proxy, body))),
    },
    {
      method: 'GET',
      path: '/proxies/{proxy}/toxics/{toxic}',
      answer: ({ parts: { proxy = '', toxic = '' } }) => ok(showToxic(findToxic(faultsOf(proxy), toxic))),
    },
    { method: 'POST', path: '/proxies/{proxy}/toxics/{toxic}', answer: updateToxic },
    { method: 'PATCH', path: '/proxies/{proxy}/toxics/{toxic}', answer: updateToxic },
    {
      method: 'DELETE',
      path: '/proxies/{proxy}/toxics/{toxic}',
      async answer({ parts: { proxy = '', toxic = '' } }) {
        const { name } = findToxic(faultsOf(proxy), toxic);
        await steered.changeFaults(proxy, { remove: name });
        return done;
      },
    },
    { method: 'POST', path: '/populate', answer: ({ body }) => populate(proxies, body) },
    {
      method: 'POST',
      path: '/reset',
      async answer() {
        await proxies.reset();
        return done;
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      async answer() {
        const sight = await steered.look();
        return showMetrics(sight, Object.values(proxies.list()));
      },
    },
    { method: 'GET', path: '/version', answer: () => ok({ version: toxiproxyVersion }) },
  ];
}

async function populate(proxies: Proxies, body: unknown): Promise<ControlAnswer> {
  const { proxies: made, error } = await proxies.populate(body);
  const { message, status } = error ?? { status: 201 };
  return { status, body: { ...(error && { error: message, status }), proxies: made } };
}

/** @throws ToxiproxyError 400, 409 */
async function addToxic(steered: ToxiproxySteered, proxy: string, body: unknown): Promise<PairFault> {
  steered.pair(proxy);
  const fault = readToxic(body);
  try {
    await steered.changeFaults(proxy, { add: fault });
  } catch (error) {
    if (error instanceof TnetError && error.code === 'TNET_E_NAME_TAKEN')
      throw new ToxiproxyError(409, 'toxic already exists');
    throw error;
  }
  return fault;
}

/** @throws ToxiproxyError 404 */
function findToxic({ list }: SteeredPair['faults'], name: string): PairFault {
  const found = list.find((fault) => fault.name === name);
  if (!found) throw toxicNotFound();
  return found;
}
