import { createHash } from 'node:crypto';

/** What the ways of balancing know of a member. */
export interface Candidate {
  readonly name: string;
  /** Connections to it that are open or being made. */
  readonly open: number;
  /** When it had its last turn; undefined: never. See Turns. */
  turn: number | undefined;
}

/** How much of the clients a candidate is to get, compared with the others: over 0. */
export type WeightOf<One> = (candidate: One) => number;

/**
 * Gives turns as often as the weights say, spread as evenly as can be, on a clock that the turns themselves move: each
 * candidate's next turn is due one part of its weight after its last one. Who was away has missed its turns, and those
 * of the others are as they were.
 */
export class Turns {
  #clock = 0;

  /** The candidates in the order in which their turns are due. The first one's turn is taken. */
  take<One extends Candidate>(candidates: readonly One[], weightOf: WeightOf<One>): One[] {
    const ordered = this.order(candidates, weightOf);
    const [first] = ordered;
    if (first) first.turn = this.#clock = this.#dueAt(first, weightOf(first));
    return ordered;
  }

  /** The same, but no turn is taken. */
  order<One extends Candidate>(candidates: readonly One[], weightOf: WeightOf<One>): One[] {
    return sortBy(candidates, (candidate) => this.#dueAt(candidate, weightOf(candidate)));
  }

  #dueAt(candidate: Candidate, weight: number): number {
    // In the middle of a turn, so that those of many do not come together.
    candidate.turn ??= this.#clock - 0.5 / weight;
    return Math.max(this.#clock, candidate.turn + 1 / weight);
  }
}

/** Those with the fewest connections for their weight first; among equals, those whose turn it is. */
export function byLoad<One extends Candidate>(
  candidates: readonly One[],
  turns: Turns,
  weightOf: WeightOf<One>,
): One[] {
  const loads = new Map(candidates.map((candidate) => [candidate, candidate.open / weightOf(candidate)]));
  const loadOf = (candidate: One) => loads.get(candidate) ?? 0;
  const least = Math.min(...loads.values());
  const idlest = candidates.filter((candidate) => loadOf(candidate) === least);
  const others = candidates.filter((candidate) => loadOf(candidate) !== least);
  return [...turns.take(idlest, weightOf), ...sortBy(others, loadOf)];
}

/**
 * Rendezvous hashing: each client has an order of its own. Whoever leaves affects only its own clients, and a weight
 * that grows only draws clients to it. Source: Schindelhauer and Schomaker, "Weighted distributed hash tables".
 */
export function byHash<One extends Candidate>(
  candidates: readonly One[],
  client: string,
  weightOf: WeightOf<One>,
): One[] {
  return sortBy(candidates, (candidate) => Math.log(draw(client, candidate.name)) / -weightOf(candidate));
}

/** A number between 0 and 1, of which neither is drawn. */
function draw(client: string, name: string): number {
  const hash = createHash('sha1').update(`${client}\0${name}`).digest();
  return (hash.readUIntBE(0, 6) + 0.5) / 2 ** 48;
}

function sortBy<One>(candidates: readonly One[], rank: (candidate: One) => number): One[] {
  const ranked = candidates.map((candidate) => ({ candidate, rank: rank(candidate) }));
  return ranked.sort((a, b) => a.rank - b.rank).map(({ candidate }) => candidate);
}
