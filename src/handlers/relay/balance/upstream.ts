import { setTimeout as delay } from 'node:timers/promises';
import { loopbacks } from '../../../address/host-rules.ts';
import { leaveInOrder } from '../../../net/connection.ts';
import { errorCode } from '../../../errors.ts';
import { formatTarget, type Target } from '../targets/target.ts';
import { isThere } from '../../../dial/check.ts';
import { Balancer, isUsable, type Member } from './balancer.ts';
import { defaultEjectMs, defaultFall, defaultRise, type Pair } from '../pair.ts';
import { resolveTarget, type ResolvedTarget } from '../targets/names.ts';
import { raceTargets, staggerMs, type BegunAttempt } from '../targets/race.ts';
import type { ProxyHost } from '../host.ts';
import {
  connectTarget,
  createDialOptions,
  disabledError,
  judgeTarget,
  type ChosenTarget,
  type TargetDialing,
  type Experience,
  type OpenUpstream,
  type TargetState,
  type Upstream,
  type UpstreamRequest,
} from '../targets/upstream.ts';

/** How long to wait before looking up a name again that could not be looked up. */
const lookAgainMs = 2_000;

/** How long a check may take: the time between two checks, within these bounds. */
const leastCheckMs = 1_000;
const longestCheckMs = 5_000;

/** An upstream of several targets: balanced, checked, and looked up again while the proxy runs. */
export class BalancedUpstream implements Upstream {
  readonly #pair: Pair;
  readonly #host: ProxyHost;
  readonly #dialing: TargetDialing;
  readonly #balancer: Balancer;
  /** What each target of the pair currently resolves to. */
  readonly #resolved = new Map<Target, readonly ResolvedTarget[]>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ready: Promise<void>;
  #isReady = false;
  /** Settled when the first target is known. */
  readonly #known = Promise.withResolvers<undefined>();
  readonly #checking = new Set<Member>();
  readonly #closing = new AbortController();

