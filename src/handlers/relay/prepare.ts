import { requireNumericHost } from '../../address/host-rules.ts';
import type { RoutePattern } from '../../serve/greeting/route-match.ts';
import { prepareService } from '../../serve/service.ts';
import type { TlsServerSettings } from '../../serve/tls-server.ts';
import type { ProxyHost } from './host.ts';
import { prepareLane } from './lane/lane.ts';
import { type Pair, isBalanced, isReplayClient } from './pair.ts';
import { createRelay } from './relay.ts';
import type { LanelessService, RelayOptions, RelayService } from './service.ts';
import { checkLoops } from './targets/loop-check.ts';
import { createTargetRules, type TargetRules } from './targets/rules.ts';
import { findDatagramEnds, type DatagramEnds } from './targets/target.ts';
import { prepareTargetDialing, prepareTuner, type TargetKinds } from './targets/target-dial.ts';
import { createDirectUpstream, type TargetDialing, type Upstream } from './targets/upstream.ts';
import type { ReadGreeting } from '../../serve/greeting/greeting.ts';
import { setFlagsFromString } from 'node:v8';

/**
 * Prepares pairs that are served side by side.
 *
 * @throws as prepareRelay() does, or TnetError TNET_E_LOOP
 */
export async function prepareRelays(pairs: readonly Pair[], host: ProxyHost): Promise<RelayService[]> {
  checkLoops(pairs, host.family);
  const services = await Promise.all(pairs.map((pair) => prepareRelay(pair, host)));
  limitYoungGeneration(services);
  return services;
}

/**
 * Prepares a pair. What a pair does not use is not loaded. Opens no listening socket.
 *
 * @throws TnetError TNET_E_ADDRESS for a name where -n forbids one, TNET_E_CONFIG for a htpasswd file,
 *   TNET_E_USAGE for a certificate, TNET_E_ACCESS for an access list, TNET_E_RECORDING for a recording
 */
export async function prepareRelay(pair: Pair, host: ProxyHost): Promise<RelayService> {
  const { listen, values } = pair;
  const upstreams: Upstream[] = [];
  const ends = findDatagramEnds(listen, pair.targets);
  const dial = await prepareTargetDialing(values, host, {
    transport: ends?.target ? 'datagram' : 'stream',
    webSocket: findWebSockets(pair),
  });
  const create = async (targets: Pair['targets']) => {
    // When another process serves the clients, it alone manages the targets.
    if (host.handOver && listen.kind !== 'udp') return idleUpstream;
    const upstream = await createUpstream({ ...pair, targets }, dial);
    upstreams.push(upstream);
    return upstream;
  };
  const takesRequests = values.socks === true || values.httpConnect === true;
  const options: RelayOptions = {
    pair,
    upstream: await createOwnUpstream(pair, host, create),
    routes: await createRoutes(pair, create),
    requests: takesRequests ? { dial, rules: await prepareRules(pair, host) } : undefined,
    createFaults: await prepareFaults(pair),
    createHead: await prepareHead(pair),
    datagrams: await prepareDatagrams(pair),
  };
  const own = await prepareService(listen, values, host, {
    tune: await prepareTuner(values),
    tls: values.tlsIn ? await readTls(pair, host) : undefined,
    readers: await prepareReaders(pair),
    handle: createRelay(options, host),
    reloadLists: options.requests?.rules.reload,
    close() {
      for (const upstream of upstreams) upstream.close();
    },
  });
  const service: LanelessService = { ...options, ...own };
  return { ...service, lane: await prepareLane(service, host) };
}

/** See TargetKinds. */
function findWebSockets({ listen, targets, values }: Pair): TargetKinds['webSocket'] {
  const all = [...targets, ...(values.route ?? []).flatMap((route) => route.targets)];
  if (!all.some(({ kind }) => kind === 'ws')) return undefined;
  return listen.kind === 'ws' ? 'clients' : 'targets';
}

/** @throws TnetError TNET_E_ACCESS */
async function prepareRules({ listen, values }: Pair, { own }: ProxyHost): Promise<TargetRules> {
  const { allowTarget: allow, denyTarget: deny } = values;
  if (!allow && !deny) return createTargetRules(listen, own);
  const { createTargetList } = await import('../../access/target-list.ts');
  return createTargetRules(listen, own, await createTargetList({ allow, deny }));
}

async function readTls({ listen, values }: Pair, host: ProxyHost): Promise<TlsServerSettings> {
  const { readServerTls } = await import('../../serve/tls-server.ts');
  const { tlsCert: cert, tlsKey: key, tlsClientCa: clientCa, tlsAlpn: alpn } = values;
  const { tlsMin: minVersion, tlsCiphers: ciphers } = values;
  return readServerTls({ cert, key, clientCa, alpn, minVersion, ciphers }, listen, host);
}

