import {
  formatEndpoint,
  type Endpoint,
  hasHost,
  isLocalEnd,
  isUnixKind,
  localEnds,
} from '../../src/address/endpoint.ts';
import { isForeignName } from '../../src/address/host-rules.ts';
import { isIP } from '../../src/address/ip.ts';
import { TnetError } from '../../src/errors.ts';
import { isGroup } from '../../src/net/groups.ts';
import { isLocalListener } from '../../src/net/listener-path.ts';
import { isBalanced, isReplayClient, type Pair, type PairValues } from '../../src/handlers/relay/pair.ts';
import {
  findDatagramEnds,
  formatTarget,
  isDatagramTarget,
  type Target,
} from '../../src/handlers/relay/targets/target.ts';
import { endOf, factsOf, findRefusal, type Asked, type Refusal, describeNeed } from '../options/check.ts';
import { requireVersion2 } from '../options/proxy-tlv.ts';
import type { OptionRow } from '../options/row.ts';
import { pairRows, processRows } from './options.ts';

/** Names a part of what was written, for an error: `--latency`, `/pairs/0/latency`. */
export type NamePart = (part: string) => string;

type ReadPair = Pick<Pair, 'listen' | 'targets' | 'values'>;

/**
 * Checks that the parts of a pair make sense together: by the rows of its options, and here by their values.
 *
 * @param given the names of its options
 * @param modes what the process does
 * @throws TnetError TNET_E_USAGE with the part that does not as its subject
 */
export function checkPair(
  pair: ReadPair,
  given: ReadonlySet<string>,
  name: NamePart,
  modes: Asked['modes'] = {},
): void {
  checkEnds(pair, name);
  const asked = { ...describePair(pair), given, modes: { ...modes, ...replayMode(pair, name) } };
  refuseFirst(pairRows, asked, name);
  checkAccess(pair, name);
  checkExposure(pair, name);
  checkRoutes(pair.values, name);
  checkSettings(pair, name);
  requireVersion2(pair.values.proxyTlv, pair.values.sendProxy);
  checkNames(pair, name);
  checkGroups(pair, name);
}

/** Checks the options of the process by their rows. */
export function checkProcess(given: ReadonlySet<string>, name: NamePart): void {
  refuseFirst(processRows, { given, ends: {} }, name);
}

/** What the rows are asked about. */
function describePair(pair: ReadPair): Pick<Asked, 'ends' | 'facts'> {
  const ends = findDatagramEnds(pair.listen, pair.targets);
  const routed = (pair.values.route ?? []).map(({ targets }) => ({ targets, values: pair.values }));
  const facts = [
    isBalanced(pair) || routed.some(isBalanced) ? ['balanced'] : [],
    isUnixKind(pair.listen) ? ['LISTEN is a path'] : [],
    findLocalTarget(pair) ? ['program target'] : [],
    pair.targets.length > 0 && pair.targets.every(({ kind }) => kind === 'pty') ? ['pty target'] : [],
    ends?.client && ends.target ? ['two UDP ends'] : [],
    ends && ends.client !== ends.target ? ['UDP and a stream'] : [],
  ].flat();
  // A route to UDP is refused as such.
  const routes = (pair.values.route ?? []).flatMap((route) => route.targets);
  const streams = [...pair.targets, ...routes.filter((target) => !isDatagramTarget(target))];
  const kinds = [...pair.targets, ...routes].map(({ kind }) => kind);
  facts.push(...factsOf('server', [pair.listen.kind]), ...factsOf('client', kinds));
  return { ends: { server: [endOf(pair.listen.kind)], target: streams.map(endOfTarget) }, facts };
}

function endOfTarget(target: Target) {
  return target.kind === 'srv' ? endOf(isDatagramTarget(target) ? 'udp' : 'tcp') : endOf(target.kind);
}

function replayMode(pair: ReadPair, name: NamePart): Asked['modes'] {
  if (pair.values.replay === undefined) return {};
  return isReplayClient(pair)
    ? { 'replay-clients': `- as ${name('listen')}` }
    : { 'replay-target': name('replay') };
}

function refuseFirst(rows: ReadonlyMap<string, OptionRow>, asked: Asked, name: NamePart): void {
  const refusal = findRefusal('proxy', rows, asked);
  if (refusal) throw refuse(name(refusal.option), describe(refusal, name, asked));
}

