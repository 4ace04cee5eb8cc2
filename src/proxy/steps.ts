import type { Socket } from '../net/index.ts';
import type { ProxyHost } from './host.ts';
import type { Intake, IntakeStep } from './intake.ts';
import { defaultConnectMs, defaultHandshakeMs, type Pair } from './pair.ts';
import type { Route } from './route.ts';
import { createTargetRule } from './target-rules.ts';
import type { Upstream } from './upstream.ts';

/**
 * The steps by which a pair's clients say what they want, in their order: PROXY header, TLS, then SOCKS or HTTP CONNECT or
 * the first bytes' route. Each is loaded only when the pair has it. None: the target is dialled at once.
 *
 * @param createUpstream makes the upstream of a route
 * @throws TnetError TNET_E_CONFIG when the htpasswd file cannot be read
 */
export async function prepareSteps(
  pair: Pair,
  host: ProxyHost,
  createUpstream: (route: Route) => Promise<Upstream>,
): Promise<IntakeStep[]> {
  const { values } = pair;
  const { handshakeLimit: handshakeMs = defaultHandshakeMs } = values;
  const steps: IntakeStep[] = [];
  if (values.acceptProxy) {
    const { readProxyHeader } = await import('./proxy-header.ts');
    steps.push((client, known) => readProxyHeader(client, known, handshakeMs));
  }
  if (values.tlsIn) {
    const { createSecureStep } = await import('./secure-plan.ts');
    steps.push(createSecureStep(values, handshakeMs));
  }
  if (values.socks ?? values.httpConnect) {
    const { createServerStep } = await import('./server-step.ts');
    const { readUsers } = await import('./users.ts');
    const protocols = { socks: values.socks === true, httpConnect: values.httpConnect === true };
    const users = values.authFile === undefined ? undefined : await readUsers(values.authFile);
    const dial = { host, timeoutMs: values.waitConnect ?? defaultConnectMs };
    const judge = createTargetRule(pair.listen, host.own);
    steps.push(createServerStep(protocols, { host, users, handshakeMs, dial, judge }));
  }
  if (values.route) {
    const look = { limitMs: handshakeMs, hasDefault: pair.targets.length > 0 };
    steps.push(await prepareRoutes(values.route, look, createUpstream));
  }
  return steps;
}

async function prepareRoutes(
  routes: readonly Route[],
  look: { readonly limitMs: number; readonly hasDefault: boolean },
  createUpstream: (route: Route) => Promise<Upstream>,
): Promise<IntakeStep> {
  const { chooseRoute } = await import('./route-step.ts');
  const upstreams = new Map<Route, Upstream>();
  for (const route of routes) upstreams.set(route, await createUpstream(route));
  return async (client: Socket, known: Intake) => {
    const chosen = await chooseRoute(client, known, routes, look);
    const upstream = chosen.route && upstreams.get(chosen.route);
    return { ...chosen.known, open: upstream && ((request) => upstream.open(request)) };
  };
}
