import { exitCodes } from '../../src/exit-codes.ts';
import { givenOptions, type Called, type CommandDefinition } from '../options/called.ts';
import { checkOptions } from '../options/refusals.ts';
import { type Answers, DetailedAnswers, PlainAnswers } from './answers.ts';
import { readStdin } from './input.ts';
import { isipLayout, type IsipOptions } from './options.ts';

/** `tnet isip [options] [ADDRESS…|-]`: net.isIP on the command line. TnetErrors of bad ranges are main's to show. */
export const isipCommand: CommandDefinition = {
  operands: [['[address...]', 'texts to judge; "-" or none: the lines of standard input']],
  layout: isipLayout,
  run: runIsip,
};

async function runIsip(texts: readonly string[], options: IsipOptions, command: Called): Promise<void> {
  checkOptions('isip', isipLayout, { given: givenOptions(command) });
  const answers = await openAnswers(options);
  const parts = texts.length === 0 ? ['-'] : texts;
  for (let at = 0; at < parts.length;) {
    if (parts[at] === '-') {
      await readStdin(
        (batch) => answers.answerBatch(batch),
        () => !answers.stdout.isGone,
      );
      at++;
      continue;
    }
    const dash = parts.indexOf('-', at);
    const end = dash < 0 ? parts.length : dash;
    await answers.answerTexts(parts.slice(at, end));
    at = end;
  }
  const wanted = options.invert && !options.in ? 0 : answers.total;
  process.exitCode = answers.stdout.isGone || answers.yes === wanted ? exitCodes.ok : exitCodes.failed;
}

/** The plain way needs nothing but the grammar: everything else is loaded when an option asks for it. */
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