function describe(refusal: Refusal, name: NamePart, asked: Asked): string {
  switch (refusal.kind) {
    case 'role':
      return 'makes no sense here';
    case 'excluded':
      return `makes no sense with ${name(refusal.by)}${refusal.reason && `: ${refusal.reason}`}`;
    case 'mode': {
      const called = refusal.by === undefined ? refusal.called : name(refusal.by);
      return `makes no sense with ${called}${refusal.reason && `: ${refusal.reason}`}`;
    }
    case 'end':
      return refusal.reason ?? describeEnd(refusal, asked);
    case 'need': {
      const need = describeNeed(refusal, name);
      return `makes sense only ${need}`;
    }
  }
}

function describeEnd(
  { end, role }: Extract<Refusal, { readonly kind: 'end' }>,
  { ends = {} }: Asked,
): string {
  if (end === 'local') return 'makes no sense with a program, a file or a device';
  if (end === 'packet') return 'it needs a stream, and a socket here keeps messages apart';
  if (end === 'datagram' && Object.values(ends).flat(2).includes('packet'))
    return 'it needs a connection, and datagrams have none';
  if (end !== 'datagram') return 'makes no sense with a Unix socket';
  if (role === 'relay') return 'it needs a stream, and both ends are UDP';
  return role === 'target'
    ? 'UDP targets take datagrams, and it needs a stream'
    : 'UDP clients send datagrams, and it needs a stream';
}

const listenKinds: readonly Endpoint['kind'][] = [
  ...(['tcp', 'udp', 'unix', 'ws', 'fd', 'unix-dgram', 'unix-seqpacket', 'vsock'] as const),
  ...localEnds,
];

function checkEnds(pair: ReadPair, name: NamePart): void {
  const { listen, targets, values } = pair;
  const refuseTargets = (message: string) => refuse(name('targets'), message);
  if (!isReplayClient(pair) && !listenKinds.includes(listen.kind))
    throw refuse(name('listen'), `cannot listen on ${formatEndpoint(listen)}`);
  if (targets.some(({ kind }) => kind === 'tls'))
    throw refuseTargets('tls:// has to be before all targets or before none');
  if (!values.tlsOut && targets.some((target) => target.kind === 'ws' && target.isSecure))
    throw refuseTargets('wss:// has to be before all targets or before none');
  if (targets.some(isDatagramTarget) && !targets.every(isDatagramTarget))
    throw refuseTargets('udp:// has to be before all targets or before none');
  const server = (['socks', 'httpConnect', 'http'] as const).find((one) => values[one] === true);
  const reader = server ?? (values.route ? 'route' : undefined);
  if (reader && listen.kind === 'ws')
    throw refuse(name(reader), 'is for clients of a plain stream, and makes no sense with a WebSocket');
  if (server && targets.length > 0)
    throw refuseTargets(`makes no sense with ${name(server)}: clients name it`);
  const isReplayServer = values.replay !== undefined && !isReplayClient(pair);
  if (isReplayServer && targets.length > 0)
    throw refuseTargets(`makes no sense with ${name('replay')}: the recording takes its place`);
  if (!server && targets.length === 0 && !values.route && !isReplayServer)
    throw refuseTargets('no target is given');
}

/** The lists judge IP addresses: a Unix client has one only when a PROXY header says so. */
function checkAccess({ listen, values }: ReadPair, name: NamePart): void {
  if ((!isUnixKind(listen) && listen.kind !== 'vsock') || values.acceptProxy) return;
  const given = (['allow', 'deny'] as const).find((key) => values[key] !== undefined);
  if (given) throw refuse(name(given), 'judges IP addresses, and a Unix socket has none; use --mode');
}

function findLocalTarget(pair: ReadPair): Target | undefined {
  return listTargets(pair).find(isLocalEnd);
}

function listTargets({ targets, values }: ReadPair): Target[] {
  return [...targets, ...(values.route ?? []).flatMap((route) => route.targets)];
}

/**
 * Ends by which whoever names them does what this process may do here: run programs, and use its files, devices and
 * descriptors.
 */
