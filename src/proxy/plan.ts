import type { AccessList } from '../access/access-list.ts';
import { requireNumericHost } from '../address/numeric.ts';
import type { Socket } from '../net/index.ts';
import { prepareExpress, type ExpressPlan } from './express-plan.ts';
import type { DatagramPlan } from './datagram-plan.ts';
import type { Faults } from './faults.ts';
import type { ProxyHost } from './host.ts';
import type { Intake, IntakeStep } from './intake.ts';
import { defaultConnectMs, isBalanced, isReplayClient, type Pair } from './pair.ts';
import { RateLimit } from '../access/rate-limit.ts';
import { prepareSteps } from './steps.ts';
import { findDatagramEnds, type DatagramEnds } from './target.ts';
import { createDirectUpstream, type DialPlan, type Upstream } from './upstream.ts';

/** A pair made ready to serve: what it needs is loaded, and what it keeps between connections is there. */
export interface Plan {
  readonly pair: Pair;
  /** How clients say what they want; none: they are connected at once. */
  readonly steps: readonly IntakeStep[];
  /** Where clients go that named no target of their own; undefined: nowhere. */
  readonly upstream: Upstream | undefined;
  /** Judges clients by their address; undefined: all are welcome. */
  readonly access: AccessList | undefined;
  /** Undefined: no limit. */
  readonly rate: RateLimit | undefined;
  /** Counts a connection of a client that a PROXY header names; false: one too many. Undefined: no limit. */
  readonly takeRate: ((client: string) => boolean | Promise<boolean>) | undefined;
  /** Draws what is done to a connection; undefined when nothing is done to any. */
  readonly createFaults: ((connection: number, onDrop: () => void) => Faults) | undefined;
  /** Makes what a target is told first; undefined: nothing. Throws a ProtocolError for what cannot be told. */
  readonly createHead: ((client: Socket, known: Intake) => Buffer) | undefined;
  /** Whether the engine serves its clients alone. */
  readonly express: ExpressPlan;
  /** Undefined when no end is UDP. */
  readonly datagrams: DatagramPlan | undefined;
  /** Ends what the plan keeps running. Connections go on. */
  readonly close: () => void;
}

/**
 * Makes a pair ready. What a pair does not use is not loaded. Opens no listening socket.
 *
 * @throws TnetError TNET_E_ADDRESS for a name where -n forbids one, TNET_E_CONFIG for a htpasswd file,
 *   TNET_E_USAGE for a certificate, TNET_E_ACCESS for an access list, TNET_E_RECORDING for a recording
 */
export async function preparePlan(pair: Pair, host: ProxyHost): Promise<Plan> {
  const { values } = pair;
  const upstreams: Upstream[] = [];
  const secure = values.tlsOut ? (await import('./secure-plan.ts')).createSecureTarget(values) : undefined;
  const dialPlan: DialPlan = { host, timeoutMs: values.waitConnect ?? defaultConnectMs, secure };
  const create = async (targets: Pair['targets']) => {
    // Where another process serves the clients, it alone looks after the targets.
    if (host.handOver && pair.listen.kind !== 'udp') return idleUpstream;
    const upstream = await createUpstream({ ...pair, targets }, dialPlan);
    upstreams.push(upstream);
    return upstream;
  };
  const rate = values.rate && new RateLimit(values.rate);
  const ends = findDatagramEnds(pair.listen, pair.targets);
  const createFaults = pair.isFaulty ? await loadFaults(ends) : undefined;
  const header = values.sendProxy && (await import('./proxy-header.ts'));
  const plan: Omit<Plan, 'express'> = {
    pair,
    steps: await prepareSteps(pair, host, (route) => create(route.targets)),
    upstream: await createOwnUpstream(pair, host, create),
    access: await readAccess(pair, host),
    rate,
    takeRate: rate && ((client) => rate.take(client, performance.now())),
    createFaults: createFaults && ((connection, onDrop) => createFaults(values, connection, onDrop)),
    createHead:
      header && ((client, known) => header.createProxyHeader(values.sendProxy ?? 1, client, known.header)),
    datagrams: ends && (await import('./datagram-plan.ts')).createDatagramPlan(values, ends),
    close() {
      for (const upstream of upstreams) upstream.close();
    },
  };
  return { ...plan, express: await prepareExpress(plan, host) };
}

/** Between two UDP ends faults keep datagrams apart; where one end is a stream, they act on the stream. */
async function loadFaults(ends: DatagramEnds | undefined) {
  if (ends?.client && ends.target) return (await import('./datagram-faults.ts')).createDatagramFaults;
  return (await import('./faults.ts')).createFaults;
}

async function readAccess({ values }: Pair, host: ProxyHost): Promise<AccessList | undefined> {
  const { allow, deny } = values;
  if (!allow && !deny) return undefined;
  const { createAccessList } = await import('../access/access-list.ts');
  return createAccessList({ allow, deny, numericOnly: host.numericOnly });
}

/** Where clients go that named no target of their own. */
async function createOwnUpstream(
  pair: Pair,
  host: ProxyHost,
  create: (targets: Pair['targets']) => Promise<Upstream>,
): Promise<Upstream | undefined> {
  const { targets, values } = pair;
  if (values.replay !== undefined && !isReplayClient(pair)) {
    return (await import('./replay.ts')).createReplayUpstream(values, host);
  }
  return targets.length === 0 ? undefined : create(targets);
}

/** Of a process that hands its clients over: it dials nobody. */
const idleUpstream: Upstream = { open: () => Promise.resolve(undefined), close: () => undefined };

async function createUpstream(pair: Pair, plan: DialPlan): Promise<Upstream> {
  if (isBalanced(pair)) {
    const { BalancedUpstream } = await import('./balanced-upstream.ts');
    return new BalancedUpstream(pair, plan);
  }
  const [target] = pair.targets;
  if (!target || target.kind === 'srv') throw new Error('a pair that is not balanced has one address');
  if (plan.host.numericOnly) requireNumericHost(target);
  return createDirectUpstream(target, plan);
}
