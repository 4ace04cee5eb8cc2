import type { Pair } from './pair.ts';
import { formatTarget, type Target } from './target.ts';
import { Balancer, type Member } from './balancer.ts';
import { defaultEjectMs, defaultFall, defaultRise } from './balance-settings.ts';
import type { ProxyHost } from './host.ts';
import { resolveTarget, type ResolvedTarget } from './target-names.ts';
import {
  connectTarget,
  dialTarget,
  judgeLoops,
  type DialPlan,
  type Experience,
  type OpenUpstream,
  type Upstream,
  type UpstreamRequest,
} from './upstream.ts';

/** How long a name that could not be looked up is left alone. */
const lookAgainMs = 2_000;

/** How long a check may take at most. */
const longestCheckMs = 5_000;

/** An upstream of several targets: balanced, checked, and looked up anew while the proxy runs. */
export class BalancedUpstream implements Upstream {
  readonly #pair: Pair;
  readonly #host: ProxyHost;
  readonly #plan: DialPlan;
  readonly #balancer: Balancer;
  /** What each target of the pair stands for at the moment. */
  readonly #resolved = new Map<Target, readonly ResolvedTarget[]>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ready: Promise<unknown>;
  #isClosed = false;

  constructor(pair: Pair, plan: DialPlan) {
    const { balance = 'round-robin', healthFall, healthRise, eject, health } = pair.values;
    this.#pair = pair;
    this.#host = plan.host;
    this.#plan = plan;
    this.#balancer = new Balancer({
      way: balance,
      fall: healthFall ?? defaultFall,
      rise: healthRise ?? defaultRise,
      ejectMs: eject ?? defaultEjectMs,
    });
    this.#ready = Promise.all(pair.targets.map((target) => this.#resolve(target)));
    if (health !== undefined) void this.#ready.then(() => this.#checkAll(health));
  }

  async open({ id, clientHost, head, listener }: UpstreamRequest): Promise<OpenUpstream | undefined> {
    await this.#ready;
    const isStopped = () => this.#host.signal.aborted;
    const members = this.#balancer.order(clientHost, performance.now());
    if (members.length === 0) this.#host.fail(this.#name(), noAddressError(), id);
    const judge = judgeLoops(this.#host, listener);
    for (const member of members) {
      if (isStopped()) return undefined;
      member.open++;
      const isDatagram = member.endpoint.kind === 'udp';
      const release = ({ answered, refused }: Experience) => {
        member.open--;
        if (!isDatagram) return;
        if (answered && this.#balancer.taken(member)) this.#tell(member, true);
        if (refused && this.#balancer.refused(member, performance.now())) this.#tell(member, false);
      };
      try {
        const socket = await connectTarget(member.endpoint, this.#plan, { head, name: member.host, judge });
        // With UDP the dial shows nothing.
        if (!isDatagram && this.#balancer.taken(member)) this.#tell(member, true);
        return { socket, target: member.name, release };
      } catch (error) {
        member.open--;
        if (isStopped()) return undefined;
        this.#host.fail(member.name, error, id);
        if (this.#balancer.refused(member, performance.now())) this.#tell(member, false);
      }
    }
    return undefined;
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #name(): string {
    return this.#pair.targets.map(formatTarget).join(', ');
  }

  /** Looks a target up, and again when its answer is old. While nobody answers, the last answer holds. */
  async #resolve(target: Target): Promise<void> {
    let refreshMs = lookAgainMs;
    try {
      const found = await resolveTarget(target, this.#pair.values, this.#host.family);
      refreshMs = found.refreshMs;
      this.#resolved.set(target, found.targets);
      this.#balancer.setMembers(this.#pair.targets.flatMap((each) => this.#resolved.get(each) ?? []));
    } catch (error) {
      this.#host.fail(formatTarget(target), error);
    }
    if (refreshMs !== Infinity) this.#after(refreshMs, () => void this.#resolve(target));
  }

  #checkAll(intervalMs: number): void {
    for (const member of this.#balancer.members)
      void this.#check(member, Math.min(intervalMs, longestCheckMs));
    this.#after(intervalMs, () => this.#checkAll(intervalMs));
  }

  /** Connects, and closes again. */
  async #check(member: Member, limitMs: number): Promise<void> {
    const silent: ProxyHost = { ...this.#host, emit: () => undefined };
    const accepted = await dialTarget(member.endpoint, limitMs, silent).then(
      async (socket) => {
        socket.on('error', () => undefined);
        const { sendProxy } = this.#pair.values;
        if (sendProxy) socket.end((await import('./proxy-header.ts')).createLocalHeader(sendProxy));
        else socket.destroy();
        return true;
      },
      () => false,
    );
    if (this.#balancer.checked(member, accepted) && !this.#isClosed) this.#tell(member, accepted);
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

function noAddressError(): Error {
  return Object.assign(new Error('there is no target: its name has no address at the moment'), {
    code: 'ENOTFOUND',
  });
}
