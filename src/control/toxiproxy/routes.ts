import type { AnswerControl, ControlAnswer, ControlRequest } from '../request.ts';
import { TnetError } from '../../errors.ts';
import type { PairFault } from '../../handlers/relay/faults/live-faults.ts';
import { ownValue } from '../../own-value.ts';
import type { SteeredPair } from '../steered.ts';
import { answerError, toxicNotFound, ToxiproxyError } from './errors.ts';
import { showMetrics } from './metrics.ts';
import { Proxies, type ToxiproxySteered } from './proxies.ts';
import { readToxic, readToxicChange, showToxic, showToxics } from './toxics.ts';

/** The version of toxiproxy whose interface this is. */
const toxiproxyVersion = '2.12.0';

type Answer = (request: ControlRequest, ...names: string[]) => ControlAnswer | Promise<ControlAnswer>;

/** What can be done to a path, by method. */
type Methods = Readonly<Record<string, Answer>>;

/** A path by its parts; undefined is any name. */
type Route = readonly [path: readonly (string | undefined)[], methods: Methods];

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
    const route = routes.find(([parts]) => isPath(path, parts));
    if (!route) return undefined;
    // A page of a browser has no business here.
    if (headers['user-agent']?.startsWith('Mozilla/'))
      return { status: 403, headers: { 'content-type': 'text/plain' }, body: 'User agent not allowed\n' };
    const [parts, methods] = route;
    const answer = ownValue(methods, method);
    if (!answer) return { status: 405, headers: { allow: Object.keys(methods).join(', ') } };
    const names = path.filter((_part, index) => parts[index] === undefined);
    try {
      return await answer(request, ...names);
    } catch (error) {
      return answerError(error);
    }
  };
}

function isPath(path: readonly string[], parts: Route[0]): boolean {
  return (
    path.length === parts.length && parts.every((part, index) => part === undefined || part === path[index])
  );
}

function createRoutes(steered: ToxiproxySteered, proxies: Proxies): readonly Route[] {
  const faultsOf = (proxy: string) => steered.pair(proxy).faults;
  const update: Answer = async ({ body }, proxy = '') => ok(await proxies.update(proxy, body));
  const updateToxic: Answer = async ({ body }, proxy = '', toxic = '') => {
    const present = findToxic(faultsOf(proxy), toxic);
    const to = readToxicChange(present, body);
    await steered.changeFaults(proxy, { change: toxic, to });
    return ok(showToxic({ ...present, ...to }));
  };
  return [
    [
      ['proxies'],
      {
        GET: () => ok(proxies.list()),
        POST: async ({ body }) => ({ status: 201, body: await proxies.create(body) }),
      },
    ],
    [
      ['proxies', undefined],
      {
        GET: (_request, proxy = '') => ok(proxies.show(proxy)),
        POST: update,
        PATCH: update,
        DELETE: async (_request, proxy = '') => {
          await proxies.remove(proxy);
          return done;
        },
      },
    ],
    [
      ['proxies', undefined, 'toxics'],
      {
        GET: (_request, proxy = '') => ok(showToxics(faultsOf(proxy).list)),
        POST: async ({ body }, proxy = '') => ok(showToxic(await addToxic(steered, proxy, body))),
      },
    ],
    [
      ['proxies', undefined, 'toxics', undefined],
      {
        GET: (_request, proxy = '', toxic = '') => ok(showToxic(findToxic(faultsOf(proxy), toxic))),
        POST: updateToxic,
        PATCH: updateToxic,
        DELETE: async (_request, proxy = '', toxic = '') => {
          const { name } = findToxic(faultsOf(proxy), toxic);
          await steered.changeFaults(proxy, { remove: name });
          return done;
        },
      },
    ],
    [['populate'], { POST: ({ body }) => populate(proxies, body) }],
    [
      ['reset'],
      {
        POST: async () => {
          await proxies.reset();
          return done;
        },
      },
    ],
    [
      ['metrics'],
      {
        GET: async () => {
          const sight = await steered.look();
          return showMetrics(sight, Object.values(proxies.list()));
        },
      },
    ],
    [['version'], { GET: () => ok({ version: toxiproxyVersion }) }],
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