async function createRoutes(
  { values }: Pair,
  create: (targets: Pair['targets']) => Promise<Upstream>,
): Promise<RelayOptions['routes']> {
  if (!values.route) return undefined;
  const upstreams = new Map<RoutePattern, Upstream>();
  for (const route of values.route) upstreams.set(route, await create(route.targets));
  return upstreams;
}

async function prepareFaults({
  listen,
  targets,
  values,
  isFaulty,
}: Pair): Promise<RelayOptions['createFaults']> {
  if (!isFaulty) return undefined;
  const createFaults = await loadFaults(findDatagramEnds(listen, targets));
  return (connection, onDrop) => createFaults(values, connection, onDrop);
}

async function prepareHead({ values: { sendProxy } }: Pair): Promise<RelayOptions['createHead']> {
  if (!sendProxy) return undefined;
  const { createProxyHeader } = await import('../../dial/send-proxy-header.ts');
  return (client, { header }) => createProxyHeader(sendProxy, client, header);
}

async function prepareDatagrams({ listen, targets, values }: Pair): Promise<RelayOptions['datagrams']> {
  const ends = findDatagramEnds(listen, targets);
  return ends && (await import('./datagrams/session.ts')).createDatagramSessions(values, ends);
}

/** Between two UDP ends, faults keep datagrams separate; when one end is a stream, they act on the stream. */
async function loadFaults(ends: DatagramEnds | undefined) {
  if (ends?.client && ends.target) return (await import('./faults/faults.ts')).createDatagramFaults;
  return (await import('./faults/faults.ts')).createFaults;
}

/** The upstream of clients that named no target of their own. */
async function createOwnUpstream(
  pair: Pair,
  host: ProxyHost,
  create: (targets: Pair['targets']) => Promise<Upstream>,
): Promise<Upstream | undefined> {
  const { targets, values } = pair;
  if (values.replay !== undefined && !isReplayClient(pair)) {
    return (await import('./replay/upstream.ts')).createReplayUpstream(values, host);
  }
  return targets.length === 0 ? undefined : create(targets);
}

/** For a process that hands its clients over: it dials no target. */
const idleUpstream: Upstream = { open: () => Promise.resolve(undefined), close: () => undefined };

async function createUpstream(pair: Pair, dialing: TargetDialing): Promise<Upstream> {
  if (isBalanced(pair)) {
    const { BalancedUpstream } = await import('./balance/upstream.ts');
    return new BalancedUpstream(pair, dialing);
  }
  const [target] = pair.targets;
  if (!target || target.kind === 'srv') throw new Error('a pair that is not balanced has one address');
  // The last proxy looks names up: no name server is asked here.
  if (dialing.host.numericOnly && !pair.values.via) requireNumericHost(target);
  return createDirectUpstream(target, dialing);
}

/**
 * The readers of what a pair's clients say after PROXY header and TLS: SOCKS or HTTP CONNECT, or first bytes to be
 * routed by. Each is loaded only when the pair needs it. None: the target is dialled at once.
 *
 * @throws TnetError TNET_E_CONFIG when the htpasswd file cannot be read
 */
export async function prepareReaders({ values, targets }: Pair): Promise<ReadGreeting[]> {
  const readers: ReadGreeting[] = [];
  if (values.socks ?? values.httpConnect) readers.push(await prepareRequests(values));
  if (values.route) {
    const { createRouteReader } = await import('../../serve/greeting/route.ts');
    readers.push(createRouteReader(values.route, { mayBeSilent: targets.length > 0 }));
  }
  return readers;
}

async function prepareRequests({ socks, httpConnect, authFile }: Pair['values']): Promise<ReadGreeting> {
  const { readUsers } = await import('../../serve/greeting/users.ts');
  const users = authFile === undefined ? undefined : await readUsers(authFile);
  if (!httpConnect) return (await import('../../serve/greeting/requests.ts')).createSocksReader(users);
  if (!socks) return (await import('../../serve/greeting/requests.ts')).createConnectReader(users);
  return (await import('../../serve/greeting/requests.ts')).createSocksOrConnectReader(users);
}

/**
 * Keeps V8's space for new objects at its initial size, one megabyte, when the lane serves the clients. Otherwise
 * it grows to sixteen times three megabytes under many connections, and stays that large: a third of what an open
 * connection costs. When connections pass through JavaScript the space may grow: that saves them a fifth of the
 * time.
 */
function limitYoungGeneration(services: readonly RelayService[]): void {
  const isLimited = services.every(({ lane }) => lane.open);
  setFlagsFromString(`--semi-space-growth-factor=${isLimited ? 1 : 2}`);
}