export function listOwnEnds(pair: ReadPair): string[] {
  const targets = listTargets(pair).filter(isLocalEnd).map(formatTarget);
  const { listen } = pair;
  return isLocalEnd(listen) || listen.kind === 'fd' ? [formatEndpoint(listen), ...targets] : targets;
}

/** A server that connects any client to anything must not be offered to a network by mistake. */
function checkExposure(pair: ReadPair, name: NamePart): void {
  const { listen, values } = pair;
  const local = findLocalTarget(pair);
  if (local && !values.allow && !values.insecureExec && !isLocalListener(listen)) {
    const message = `${formatTarget(local)} behind an address that other machines reach needs ${name('allow')}, or ${name('insecureExec')} if anyone may use it`;
    throw new TnetError('TNET_E_EXPOSED', message, { subject: formatEndpoint(listen) });
  }
  const server = (['socks', 'httpConnect', 'http'] as const).find((one) => values[one] === true);
  if (!server || values.authFile !== undefined || values.allow !== undefined || isLocalListener(listen))
    return;
  throw refuse(
    name(server),
    `${formatEndpoint(listen)} may be reached from other machines: give ${name('authFile')} or ${name('allow')}, or listen on loopback`,
  );
}

function checkRoutes({ route, tlsIn }: PairValues, name: NamePart): void {
  if (tlsIn && route?.some(({ kind }) => kind !== 'proto')) {
    throw refuse(
      name('route'),
      `sni: and alpn: make no sense with ${name('tlsIn')}: the proxy takes TLS off`,
    );
  }
  const targets = route?.flatMap((one) => one.targets) ?? [];
  if (targets.some(isDatagramTarget)) throw refuse(name('route'), 'a route leads to a stream, not to UDP');
  if (targets.some(({ kind }) => kind === 'tls'))
    throw refuse(name('route'), `instead of tls://, use ${name('tlsOut')} here`);
}

/** What is said of single targets has to make a difference among those that share the clients. */
function checkSettings({ targets, values }: ReadPair, name: NamePart): void {
  const groups = [
    { targets, subject: name('targets') },
    ...(values.route ?? []).map((route) => ({ targets: route.targets, subject: name('route') })),
  ];
  for (const { targets: group, subject } of groups) {
    const shared = group.find(({ settings }) => settings?.weight ?? settings?.backup);
    const setting = shared?.settings?.weight === undefined ? 'backup' : 'weight';
    if (shared && group.length === 1)
      throw refuse(subject, `${setting} makes sense only with several targets`);
    if (shared && group.every(({ settings }) => settings?.backup))
      throw refuse(subject, 'at least one target must not be a backup');
    if (values.balance === 'first' && group.some(({ settings }) => settings?.weight !== undefined))
      throw refuse(subject, `weight makes no sense with ${name('balance')} first: the order decides`);
  }
  if (values.balance === 'first' && values.slowStart !== undefined)
    throw refuse(name('slowStart'), `makes no sense with ${name('balance')} first: the order decides`);
}

/**
 * Only the targets of a pair are looked up this way: the system is asked for what clients name, and no lookup is
 * made for localhost.
 */
function checkNames({ targets, values }: ReadPair, name: NamePart): void {
  const senseless = (['resolve', 'dnsServer'] as const).find((key) => values[key] !== undefined);
  const all = [...targets, ...(values.route ?? []).flatMap((route) => route.targets)];
  if (!senseless || all.some(isLookedUp)) return;
  throw refuse(name(senseless), 'makes sense only with a target that is a name');
}

/** A name may be that of a group: what it is shows when it is bound or connected to. */
function checkGroups({ listen, targets, values }: ReadPair, name: NamePart): void {
  const mayBeGroup = (end: Target) =>
    end.kind === 'udp' && (isGroup(end.host) || (end.host !== undefined && isIP(end.host) === 0));
  if (values.multicastSource && !mayBeGroup(listen))
    throw refuse(name('multicastSource'), `makes sense only where ${name('listen')} is a multicast group`);
  if (values.interface === undefined || values.allowBroadcast || [listen, ...targets].some(mayBeGroup))
    return;
  throw refuse(name('interface'), `makes sense only with a multicast group or ${name('allowBroadcast')}`);
}

function isLookedUp(target: Target): boolean {
  return target.kind === 'srv' || (hasHost(target) && isForeignName(target.host));
}

function refuse(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_USAGE', message, { subject });
}
