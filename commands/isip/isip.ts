import { isAscii } from 'node:buffer';
import { exitCodes } from '../../src/exit-codes.ts';
import { givenOptions, type Called, type CommandDefinition } from '../options/called.ts';
import { checkOptions } from '../options/check.ts';
import { readStdin, type LineBatch } from './input.ts';
import { isipLayout, type IsipOptions } from './options.ts';
import { answerLines, familyOfBytes, lineEnd } from '../../src/address/ip-lines.ts';
import { isIP } from '../../src/address/ip.ts';
import { Sink } from '../output.ts';
import type { Terms, Verdict } from './verdict.ts';

/** `tnet isip [options] [ADDRESS…|-]`: net.isIP on the command line. TnetErrors of bad ranges are main's to show. */
export const isipCommand: CommandDefinition = {
  help: {
    usage: '[options] [TEXT…]',
    purpose: [
      'Tells whether texts are IP addresses: prints 4, 6 or 0 for each, and succeeds',
      'when all of them are. Without a text, the lines of standard input are judged.',
    ],
    examples: [
      ['is it an address?', 'tnet isip 192.0.2.1 ::1 localhost'],
      ['why is it none?', 'tnet isip --explain 010.0.0.1'],
      [
        'which lines are addresses of a network?',
        'cut -d " " -f 1 access.log | tnet isip --in 10.0.0.0/8 --json',
      ],
    ],
    mostUsed: ['explain', 'json', 'in', 'cidr', '4', '6'],
  },
  operands: [['[address...]', 'texts to judge; "-" or none: the lines of standard input']],
  layout: isipLayout,
  run: runIsip,
};

async function runIsip(texts: readonly string[], options: IsipOptions, command: Called): Promise<void> {
  checkOptions('isip', isipLayout, { given: givenOptions(command) });
  const answers = await openAnswers(options);
  const operands = texts.length === 0 ? ['-'] : texts;
  for (let at = 0; at < operands.length;) {
    if (operands[at] === '-') {
      await readStdin(
        (batch) => answers.answerBatch(batch),
        () => !answers.stdout.isGone,
      );
      at++;
      continue;
    }
    const dash = operands.indexOf('-', at);
    const end = dash < 0 ? operands.length : dash;
    await answers.answerTexts(operands.slice(at, end));
    at = end;
  }
  const wanted = options.invert && !options.in ? 0 : answers.total;
  process.exitCode = answers.stdout.isGone || answers.yes === wanted ? exitCodes.ok : exitCodes.failed;
}

/** Plain numbers need nothing but the grammar: everything else is loaded when an option asks for it. */
async function openAnswers(options: IsipOptions): Promise<Answers> {
  const only = options[4] ? 4 : options[6] ? 6 : undefined;
  if (!options.explain && !options.json && !options.in && !options.cidr) return new PlainAnswers(only);
  const [verdicts, { parseBlock }] = await Promise.all([
    import('./verdict.ts'),
    import('../../src/address/prefix.ts'),
  ]);
  return new DetailedAnswers(verdicts, {
    terms: {
      only,
      blocks: (options.in ?? []).flatMap((blocks) => blocks.split(',')).map(parseBlock),
      isOutside: options.invert === true,
      takesPrefixes: options.cidr === true,
    },
    isExplained: options.explain === true,
    isJson: options.json === true,
  });
}

/** Answers texts one by one or by the batch, and counts. */
interface Answers {
  readonly total: number;
  /** How many of them were answered with something other than 0. */
  readonly yes: number;
  readonly stdout: Sink;
  readonly answerTexts: (texts: readonly string[]) => Promise<void> | undefined;
  readonly answerBatch: (batch: LineBatch) => Promise<void> | undefined;
}

/** Prints 4, 6 or 0 a line. */
class PlainAnswers implements Answers {
  readonly stdout = new Sink(1);
  total = 0;
  yes = 0;
  readonly #only: 4 | 6 | undefined;
  #output = new Uint8Array(0);

  constructor(only: 4 | 6 | undefined) {
    this.#only = only;
  }

