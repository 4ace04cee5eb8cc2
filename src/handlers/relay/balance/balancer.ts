import type { Endpoint } from '../../../address/endpoint.ts';
import type { TargetSettings } from '../targets/target-settings.ts';
import { byHash, byLoad, Turns, type Candidate } from './ways.ts';

export type BalanceAlgorithm = 'round-robin' | 'least' | 'first' | 'hash';

/** What a member is made of. */
export interface MemberTarget {
  /** As the user would write it; identifies the member. */
  readonly name: string;
  readonly endpoint: Endpoint;
  /** The name by which it was found, if any. */
  readonly host: string | undefined;
  /** The target as the user wrote it, which may have several addresses. Default: the name. */
  readonly written?: string;
  readonly settings?: TargetSettings | undefined;
}

/** One target among several, with what is known about it. Times are on performance.now()'s clock. */
export interface Member extends Omit<MemberTarget, 'written'>, Candidate {
  written: string;
  settings: TargetSettings;
  /** New clients may be given to it. */
  isEnabled: boolean;
  /** Connections to it that are open or being made. */
  open: number;
  /** Attempts that another target has overtaken and that have not ended yet: it may not answer at all. */
  doubts: number;
  /** According to the active checks; true without any. */
  isUp: boolean;
  /** Checks in a row that contradict `isUp`. */
  contraryChecks: number;
  /** Clients in a row that it did not accept. */
  refusals: number;
  /** It is left out until this time because it refused clients. */
  ejectedUntil: number;
  /** When it came into use, if the others were in use then. */
  usedSince: number;
}

export interface BalancerOptions {
  readonly way: BalanceAlgorithm;
  readonly fall: number;
  readonly rise: number;
  readonly ejectMs: number;
  /** How long the weight of a member that comes into use grows to what it is. Default 0: it is that at once. */
  readonly slowStartMs?: number | undefined;
}

/** The part of its weight with which a member begins that starts slowly: it has to get clients to be known at all. */
const leastShare = 0.01;

/** Chooses among members. Knows no sockets: its caller reports what happened to them. */
export class Balancer {
  members: readonly Member[] = [];
  readonly #options: BalancerOptions;
  readonly #turns = new Turns();
  /** What was said of members, by their names and as their targets were written. */
  readonly #enabled = new Map<string, boolean>();

  constructor(options: BalancerOptions) {
    this.#options = options;
  }

  /**
   * Replaces the members; one that stays (by name) keeps what is known about it.
   *
   * @param now when those that are new come into use. Default: they are in use from the start
   */
  setMembers(targets: readonly MemberTarget[], now = -Infinity): void {
    const known = new Map(this.members.map((member) => [member.name, member]));
    const unique = new Map<string, MemberTarget>();
    for (const target of targets) if (!unique.has(target.name)) unique.set(target.name, target);
    this.members = [...unique.values()].map((target) => toMember(target, known, now));
    for (const member of this.members) this.#applyEnabled(member);
  }

  /**
   * Whether new clients may be given to a member, by its name, or to all of a target, as it was written. That holds
   * also for addresses that are found later. False: there is neither, as far as any are known.
   */
  setEnabled(name: string, isEnabled: boolean, now: number): boolean {
    const meant = this.members.filter((member) => member.name === name || member.written === name);
    if (meant.length === 0 && this.members.length > 0) return false;
    for (const member of meant) this.#enabled.delete(member.name);
    this.#enabled.set(name, isEnabled);
    for (const member of meant) {
      if (isEnabled && !member.isEnabled) member.usedSince = now;
      this.#applyEnabled(member);
    }
    return true;
  }

