import { isServedHere } from '../../address/endpoint.ts';
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
import { findDatagramEnds, isOfDatagrams } from './targets/target.ts';
import { prepareTargetDialing, prepareTuner, relayed, type TargetKinds } from './targets/target-dial.ts';
import { createDirectUpstream, type TargetDialing, type Upstream } from './targets/upstream.ts';
import { defaultGreetingMs, type ReadGreeting } from '../../serve/greeting/greeting.ts';
import type { Gate } from '../../serve/greeting/gate.ts';
import type { Users } from '../../serve/greeting/users.ts';
import { TnetError } from '../../errors.ts';
import type { HttpFront } from './http/front.ts';
import type { HttpFrontOptions } from './http/options.ts';
import { setFlagsFromString } from 'node:v8';

/**
 * Prepares pairs that are served side by side.
 *
 * @param kept what is served beside them already, and goes on
 * @throws as prepareRelay() does, or TnetError TNET_E_LOOP
 */
export async function prepareRelays(
  pairs: readonly Pair[],
  host: ProxyHost,
  kept: readonly RelayService[] = [],
): Promise<RelayService[]> {
  checkLoops([...kept.map(({ pair }) => pair), ...pairs], host.family);
  const services = await Promise.all(pairs.map((pair) => prepareRelay(pair, host)));
  limitYoungGeneration([...kept, ...services]);
  return services;
}

/**
 * Prepares a pair. What a pair does not use is not loaded. Opens no listening socket.
 *
 * @throws TnetError TNET_E_PROGRAM, TNET_E_ADDRESS for a name where -n forbids one, TNET_E_CONFIG for a htpasswd file,
 *   TNET_E_USAGE for a certificate, TNET_E_ACCESS for an access list, TNET_E_RECORDING for a recording
 */
