import { createHash } from 'node:crypto';
import type { Endpoint } from '../../../address/endpoint.ts';

export type BalanceAlgorithm = 'round-robin' | 'least' | 'first' | 'hash';

/** One target among several, with what is known about it. */
export interface Member {
  /** As the user would write it; identifies the member. */
  readonly name: string;
  readonly endpoint: Endpoint;
  /** The name by which it was found, if any. */
  readonly host: string | undefined;
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
  /** It is left out until this time, on performance.now()'s clock, because it refused clients. */
  ejectedUntil: number;
}

/** What a member is made of. */
export interface MemberTarget extends Pick<Member, 'name' | 'endpoint' | 'host'> {
  /** The target as the user wrote it, which may have several addresses. Default: the name. */
  readonly written?: string;
}

export interface BalancerOptions {
  readonly way: BalanceAlgorithm;
  readonly fall: number;
  readonly rise: number;
  readonly ejectMs: number;
}

/** Chooses among members. Knows no sockets: its caller reports what happened to them. */
export class Balancer {
  members: readonly Member[] = [];
  readonly #options: BalancerOptions;
  #turn = 0;
  #targets: readonly MemberTarget[] = [];
  /** What was said of members, by their names and as their targets were written. */
  readonly #enabled = new Map<string, boolean>();

  constructor(options: BalancerOptions) {
    this.#options = options;
  }

  /** Replaces the members; one that stays (by name) keeps what is known about it. */
  setMembers(targets: readonly MemberTarget[]): void {
    const known = new Map(this.members.map((member) => [member.name, member]));
    const unique = new Map(targets.map((target) => [target.name, target]));
    this.#targets = [...unique.values()];
    this.members = this.#targets.map((target) => known.get(target.name) ?? createMember(target));
    this.#applyEnabled();
  }

  /**
   * Whether new clients may be given to a member, by its name, or to all of a target, as it was written. That holds
   * also for addresses that are found later. False: there is neither, as far as any are known.
   */
  setEnabled(name: string, isEnabled: boolean): boolean {
    const meant = this.#targets.filter((target) => target.name === name || target.written === name);
    if (meant.length === 0 && this.#targets.length > 0) return false;
    for (const target of meant) this.#enabled.delete(target.name);
    this.#enabled.set(name, isEnabled);
    this.#applyEnabled();
    return true;
  }

  #applyEnabled(): void {
    this.members.forEach((member, index) => {
      const written = this.#targets[index]?.written ?? member.name;
      member.isEnabled = this.#enabled.get(member.name) ?? this.#enabled.get(written) ?? true;
    });
  }

  /**
   * The members in the order in which to try them for a client: usable ones as the balancing method orders them,
   * then those in doubt, then the others, as a last resort. Disabled ones are not among them.
   *
   * @param client the input of a hash
   * @param now on performance.now()'s clock
   */
  order(client: string, now: number): Member[] {
    const members = this.members.filter(({ isEnabled }) => isEnabled);
    const usable = members.filter((member) => isUsable(member, now));
    const sure = usable.filter(({ doubts }) => doubts === 0);
    const doubtful = usable.filter(({ doubts }) => doubts > 0);
    const others = members.filter((member) => !usable.includes(member));
    const turn = this.#turn++;
    return [sure, doubtful, others].flatMap((group) => this.#arrange(group, client, turn));
  }

  #arrange(members: readonly Member[], client: string, turn: number): Member[] {
    switch (this.#options.way) {
      case 'first':
        return [...members];
      case 'hash':
        return sortBy(members, (member) => -weigh(client, member.name));
      case 'least':
        return sortBy(rotate(members, turn), ({ open }) => open);
      case 'round-robin':
        return rotate(members, turn);
    }
  }

  /** A client was connected to it. Returns whether it had been left out before. */
  taken(member: Member): boolean {
    const wasEjected = member.ejectedUntil > 0;
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
  checked(member: Member, accepted: boolean): boolean {
    if (accepted === member.isUp) {
      member.contraryChecks = 0;
      return false;
    }
    member.contraryChecks++;
    const needed = accepted ? this.#options.rise : this.#options.fall;
    if (member.contraryChecks < needed) return false;
    member.isUp = accepted;
    member.contraryChecks = 0;
    if (accepted) this.taken(member);
    return true;
  }
}

/** Whether it is not left out. */
export function isUsable({ isUp, ejectedUntil }: Member, now: number): boolean {
  return isUp && ejectedUntil <= now;
}

function createMember({ name, endpoint, host }: MemberTarget): Member {
  return {
    ...{ name, endpoint, host, isEnabled: true },
    ...{ open: 0, doubts: 0, isUp: true, contraryChecks: 0, refusals: 0, ejectedUntil: 0 },
  };
}

function rotate(members: readonly Member[], turn: number): Member[] {
  const from = members.length === 0 ? 0 : turn % members.length;
  return [...members.slice(from), ...members.slice(0, from)];
}

/** Rendezvous hashing: a member that leaves affects only its own clients. */
function weigh(client: string, name: string): number {
  return createHash('sha1').update(`${client}\0${name}`).digest().readUInt32BE(0);
}

function sortBy(members: readonly Member[], rank: (member: Member) => number): Member[] {
  const ranked = members.map((member) => ({ member, rank: rank(member) }));
  return ranked.sort((a, b) => a.rank - b.rank).map(({ member }) => member);
}