  #applyEnabled(member: Member): void {
    member.isEnabled = this.#enabled.get(member.name) ?? this.#enabled.get(member.written) ?? true;
  }

  /**
   * The members in the order in which to try them for a client: usable ones as the balancing method orders them,
   * then those in doubt, then backups, then the others, as a last resort. Disabled ones are not among them, nor is
   * one without room. As long as there is one that only lacks room, none of those that come after its kind is.
   *
   * @param client the input of a hash
   * @param now on performance.now()'s clock
   * @param tried those that this client is not to be given again
   */
  order(client: string, now: number, tried?: ReadonlySet<Member>): Member[] {
    const ordered: Member[] = [];
    for (const tier of this.#tiers(now)) {
      const left = tried ? tier.filter((member) => !tried.has(member)) : tier;
      const free = left.filter(hasRoom);
      if (free.length > 0) ordered.push(...this.#arrange(free, client, now, ordered.length === 0));
      if (free.length < left.length) break;
    }
    return ordered;
  }

  /** Whether there is a member that lacks nothing but room. */
  hasFull(tried?: ReadonlySet<Member>): boolean {
    return this.members.some((member) => member.isEnabled && !hasRoom(member) && !tried?.has(member));
  }

  /** Whether a client that has tried none would be given a member. */
  hasFree(now: number): boolean {
    const first = this.#tiers(now).find((tier) => tier.length > 0);
    return first?.some(hasRoom) ?? false;
  }

  /** Those that are tried before all others, and so on. */
  #tiers(now: number): Member[][] {
    const tiers: Member[][] = [[], [], [], [], [], []];
    for (const member of this.members) {
      if (!member.isEnabled) continue;
      const { doubts, settings } = member;
      const place = isUsable(member, now)
        ? (settings.backup ? 2 : 0) + (doubts > 0 ? 1 : 0)
        : settings.backup
          ? 5
          : 4;
      tiers[place]?.push(member);
    }
    return tiers;
  }

  #arrange(members: readonly Member[], client: string, now: number, isFirst: boolean): Member[] {
    const weightOf = (member: Member) => this.#weigh(member, now);
    switch (this.#options.way) {
      case 'first':
        return [...members];
      case 'hash':
        return byHash(members, client, weightOf);
      case 'least':
        return byLoad(members, this.#turns, weightOf);
      case 'round-robin':
        return isFirst ? this.#turns.take(members, weightOf) : this.#turns.order(members, weightOf);
    }
  }

  #weigh({ settings: { weight = 1 }, usedSince, ejectedUntil }: Member, now: number): number {
    const { slowStartMs = 0 } = this.#options;
    const usedMs = now - Math.max(usedSince, ejectedUntil > 0 ? ejectedUntil : -Infinity);
    if (slowStartMs === 0 || usedMs >= slowStartMs) return weight;
    return weight * Math.max(leastShare, usedMs / slowStartMs);
  }

  /** A client was connected to it. Returns whether it had been left out before. */
  taken(member: Member, now: number): boolean {
    const wasEjected = member.ejectedUntil > 0;
    if (wasEjected) member.usedSince = now;
    member.refusals = 0;
    member.ejectedUntil = 0;
    return wasEjected;
  }

  /**
   * It did not accept a client. Returns whether it is left out from now on.
   *
   * @param isSilent it let the whole time limit pass, which no second client should wait for: that counts at once
   */
  refused(member: Member, now: number, isSilent = false): boolean {
    member.refusals += isSilent ? this.#options.fall : 1;
    if (member.refusals < this.#options.fall) return false;
    const isNew = member.ejectedUntil <= now;
    member.ejectedUntil = now + this.#options.ejectMs;
    return isNew;
  }

  /** An active check has ended. Returns whether that changed `isUp`. */
  checked(member: Member, accepted: boolean, now: number): boolean {
    if (accepted === member.isUp) {
      member.contraryChecks = 0;
      return false;
    }
    member.contraryChecks++;
    const needed = accepted ? this.#options.rise : this.#options.fall;
    if (member.contraryChecks < needed) return false;
    member.isUp = accepted;
    member.contraryChecks = 0;
    if (accepted) {
      this.taken(member, now);
      member.usedSince = now;
    }
    return true;
  }
}

/** Whether it is not left out. */
export function isUsable({ isUp, ejectedUntil }: Member, now: number): boolean {
  return isUp && ejectedUntil <= now;
}

/** Whether it may have one more connection. */
export function hasRoom({ open, settings: { max = Infinity } }: Member): boolean {
  return open < max;
}

function toMember(
  { name, endpoint, host, written = name, settings = {} }: MemberTarget,
  known: ReadonlyMap<string, Member>,
  now: number,
): Member {
  const member = known.get(name);
  if (member) return Object.assign(member, { written, settings });
  return {
    ...{ name, endpoint, host, written, settings, isEnabled: true, open: 0, turn: undefined, doubts: 0 },
    ...{ isUp: true, contraryChecks: 0, refusals: 0, ejectedUntil: 0, usedSince: now },
  };
}
