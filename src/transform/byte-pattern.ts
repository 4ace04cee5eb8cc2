/**
 * Regular expressions over bytes, compiled for ./byte-matcher.ts, which takes time in proportion to the bytes
 * whatever the pattern is. They are written as JavaScript's; what cannot be matched that way (backreferences,
 * lookahead and lookbehind) is refused. No I/O.
 */

/** One instruction of a compiled pattern. Unless it names another one, the next one follows. */
export type Instruction =
  /** Takes a byte that is in the set. */
  | { readonly kind: 'take'; readonly set: ReadonlySet<number> }
  /** Goes on at both places. */
  | { kind: 'split'; first: number; second: number }
  | { kind: 'jump'; to: number }
  /**
   * Continues if this holds: at the start of a line, before its end, at the edge of a word, inside or outside one.
   */
  | { readonly kind: 'assert'; readonly what: 'line-start' | 'line-end' | 'word-edge' | 'no-word-edge' }
  | { readonly kind: 'match' };

export type Program = readonly Instruction[];

/** The most instructions that a pattern may compile to: each of them may cost a step for every byte. */
const maxInstructions = 2_000;

/**
 * Compiles a pattern. A character above 127 means the bytes of its UTF-8 form, `\xHH` a single byte. `^` and `$`
 * are the start and the end of a line; the end includes a CR before the LF, and `.` matches neither.
 *
 * @throws Error with one sentence that says what is wrong
 */
export function compilePattern(text: string): Program {
  // JavaScript gives the best errors for a malformed pattern; from here on it is well-formed.
  new RegExp(text);
  const program: Instruction[] = [];
  emit(new Parser(text).parse(), program);
  program.push({ kind: 'match' });
  return program;
}

type Node =
  | { readonly kind: 'take'; readonly set: ReadonlySet<number> }
  | { readonly kind: 'assert'; readonly what: Extract<Instruction, { kind: 'assert' }>['what'] }
  | { readonly kind: 'sequence'; readonly nodes: readonly Node[] }
  | { readonly kind: 'choice'; readonly nodes: readonly Node[] }
  | { readonly kind: 'repeat'; readonly node: Node; readonly least: number; readonly most: number };

function emit(node: Node, program: Instruction[]): void {
  if (program.length > maxInstructions)
    throw new Error('the pattern is too large, because its repetitions are expanded');
  switch (node.kind) {
    case 'take':
    case 'assert':
      program.push(node);
      return;
    case 'sequence':
      for (const one of node.nodes) emit(one, program);
      return;
    case 'choice':
      emitChoice(node.nodes, program);
      return;
    case 'repeat':
      emitRepeat(node, program);
  }
}

function emitChoice([first, ...rest]: readonly Node[], program: Instruction[]): void {
  if (!first) return;
  if (rest.length === 0) return emit(first, program);
  const split: Instruction = { kind: 'split', first: program.length + 1, second: 0 };
  program.push(split);
  emit(first, program);
  const jump: Instruction = { kind: 'jump', to: 0 };
  program.push(jump);
  split.second = program.length;
  emitChoice(rest, program);
  jump.to = program.length;
}

function emitRepeat({ node, least, most }: Extract<Node, { kind: 'repeat' }>, program: Instruction[]): void {
  const begin = program.length;
  for (let count = 0; count < least; count++) {
    emit(node, program);
    // A part that takes nothing is the same however often it is repeated.
    if (program.length === begin) return;
  }
  if (most === Infinity) {
    const start = program.length;
    const split: Instruction = { kind: 'split', first: start + 1, second: 0 };
    program.push(split);
    emit(node, program);
    program.push({ kind: 'jump', to: start });
    split.second = program.length;
    return;
  }
  const splits: Extract<Instruction, { kind: 'split' }>[] = [];
  for (let count = least; count < most; count++) {
    const split: Instruction = { kind: 'split', first: program.length + 1, second: 0 };
    splits.push(split);
    program.push(split);
    emit(node, program);
  }
  for (const split of splits) split.second = program.length;
}

const CR = 0x0d;
const LF = 0x0a;

const allBytes = Array.from({ length: 256 }, (_, byte) => byte);
const range = (from: number, to: number) => allBytes.slice(from, to + 1);
const not = (set: ReadonlySet<number>) => new Set(allBytes.filter((byte) => !set.has(byte)));

