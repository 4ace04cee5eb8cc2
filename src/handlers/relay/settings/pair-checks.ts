import { formatEndpoint, type Endpoint } from '../../../address/endpoint.ts';
import { TnetError } from '../../../errors.ts';
import { isForeignName } from '../../../address/host-rules.ts';
import { faultSettings } from './faults.ts';
import { balanceSettings } from './balance.ts';
import { isLocalListener } from '../../../net/local-address.ts';
import { checkDatagrams } from './datagram-checks.ts';
import type { Target } from '../targets/target.ts';
import type { NamePart, Pair, PairValues } from '../pair.ts';

type Name = keyof PairValues;

/** Whether the targets are to be chosen among, and not simply dialled. */
export function isBalanced({ targets, values }: Pick<Pair, 'targets' | 'values'>): boolean {
  return (
    targets.length > 1 ||
    targets.some(({ kind }) => kind === 'srv') ||
    values.balance !== undefined ||
    values.health !== undefined ||
    values.resolve !== undefined ||
    values.dnsServer !== undefined
  );
}

/** Whether a recording takes the place of the clients, and not that of the target. */
export function isReplayClient({ listen, values }: Pick<Pair, 'listen' | 'values'>): boolean {
  return values.replay !== undefined && listen.kind === 'stdio';
}

/**
 * Checks that the parts of a pair make sense together.
 *
 * @throws TnetError TNET_E_USAGE with the part that does not as its subject
 */
export function checkPair(pair: Pair, name: NamePart): void {
  checkEnds(pair, name);
  checkDatagrams(pair, name);
  checkAccess(pair, name);
  checkReplay(pair, name);
  checkServer(pair, name);
  checkNeeds(pair.values, name);
  checkClashes(pair.values, name);
  checkTls(pair.values, name);
  checkBalance(pair, name);
  checkNames(pair, name);
}

const listenKinds: readonly Endpoint['kind'][] = ['tcp', 'udp', 'unix', 'fd'];

function checkEnds(pair: Pair, name: NamePart): void {
  const { listen, targets, values } = pair;
  if (!isReplayClient(pair) && !listenKinds.includes(listen.kind))
    throw refuse(name('listen'), `cannot listen on ${formatEndpoint(listen)}`);
  if (targets.some(({ kind }) => kind === 'tls')) {
    throw refuse(name('targets'), 'tls:// stands before all targets or before none');
  }
  const namesOwn = values.socks === true || values.httpConnect === true;
  if (namesOwn && targets.length > 0) {
    throw refuse(
      name('targets'),
      `makes no sense with ${name(values.socks ? 'socks' : 'httpConnect')}: clients name it`,
    );
  }
  const isReplayServer = values.replay !== undefined && !isReplayClient(pair);
  if (!namesOwn && targets.length === 0 && !values.route && !isReplayServer)
    throw refuse(name('targets'), 'a target is needed');
}

/** What is said of clients, and of targets: senseless where a recording takes their place. */
const ofClients: readonly Name[] = [
  'acceptProxy',
  'sendProxy',
  'socks',
  'httpConnect',
  'route',
  'tlsIn',
  'maxConnections',
  'rate',
  'allow',
  'deny',
];
const ofTargets: readonly Name[] = [
  'sendProxy',
  'socks',
  'httpConnect',
  'route',
  'tlsOut',
  'waitConnect',
  ...(Object.keys(balanceSettings) as Name[]),
];

function checkReplay(pair: Pair, name: NamePart): void {
  const { values, targets } = pair;
  if (values.replay === undefined) return;
  const isClient = isReplayClient(pair);
  if (!isClient && targets.length > 0) {
    throw refuse(name('targets'), `makes no sense with ${name('replay')}: the recording takes its place`);
  }
  const senseless = (isClient ? ofClients : ofTargets).find((key) => values[key] !== undefined);
  if (!senseless) return;
  const [other, whose] = isClient
    ? [`- as ${name('listen')}`, "the clients'"]
    : [name('replay'), "the target's"];
  throw refuse(name(senseless), `makes no sense with ${other}: the recording takes ${whose} place`);
}

/** The lists judge IP addresses: a Unix client has one only when a PROXY header says so. */
function checkAccess({ listen, values }: Pair, name: NamePart): void {
  if (listen.kind !== 'unix' || values.acceptProxy) return;
  const given = (['allow', 'deny'] as const).find((key) => values[key] !== undefined);
  if (given) throw refuse(name(given), 'judges IP addresses, and a Unix socket has none: its mode guards it');
}

