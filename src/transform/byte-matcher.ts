import { wordBytes, type Program } from './byte-pattern.ts';

const LF = 0x0a;

/** What is before the first byte, and after the last one. */
const nothing = -1;

/**
 * Looks for a pattern in bytes as they come. A match is over as soon as it can be: it ends with the earliest byte
 * with which anything before it matches, so that where it ends does not depend on how the bytes are cut into
 * chunks. Assertions about the end of a line or of a word are decided when the next byte has arrived, or none will.
 *
 * Follows all possible matches at once, so that each byte costs at most one step per instruction. Source: Thompson,
 * Regular Expression Search Algorithm, 1968.
 */
export class ByteMatcher {
  readonly #program: Program;
  /** The byte before the current position. */
  #previous: number;
  /** The instructions that can take the next byte, and those that can only be judged with it. */
  #ready: number[] = [];
  #waiting: number[] = [];
  /** The position at which each instruction was last reached. */
  readonly #visited: Int32Array;
  #place = 0;
  #isFound = false;

  /** @param previous the byte before the first one; none at the beginning of the stream */
  constructor(program: Program, previous?: number) {
    this.#program = program;
    this.#previous = previous ?? nothing;
    this.#visited = new Int32Array(program.length).fill(-1);
    this.#arrive([0]);
  }

  /** The byte before the current position: the last of the match, once there is one. */
  get previous(): number | undefined {
    return this.#previous === nothing ? undefined : this.#previous;
  }

  /** Takes bytes. @returns how many of them belong to the match or come before it; undefined: there is none yet */
  push(bytes: Buffer): number | undefined {
    if (this.#isFound) return 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (this.#judge(byte)) return at;
      const taken: number[] = [];
      for (const index of this.#ready) {
        const instruction = this.#program[index];
        if (instruction?.kind === 'take' && instruction.set.has(byte)) taken.push(index + 1);
      }
      this.#previous = byte;
      // A match may begin anywhere.
      taken.push(0);
      if (this.#arrive(taken)) return at + 1;
    }
    return undefined;
  }

  /** No more bytes will arrive. @returns whether there is a match now */
  end(): boolean {
    return this.#judge(nothing);
  }

  /** Begins a position with these instructions. @returns whether the match ends there */
  #arrive(indexes: number[]): boolean {
    this.#place++;
    this.#ready = [];
    this.#waiting = [];
    this.#follow(indexes);
    return this.#isFound;
  }

  /** Continues with the instructions that wait for the next byte. @returns whether the match ends before it */
  #judge(next: number): boolean {
    while (this.#waiting.length > 0 && !this.#isFound) {
      const waiting = this.#waiting;
      this.#waiting = [];
      this.#follow(waiting.filter((index) => this.#holds(index, next)).map((index) => index + 1));
    }
    return this.#isFound;
  }

  #holds(index: number, next: number): boolean {
    const instruction = this.#program[index];
    if (instruction?.kind !== 'assert') return false;
    if (instruction.what === 'line-end') return next === LF || next === nothing;
    const isEdge = wordBytes.has(this.#previous) !== wordBytes.has(next);
    return isEdge === (instruction.what === 'word-edge');
  }

  /** Follows instructions to those that need a byte. */
  #follow(stack: number[]): void {
    for (let index = stack.pop(); index !== undefined; index = stack.pop()) {
      const instruction = this.#program[index];
      if (!instruction || this.#visited[index] === this.#place) continue;
      this.#visited[index] = this.#place;
      switch (instruction.kind) {
        case 'match':
          this.#isFound = true;
          return;
        case 'take':
          this.#ready.push(index);
          break;
        case 'jump':
          stack.push(instruction.to);
          break;
        case 'split':
          stack.push(instruction.first, instruction.second);
          break;
        case 'assert':
          if (instruction.what !== 'line-start') this.#waiting.push(index);
          else if (this.#previous === nothing || this.#previous === LF) stack.push(index + 1);
      }
    }
  }
}