export async function prepareRelay(pair: Pair, host: ProxyHost): Promise<RelayService> {
  const { listen, values } = pair;
  await requirePrograms(pair);
  const upstreams: Upstream[] = [];
  const ends = findDatagramEnds(listen, pair.targets);
  const groups = ends && (await import('./datagrams/groups.ts')).findGroups(pair);
  const dial = await prepareTargetDialing(values, host, {
    isDatagram: ends?.target,
    group: groups?.target,
    webSocket: findWebSockets(pair),
  });
  const create = async (targets: Pair['targets']) => {
    // When another process serves the clients, it alone manages the targets.
    if (host.handOver && !isServedHere(listen)) return idleUpstream;
    const upstream = await createUpstream({ ...pair, targets }, dial);
    upstreams.push(upstream);
    return upstream;
  };
  const takesRequests = values.socks === true || values.httpConnect === true || values.http === true;
  const entry = await prepareEntry(values, host);
  const requests = takesRequests ? { dial, rules: await prepareRules(pair, host) } : undefined;
  const createHead = await prepareHead(pair);
  const options: RelayOptions = {
    pair,
    upstream: await createOwnUpstream(pair, host, create),
    routes: await createRoutes(pair, create),
    requests,
    http:
      values.http && requests
        ? await prepareHttp(pair, host, { requests, createHead, gate: entry.gate })
        : undefined,
    faults: await prepareFaults(pair),
    createHead,
    createTelnet: values.telnetIn ? (await import('./telnet.ts')).createTelnet : undefined,
    datagrams: await prepareDatagrams(pair),
  };
  const own = await prepareService(listen, values, host, {
    name: pair.name,
    tune: await prepareTuner(values),
    group: groups?.listen,
    tls: values.tlsIn ? await readTls(pair, host) : undefined,
    readers: await prepareReaders(pair, entry),
    handle: createRelay(options, host),
    local: { ...relayed, appends: false },
    reloadLists: options.requests?.rules.reload,
    close() {
      options.http?.close();
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

/** @throws TnetError TNET_E_PROGRAM for a target that is not there */
async function requirePrograms({ targets, values }: Pair): Promise<void> {
  for (const target of [...targets, ...(values.route ?? []).flatMap((route) => route.targets)]) {
    if (target.kind !== 'exec' && target.kind !== 'pty') continue;
    (await import('../../dial/local/program.ts')).requireProgram(target);
  }
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
  const { tlsCert: certs, tlsKey: keys, tlsClientCa: clientCa, tlsAlpn: alpn } = values;
  const { tlsClientOptional: clientOptional, tlsClientServername: serverName } = values;
  const { tlsMin: minVersion, tlsCiphers: ciphers } = values;
  const files = { certs, keys, clientCa, clientOptional, serverName, alpn, minVersion, ciphers };
  return readServerTls(files, listen, host);
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

async function prepareFaults(pair: Pair): Promise<RelayOptions['faults']> {
  const { listen, targets, values, isFaulty, liveFaults } = pair;
  if (liveFaults || !isFaulty || isOfDatagrams(listen, targets)) return liveFaults;
  return (await import('./faults/pair-faults.ts')).createLiveFaults(values);
}

async function prepareHead({ values: { sendProxy, proxyTlv } }: Pair): Promise<RelayOptions['createHead']> {
  if (!sendProxy) return undefined;
  const { createProxyHeader } = await import('../../dial/send-proxy-header.ts');
  return (client, { header }) => createProxyHeader(sendProxy, client, header, proxyTlv);
}

async function prepareDatagrams({
  listen,
  targets,
  values,
  isFaulty,
}: Pair): Promise<RelayOptions['datagrams']> {
  const ends = findDatagramEnds(listen, targets);
  if (!ends) return undefined;
  const { createDatagramSessions } = await import('./datagrams/session.ts');
  if (!isFaulty || !isOfDatagrams(listen, targets)) return createDatagramSessions(values, ends);
  const { createDatagramFaults } = await import('./faults/datagram-faults.ts');
  return createDatagramSessions(values, ends, (session) => createDatagramFaults(values, session));
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
const idleUpstream: Upstream = {
  targets: [],
  setEnabled: () => false,
  open: () => Promise.resolve(undefined),
  close: () => undefined,
};

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

/** Who may ask for targets. */
interface Entry {
  readonly users: Users | undefined;
  readonly gate: Gate | undefined;
}

/** @throws TnetError TNET_E_CONFIG when the file of users cannot be read, or not be used as it is asked for */
async function prepareEntry(
  { authFile, authScheme = 'any' }: Pair['values'],
  { nonceKey }: ProxyHost,
): Promise<Entry> {
  if (authFile === undefined) return { users: undefined, gate: undefined };
  const [{ readUsers }, { createGate }, { createDigestGate }] = await Promise.all([
    import('../../serve/greeting/users.ts'),
    import('../../serve/greeting/gate.ts'),
    import('../../serve/greeting/digest-gate.ts'),
  ]);
  const users = await readUsers(authFile);
  if (authScheme === 'digest' && 'obstacle' in users.digest)
    throw new TnetError('TNET_E_CONFIG', users.digest.obstacle, { subject: authFile });
  const isOffered = authScheme !== 'basic' && !('obstacle' in users.digest);
  const digest =
    isOffered && !('obstacle' in users.digest) ? createDigestGate(users.digest, nonceKey) : undefined;
  return { users, gate: createGate(users, digest, authScheme !== 'digest') };
}

async function prepareHttp(
  { values }: Pair,
  host: ProxyHost,
  own: Pick<HttpFrontOptions, 'requests' | 'createHead' | 'gate'>,
): Promise<HttpFront> {
  const { HttpFront } = await import('./http/front.ts');
  const { maxBody: maxBodyBytes, handshakeLimit: headMs = defaultGreetingMs } = values;
  return new HttpFront({ ...own, maxBodyBytes, headMs, host });
}

/**
 * The readers of what a pair's clients say after PROXY header and TLS: SOCKS or HTTP, or first bytes to be routed by.
 * Each is loaded only when the pair needs it. None: the target is dialled at once.
 */
async function prepareReaders({ values, targets }: Pair, { users, gate }: Entry): Promise<ReadGreeting[]> {
  const { socks, httpConnect, http, route } = values;
  const readers: ReadGreeting[] = [];
  if (socks ?? httpConnect ?? http) {
    const { createSocksReader, createConnectReader, createHttpReader, createSocksOrHttpReader } =
      await import('../../serve/greeting/requests.ts');
    const readHttp = http ? createHttpReader(gate) : httpConnect ? createConnectReader(gate) : undefined;
    const readSocks = socks ? createSocksReader(users) : undefined;
    const read =
      readSocks && readHttp ? createSocksOrHttpReader(readSocks, readHttp) : (readSocks ?? readHttp);
    if (read) readers.push(read);
  }
  if (route) {
    const { createRouteReader } = await import('../../serve/greeting/route.ts');
    readers.push(createRouteReader(route, { mayBeSilent: targets.length > 0 }));
  }
  return readers;
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