const digits = new Set(range(0x30, 0x39));
export const wordBytes: ReadonlySet<number> = new Set([
  ...digits,
  ...range(0x41, 0x5a),
  ...range(0x61, 0x7a),
  0x5f,
]);
const spaces = new Set([0x20, ...range(0x09, 0x0d)]);
const classes: Readonly<Record<string, ReadonlySet<number>>> = {
  d: digits,
  D: not(digits),
  w: wordBytes,
  W: not(wordBytes),
  s: spaces,
  S: not(spaces),
};
const controls: Readonly<Record<string, number>> = { n: LF, r: CR, t: 0x09, v: 0x0b, f: 0x0c };

/** What the flags of a group such as `(?i:…)` have set. */
interface Modes {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
}

/** Reads a pattern that RegExp has accepted. */
class Parser {
  readonly #text: string;
  #at = 0;
  #modes: Modes = { ignoreCase: false, dotAll: false };

  constructor(text: string) {
    this.#text = text;
  }

  parse(): Node {
    const alternatives: Node[] = [];
    do alternatives.push(this.#sequence());
    while (this.#skip('|'));
    return { kind: 'choice', nodes: alternatives };
  }

  #sequence(): Node {
    const nodes: Node[] = [];
    while (this.#at < this.#text.length && !/[|)]/.test(this.#peek()))
      nodes.push(this.#repeated(this.#atom()));
    return { kind: 'sequence', nodes };
  }

  #repeated(node: Node): Node {
    const [found, sign, least, comma, most] =
      /^(?:([*+?])|\{(\d+)(,?)(\d*)\})\??/.exec(this.#text.slice(this.#at)) ?? [];
    if (found === undefined) return node;
    this.#at += found.length;
    if (sign !== undefined)
      return { kind: 'repeat', node, least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Infinity };
    const upper = comma === '' ? least : most === '' ? 'Infinity' : most;
    const [from, to] = [Number(least), Number(upper)];
    // Expanded, they would be too many in any case.
    if (from > maxInstructions || (to > maxInstructions && to !== Infinity))
      throw new Error(
        `{${from > maxInstructions ? from : to}} repeats too often: at most ${maxInstructions} times`,
      );
    return { kind: 'repeat', node, least: from, most: to };
  }

  #atom(): Node {
    const char = this.#next();
    if (char === '(') return this.#group();
    if (char === '[') return this.#class();
    if (char === '\\') return this.#escape();
    if (char === '^') return { kind: 'assert', what: 'line-start' };
    if (char === '$') return lineEnd;
    if (char === '.')
      return { kind: 'take', set: this.#modes.dotAll ? new Set(allBytes) : not(new Set([LF, CR])) };
    return this.#characters([char]);
  }

  #group(): Node {
    const modes = this.#modes;
    if (this.#skip('?')) this.#groupKind();
    const node = this.parse();
    this.#skip(')');
    this.#modes = modes;
    return node;
  }

  /** What follows `(?`. */
  #groupKind(): void {
    const rest = this.#text.slice(this.#at);
    const [named] = /^<[^=!>]*>/.exec(rest) ?? [];
    const [flagged, on = '', off = ''] = /^([ims]*)(?:-([ims]*))?:/.exec(rest) ?? [];
    if (named === undefined && flagged === undefined) {
      const direction = rest.startsWith('<') ? 'lookbehind' : 'lookahead';
      throw new Error(
        `(?${rest.startsWith('<') ? rest.slice(0, 2) : rest.charAt(0)}…) is a ${direction}, which is not supported`,
      );
    }
    this.#at += (named ?? flagged ?? '').length;
    this.#modes = {
      ignoreCase: (this.#modes.ignoreCase || on.includes('i')) && !off.includes('i'),
      dotAll: (this.#modes.dotAll || on.includes('s')) && !off.includes('s'),
    };
  }

  #escape(): Node {
    const char = this.#peek();
    if (char === 'b' || char === 'B') {
      this.#at++;
      return { kind: 'assert', what: char === 'b' ? 'word-edge' : 'no-word-edge' };
    }
    if (/[1-9]/.test(char) || (char === 'k' && this.#text.includes('(?<'))) {
      throw new Error(`\\${char} is a back-reference, which is not supported`);
    }
    const found = this.#escaped();
    return typeof found === 'object' ? { kind: 'take', set: found } : this.#characters([found]);
  }

  /** What follows a backslash, inside or outside a class: a set of bytes, a byte, or a character. */
  #escaped(): ReadonlySet<number> | number | string {
    const rest = this.#text.slice(this.#at);
    const [hex, digitPair, unit, point] =
      /^(?:x([0-9a-f]{2})|u([0-9a-f]{4})|u\{([0-9a-f]{1,6})\})/i.exec(rest) ?? [];
    if (hex !== undefined) {
      this.#at += hex.length;
      if (digitPair !== undefined) return Number.parseInt(digitPair, 16);
      return String.fromCodePoint(Number.parseInt(unit ?? point ?? '', 16));
    }
    const char = this.#next();
    if (char === 'c' && /[a-z]/i.test(this.#peek())) return this.#next().charCodeAt(0) % 32;
    if (char === '0') return 0;
    return classes[char] ?? controls[char] ?? char;
  }

  #class(): Node {
    const isNegated = this.#skip('^');
    const members: (ReadonlySet<number> | number | string)[] = [];
    while (!this.#skip(']')) {
      if (this.#at >= this.#text.length) throw new Error('a character class is not closed');
      const from = this.#member();
      if (this.#peek() !== '-' || this.#text.charAt(this.#at + 1) === ']') {
        members.push(from);
        continue;
      }
      this.#at++;
      const to = this.#member();
      if (typeof from === 'object' || typeof to === 'object') members.push(from, 0x2d, to);
      else members.push(new Set(range(this.#edge(from), this.#edge(to))));
    }
    const set = new Set<number>();
    const long: string[] = [];
    for (const member of members) {
      if (typeof member === 'object') for (const byte of member) set.add(byte);
      else if (typeof member === 'number') set.add(member);
      else if (isAscii(member)) set.add(member.charCodeAt(0));
      else long.push(member);
    }
    if (isNegated && long.length > 0)
      throw new Error(`[^…] cannot contain ${long[0]}, which is several bytes`);
    const cased = this.#modes.ignoreCase ? bothCases(set) : set;
    const bytes: Node = { kind: 'take', set: isNegated ? not(cased) : cased };
    return long.length === 0
      ? bytes
      : { kind: 'choice', nodes: [bytes, ...long.map((one) => this.#characters([one]))] };
  }

  #member(): ReadonlySet<number> | number | string {
    const char = this.#next();
    if (char !== '\\') return char;
    if (!this.#skip('b')) return this.#escaped();
    return 0x08;
  }

  #edge(member: number | string): number {
    if (typeof member === 'number') return member;
    if (isAscii(member)) return member.charCodeAt(0);
    throw new Error(`a range cannot begin or end with ${member}, which is several bytes`);
  }

  #characters(characters: readonly (number | string)[]): Node {
    const bytes = characters.flatMap((one) => (typeof one === 'number' ? [one] : [...Buffer.from(one)]));
    const nodes = bytes.map((byte): Node => {
      const set = new Set([byte]);
      return { kind: 'take', set: this.#modes.ignoreCase ? bothCases(set) : set };
    });
    return { kind: 'sequence', nodes };
  }

  #peek(): string {
    return this.#text.charAt(this.#at);
  }

  /** The next character, which may be two units of the text. */
  #next(): string {
    const char = String.fromCodePoint(this.#text.codePointAt(this.#at) ?? 0);
    this.#at += char.length;
    return char;
  }

  #skip(char: string): boolean {
    if (this.#peek() !== char) return false;
    this.#at++;
    return true;
  }
}

/** A CR belongs to the end of its line. */
const lineEnd: Node = {
  kind: 'sequence',
  nodes: [
    { kind: 'repeat', node: { kind: 'take', set: new Set([CR]) }, least: 0, most: 1 },
    { kind: 'assert', what: 'line-end' },
  ],
};

function isAscii(char: string): boolean {
  return char.charCodeAt(0) < 0x80;
}

/** The letters of ASCII in both cases. */
function bothCases(set: ReadonlySet<number>): ReadonlySet<number> {
  const letters = [...set].filter((byte) => /[a-z]/i.test(String.fromCharCode(byte)));
  return new Set([...set, ...letters.map((byte) => byte ^ 0x20)]);
}