/** A server that connects anybody to anything is not offered to a network by mistake. */
function checkServer({ listen, values }: Pair, name: NamePart): void {
  const kind = values.socks ? 'socks' : values.httpConnect ? 'httpConnect' : undefined;
  if (!kind) {
    if (values.authFile !== undefined) {
      throw refuse(name('authFile'), `makes sense only with ${name('socks')} or ${name('httpConnect')}`);
    }
    return;
  }
  const senseless = (['route', ...Object.keys(balanceSettings)] as Name[]).find(
    (key) => values[key] !== undefined,
  );
  if (senseless)
    throw refuse(name(senseless), `makes no sense with ${name(kind)}: clients name their target`);
  if (values.authFile !== undefined || values.allow !== undefined || isLocalListener(listen)) return;
  throw refuse(
    name(kind),
    `${formatEndpoint(listen)} may be reached from other machines: give ${name('authFile')} or ${name('allow')}, or listen on loopback`,
  );
}

/** Settings that say something about another one that is not there. */
const faultNames = Object.keys(faultSettings) as Name[];
const needs: readonly (readonly [Name, readonly Name[]])[] = [
  ['reject', ['maxConnections']],
  [
    'direction',
    faultNames.filter((key) => !['probability', 'seed', 'direction', 'resetAfter'].includes(key)),
  ],
  ['probability', faultNames.filter((key) => !['probability', 'seed', 'direction'].includes(key))],
  ['seed', ['latency', 'slice', 'sliceSize', 'corrupt', 'loss', 'probability']],
  ['handshakeLimit', ['acceptProxy', 'tlsIn', 'socks', 'httpConnect', 'route']],
  ['tlsCert', ['tlsIn']],
  ['tlsKey', ['tlsCert']],
  ['tlsCa', ['tlsOut']],
  ['tlsServername', ['tlsOut']],
  ['tlsInsecure', ['tlsOut']],
  ['tlsAlpn', ['tlsIn', 'tlsOut']],
  ['healthRise', ['health']],
  ['pace', ['replay']],
  ['connection', ['replay']],
];

function checkNeeds(values: PairValues, name: NamePart): void {
  for (const [key, others] of needs) {
    if (values[key] === undefined || others.some((other) => values[other] !== undefined)) continue;
    throw refuse(name(key), `makes sense only with ${others.map(name).join(' or ')}`);
  }
}

const clashes: readonly (readonly [Name, readonly Name[], string])[] = [
  [
    'blackhole',
    ['latency', 'bandwidth', 'corrupt', 'slice', 'sliceSize', 'sliceDelay', 'loss', 'dropAfter', 'slowClose'],
    'nothing is handed on',
  ],
];

function checkClashes(values: PairValues, name: NamePart): void {
  for (const [key, others, reason] of clashes) {
    const other = values[key] ? others.find((each) => values[each] !== undefined) : undefined;
    if (other) throw refuse(name(other), `makes no sense with ${name(key)}: ${reason}`);
  }
}

function checkTls({ tlsIn, tlsOut, tlsCert, route, socks, httpConnect }: PairValues, name: NamePart): void {
  if (tlsIn && tlsCert === undefined) throw refuse(name('tlsIn'), `needs ${name('tlsCert')}`);
  if (tlsOut && (socks ?? httpConnect)) {
    throw refuse(
      name('tlsOut'),
      `makes no sense with ${name(socks ? 'socks' : 'httpConnect')}: clients bring their own`,
    );
  }
  if (tlsIn && route?.some(({ kind }) => kind !== 'proto')) {
    throw refuse(
      name('route'),
      `sni: and alpn: make no sense with ${name('tlsIn')}: the proxy takes TLS off`,
    );
  }
  if (route?.some(({ targets }) => targets.some(({ kind }) => kind === 'tls'))) {
    throw refuse(name('route'), `tls:// is written ${name('tlsOut')} here`);
  }
}

function checkBalance(pair: Pair, name: NamePart): void {
  const senseless = (['healthFall', 'eject'] as const).find((key) => pair.values[key] !== undefined);
  if (!senseless || isBalanced(pair)) return;
  throw refuse(name(senseless), `makes sense only with several targets, or with ${name('health')}`);
}

/** The targets of a pair alone are looked up so: the system is asked for what clients name, and nobody for localhost. */
function checkNames({ targets, values }: Pair, name: NamePart): void {
  const senseless = (['resolve', 'dnsServer'] as const).find((key) => values[key] !== undefined);
  const all = [...targets, ...(values.route ?? []).flatMap((route) => route.targets)];
  if (!senseless || all.some(isLookedUp)) return;
  throw refuse(name(senseless), 'makes sense only with a target that is a name');
}

function isLookedUp(target: Target): boolean {
  return target.kind === 'srv' || ('port' in target && isForeignName(target.host));
}

function refuse(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_USAGE', message, { subject });
}