  constructor(pair: Pair, dialing: TargetDialing) {
    const { balance = 'round-robin', healthFall, healthRise, eject, health } = pair.values;
    this.#pair = pair;
    this.#host = dialing.host;
    this.#dialing = dialing;
    this.#balancer = new Balancer({
      way: balance,
      fall: healthFall ?? defaultFall,
      rise: healthRise ?? defaultRise,
      ejectMs: eject ?? defaultEjectMs,
    });
    const known = pair.targets.map((target) => this.#resolve(target));
    // A name whose lookup gets no answer does not hold up the others.
    const some = this.#known.promise.then(() => delay(staggerMs));
    this.#ready = Promise.race([Promise.all(known), some]).then(() => {
      this.#isReady = true;
      if (health !== undefined) this.#checkAll(health);
    });
  }

  get targets(): readonly TargetState[] {
    const now = performance.now();
    const isChecked = this.#pair.values.health !== undefined;
    return this.#balancer.members.map((member) => ({
      address: member.name,
      isEnabled: member.isEnabled,
      isUp: !isUsable(member, now) ? false : isChecked || undefined,
      connections: member.open,
    }));
  }

  setEnabled(address: string, isEnabled: boolean): boolean {
    return this.#balancer.setEnabled(address, isEnabled);
  }

  async open(request: UpstreamRequest): Promise<OpenUpstream | undefined> {
    const { timeoutMs } = this.#dialing;
    const deadline = performance.now() + timeoutMs;
    await this.#awaitNames(timeoutMs);
    const members = this.#balancer.order(request.clientHost, performance.now());
    if (members.length > 0) return this.#race(members, request, deadline);
    const isDisabled = this.#balancer.members.length > 0;
    this.#host.fail(this.#name(), isDisabled ? disabledError() : noAddressError(), request.id);
    return undefined;
  }

  choose(request: UpstreamRequest): ChosenTarget | undefined {
    if (!this.#isReady) return undefined;
    const members = this.#balancer.order(request.clientHost, performance.now());
    const [member] = members;
    const { endpoint } = member ?? {};
    if (!member || (endpoint?.kind !== 'tcp' && endpoint?.kind !== 'unix')) return undefined;
    const address = addressOf(endpoint);
    const judge = judgeTarget(this.#dialing, request.listener);
    if (!('path' in address) && judge?.({ transport: 'stream', ...address })) return undefined;
    member.open++;
    return {
      ...{ name: member.name, endpoint, address },
      taken: () => this.#taken(member),
      release: () => {
        member.open--;
      },
      failed: (error, tookMs) => this.#failed(member, error, { id: request.id, tookMs }),
      goOn:
        members.length > 1
          ? (begun) => this.#race(members, request, begun.at + this.#dialing.timeoutMs, begun)
          : undefined,
    };
  }

  async #race(
    members: readonly Member[],
    { id, head, listener, describe }: UpstreamRequest,
    deadline: number,
    begun?: BegunAttempt,
  ): Promise<OpenUpstream | undefined> {
    const { host } = this.#dialing;
    const judge = judgeTarget(this.#dialing, listener);
    const winner = await raceTargets<Member>({
      begun,
      targets: members,
      isLastResort: (member) => !isUsable(member, performance.now()),
      connect: (member, signal) => {
        member.open++;
        const limits = {
          host: withSignal(host, signal),
          timeoutMs: Math.max(1, Math.ceil(deadline - performance.now())),
        };
        return connectTarget(
          member.endpoint,
          { ...this.#dialing, ...limits },
          { head, tlsHost: member.host, judge, listener, describe },
        );
      },
      onFailed: (member, error, tookMs) => this.#failed(member, error, { id, tookMs }),
      onOvertaken: (member, over) => {
        member.doubts++;
        void over.then(() => member.doubts--);
      },
      onLate: (member, connection) => {
        member.open--;
        this.#taken(member);
        void leaveInOrder(connection);
      },
      isStopped: () => host.signal.aborted,
      closing: this.#closing.signal,
    });
    if (!winner) return undefined;
    const { target: member, connection } = winner;
    const isDatagram = member.endpoint.kind === 'udp';
    // With UDP the dial shows nothing.
    if (!isDatagram) this.#taken(member);
    const release = ({ answered, refused }: Experience) => {
      member.open--;
      if (!isDatagram) return;
      if (answered) this.#taken(member);
      if (refused && this.#balancer.refused(member, performance.now())) this.#tell(member, false);
    };
    return { socket: connection, target: member.name, release };
  }

  #taken(member: Member): void {
    if (this.#balancer.taken(member)) this.#tell(member, true);
  }

  #failed(member: Member, error: unknown, { id, tookMs }: { id: number; tookMs: number }): void {
    member.open--;
    if (this.#host.signal.aborted) return;
    this.#host.fail(member.name, error, id);
    // An attempt that began late and ran out of the client's time says little about its target.
    const isSilent = errorCode(error) === 'TNET_E_TIMEOUT' && tookMs >= staggerMs;
    if (this.#balancer.refused(member, performance.now(), isSilent)) this.#tell(member, false);
  }

  close(): void {
    this.#closing.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Waits until the names have been looked up once, within the client's limit. */
  async #awaitNames(limitMs: number): Promise<void> {
    if (this.#isReady) return;
    const limit = new AbortController();
    const tooLate = delay(limitMs, undefined, { signal: limit.signal }).catch(() => undefined);
    await Promise.race([this.#ready, tooLate]);
    limit.abort();
  }

  #name(): string {
    return this.#pair.targets.map(formatTarget).join(', ');
  }

  /** Looks a target up, and again when its answer is old. While no name server answers, the last answer holds. */
  async #resolve(target: Target): Promise<void> {
    let refreshMs = Promise.resolve(lookAgainMs);
    try {
      const found = await resolveTarget(target, this.#pair.values, this.#host.family);
      refreshMs = found.refreshMs;
      this.#resolved.set(target, found.targets);
      this.#balancer.setMembers(
        this.#pair.targets.flatMap((each) =>
          (this.#resolved.get(each) ?? []).map((one) => ({ ...one, written: formatTarget(each) })),
        ),
      );
      this.#known.resolve(undefined);
    } catch (error) {
      this.#host.fail(formatTarget(target), error);
    }
    void refreshMs.then((delayMs) => {
      if (delayMs !== Infinity) this.#after(delayMs, () => void this.#resolve(target));
    });
  }

  #checkAll(intervalMs: number): void {
    const limitMs = Math.min(Math.max(intervalMs, leastCheckMs), longestCheckMs);
    for (const member of this.#balancer.members) void this.#check(member, limitMs);
    this.#after(intervalMs, () => this.#checkAll(intervalMs));
  }

  /** Connects as a client would, TLS and its certificate included, and closes again in order. */
  async #check(member: Member, limitMs: number): Promise<void> {
    if (this.#checking.has(member)) return;
    this.#checking.add(member);
    const { sendProxy } = this.#pair.values;
    const head =
      sendProxy && (await import('../../../dial/send-proxy-header.ts')).createLocalHeader(sendProxy);
    const host = { ...withSignal(this.#host, this.#closing.signal), emit: () => undefined };
    const dialing = { ...this.#dialing, host, timeoutMs: limitMs };
    const accepted = await isThere(
      member.endpoint,
      createDialOptions(dialing, { head, tlsHost: member.host }),
    );
    this.#checking.delete(member);
    if (this.#isClosed) return;
    if (this.#balancer.checked(member, accepted)) this.#tell(member, accepted);
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  #tell(member: Member, isUp: boolean): void {
    this.#host.emit({ event: isUp ? 'target-up' : 'target-down', target: member.name });
  }

  #after(delayMs: number, action: () => void): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }
}

function addressOf(endpoint: ChosenTarget['endpoint']): ChosenTarget['address'] {
  if (endpoint.kind === 'unix') return { path: endpoint.path };
  return { address: endpoint.host ?? loopbacks[4], port: endpoint.port };
}

/** A host whose dials end with the signal too. */
function withSignal(host: ProxyHost, signal: AbortSignal): ProxyHost {
  return { ...host, signal: AbortSignal.any([host.signal, signal]) };
}

function noAddressError(): Error {
  return Object.assign(new Error('there is no target: its name has no address at the moment'), {
    code: 'ENOTFOUND',
  });
}
