import { setTimeout as delay } from 'node:timers/promises';
import { loopbacks } from '../../../address/host-rules.ts';
import { formatTarget, type Target } from '../targets/target.ts';
import { failureFields } from '../../../report/sentences.ts';
import { Balancer, isUsable, type Member, type MemberTarget } from './balancer.ts';
import { Connector } from './connector.ts';
import { HealthChecks } from './health.ts';
import { defaultEjectMs, defaultFall, defaultRise, type Pair } from '../pair.ts';
import type { TargetState } from '../targets/target-settings.ts';
import { resolveTarget } from '../targets/names.ts';
import { staggerMs } from '../targets/race.ts';
import type { ProxyHost } from '../host.ts';
import {
  judgeTarget,
  type ChosenTarget,
  type TargetDialing,
  type OpenUpstream,
  type Upstream,
  type UpstreamRequest,
} from '../targets/upstream.ts';

/** How long to wait before looking up a name again that could not be looked up. */
const lookAgainMs = 2_000;

/** An upstream of several targets: balanced, checked, and looked up again while the proxy runs. */
export class BalancedUpstream implements Upstream {
  readonly #pair: Pair;
  readonly #host: ProxyHost;
  readonly #dialing: TargetDialing;
  readonly #balancer: Balancer;
  /** What each target of the pair currently resolves to. */
  readonly #resolved = new Map<Target, readonly MemberTarget[]>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #ready: Promise<void>;
  #isReady = false;
  /** Settled when the first target is known. */
  readonly #known = Promise.withResolvers<undefined>();
  readonly #closing = new AbortController();
  readonly #connector: Connector;

  constructor(pair: Pair, dialing: TargetDialing) {
    const { balance = 'round-robin', healthFall, healthRise, eject, health, slowStart } = pair.values;
    this.#pair = pair;
    this.#host = dialing.host;
    this.#dialing = dialing;
    this.#balancer = new Balancer({
      way: balance,
      fall: healthFall ?? defaultFall,
      rise: healthRise ?? defaultRise,
      ejectMs: eject ?? defaultEjectMs,
      slowStartMs: slowStart,
    });
    const hasLimits = pair.targets.some(({ settings }) => settings?.max !== undefined);
    this.#connector = new Connector({
      ...{ balancer: this.#balancer, dialing, closing: this.#closing.signal },
      name: pair.targets.map(formatTarget).join(', '),
      tell: (member, isUp) => this.#tell(member, isUp),
      onEjected: () => {
        // Those that wait then have one more.
        if (hasLimits) this.#after((eject ?? defaultEjectMs) + 1, () => this.#connector.wake());
      },
    });
    const known = pair.targets.map((target) => this.#resolve(target));
    // A name whose lookup gets no answer does not hold up the others.
    const some = this.#known.promise.then(() => delay(staggerMs));
    this.#ready = Promise.race([Promise.all(known), some]).then(() => {
      this.#isReady = true;
      if (health !== undefined) this.#check(health);
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
      settings: member.settings,
    }));
  }

  setEnabled(address: string, isEnabled: boolean): boolean {
    const isThere = this.#balancer.setEnabled(address, isEnabled, performance.now());
    this.#connector.wake();
    return isThere;
  }

  async open(request: UpstreamRequest): Promise<OpenUpstream | undefined> {
    const { timeoutMs } = this.#dialing;
    const deadline = performance.now() + timeoutMs;
    await this.#awaitNames(timeoutMs);
    return this.#connector.connect(request, deadline);
  }

  choose(request: UpstreamRequest): ChosenTarget | undefined {
    // In JavaScript a client can wait for what is not there yet.
    if (!this.#isReady || this.#connector.isAwaited) return undefined;
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
      taken: () => this.#connector.taken(member),
      release: () => this.#connector.released(member),
      failed: (error, tookMs) => this.#connector.failed(member, error, { id: request.id, tookMs }),
      goOn:
        members.length > 1 || this.#balancer.hasFull()
          ? (attempt) =>
              this.#connector.connect(request, attempt.at + this.#dialing.timeoutMs, { members, attempt })
          : undefined,
    };
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

  /** Looks a target up, and again when its answer is old. While no name server answers, the last answer holds. */
  async #resolve(target: Target): Promise<void> {
    let refreshMs = Promise.resolve(lookAgainMs);
    try {
      const found = await resolveTarget(target, this.#pair.values, this.#host.family);
      refreshMs = found.refreshMs;
      const written = { written: formatTarget(target), settings: target.settings };
      this.#resolved.set(
        target,
        found.targets.map((one) => ({ ...one, ...written })),
      );
      this.#balancer.setMembers(
        this.#pair.targets.flatMap((each) => this.#resolved.get(each) ?? []),
        this.#isReady ? performance.now() : undefined,
      );
      this.#connector.wake();
      this.#known.resolve(undefined);
    } catch (error) {
      this.#host.fail(formatTarget(target), error);
    }
    void refreshMs.then((delayMs) => {
      if (delayMs !== Infinity) this.#after(delayMs, () => void this.#resolve(target));
    });
  }

  #check(intervalMs: number): void {
    const { values } = this.#pair;
    const checks = new HealthChecks({
      ...{ values, dialing: this.#dialing, signal: this.#closing.signal },
      members: () => this.#balancer.members,
      onChecked: (member, error) => {
        const isReady = error === undefined;
        if (!this.#balancer.checked(member, isReady, performance.now())) return;
        this.#tell(member, isReady, error);
        this.#connector.wake();
      },
    });
    const checkAll = () => {
      checks.checkAll(intervalMs);
      this.#after(intervalMs, checkAll);
    };
    checkAll();
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  #tell({ name: target }: Member, isUp: boolean, error?: unknown): void {
    if (isUp) this.#host.emit({ event: 'target-up', target });
    else this.#host.emit({ event: 'target-down', target, ...(error !== undefined && failureFields(error)) });
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