  answerTexts(texts: readonly string[]): Promise<void> | undefined {
    let output = '';
    for (const text of texts) {
      const family = isIP(text);
      const answer = this.#only === undefined || this.#only === family ? family : 0;
      if (answer !== 0) this.yes++;
      output += `${answer}\n`;
    }
    this.total += texts.length;
    return this.stdout.write(output);
  }

  answerBatch({ bytes, start, end, isCut }: LineBatch): Promise<void> | undefined {
    if (isCut) {
      this.total++;
      return this.stdout.write('0\n');
    }
    if (this.#output.length < 2 * (end - start)) this.#output = new Uint8Array(2 * (end - start));
    const { written, yes } = answerLines(bytes.subarray(start, end), this.#output, this.#only);
    this.total += written / 2;
    this.yes += yes;
    return this.stdout.write(this.#output.subarray(0, written));
  }
}

/** What to print beside or instead of the numbers. */
interface DetailedOptions {
  readonly terms: Terms;
  /** A sentence on stderr for every 0. */
  readonly isExplained: boolean;
  /** A JSON object instead of the number. */
  readonly isJson: boolean;
}

/** The functions of ./verdict.ts, which is loaded only where they are needed. */
type VerdictModule = Pick<typeof import('./verdict.ts'), 'judge' | 'formatReason' | 'formatRecord'>;

/** Prints a number or a JSON object a line, and the reasons on stderr. */
class DetailedAnswers implements Answers {
  readonly stdout = new Sink(1);
  readonly #stderr = new Sink(2);
  readonly #options: DetailedOptions;
  readonly #verdicts: VerdictModule;
  #output = '';
  #reasons = '';
  total = 0;
  yes = 0;

  constructor(verdicts: VerdictModule, options: DetailedOptions) {
    this.#verdicts = verdicts;
    this.#options = options;
  }

  async answerTexts(texts: readonly string[]): Promise<void> {
    for (const text of texts) {
      this.#add(this.#verdicts.judge(text, this.#options.terms));
      if (this.#output.length > writtenAtOnce) await this.#flush();
    }
    await this.#flush();
  }

  answerBatch({ bytes, start, end, isCut }: LineBatch): Promise<void> {
    if (isCut) {
      const reason = { code: 'too-long', text: `the line is longer than ${end - start} bytes` };
      const input = bytes.toString('utf8', start, start + 100);
      this.#add({ input, answer: 0, prefix: undefined, block: undefined, reason });
      return this.#flush();
    }
    return this.#answerLines(bytes, start, end);
  }

  async #answerLines(bytes: Buffer, start: number, end: number): Promise<void> {
    const { terms } = this.#options;
    // To read bytes as text costs as much for a line as for a batch of them, which can be cut where each byte is a letter.
    const all = isAscii(bytes.subarray(start, end)) ? bytes.toString('latin1', start, end) : undefined;
    for (let lineStart = start; lineStart < end;) {
      let newline = lineStart;
      while (newline < end && bytes[newline] !== 10) newline++;
      const textEnd = lineEnd(bytes, lineStart, newline, end);
      const text =
        all?.slice(lineStart - start, textEnd - start) ?? bytes.toString('utf8', lineStart, textEnd);
      this.#add(this.#verdicts.judge(text, terms, familyOfBytes(bytes, lineStart, textEnd)));
      if (this.#output.length > writtenAtOnce) await this.#flush();
      lineStart = newline + 1;
    }
    await this.#flush();
  }

  #add(verdict: Verdict): void {
    const { isJson, isExplained } = this.#options;
    this.total++;
    if (verdict.answer !== 0) this.yes++;
    this.#output += `${isJson ? this.#verdicts.formatRecord(verdict) : verdict.answer}\n`;
    const reason = isExplained ? this.#verdicts.formatReason(verdict) : undefined;
    if (reason !== undefined) this.#reasons += `${reason}\n`;
  }

  async #flush(): Promise<void> {
    const [output, reasons] = [this.#output, this.#reasons];
    this.#output = '';
    this.#reasons = '';
    await this.stdout.write(output);
    await this.#stderr.write(reasons);
  }
}

/** Letters: text that is written soon is young, and costs the garbage collector little. */
const writtenAtOnce = 64 * 1024;
