import { type Command, Option } from 'commander';
import { exitCodes } from '../../src/exit-codes.ts';
import { type Answers, DetailedAnswers, PlainAnswers } from './answers.ts';
import { readStdin } from './input.ts';

interface IsipOptions {
  readonly 4?: true;
  readonly 6?: true;
  readonly cidr?: true;
  readonly explain?: true;
  readonly in?: readonly string[];
  readonly invert?: true;
  readonly json?: true;
}

/** `tnet isip [options] [ADDRESS…|-]`: net.isIP on the command line. TnetErrors of bad ranges are main's to show. */
export function defineIsip(command: Command): void {
  command
    .argument('[address...]', 'texts to judge; "-" or none: the lines of standard input')
    .addOption(new Option('-4', 'only IPv4 counts as yes').conflicts('6'))
    .option('-6', 'only IPv6 counts as yes')
    .option('-v, --explain', 'say on stderr why a text is answered with 0')
    .option('--json', 'print a JSON object a line: family, class, canonical form, reverse name')
    .addOption(
      new Option(
        '--in <cidr>',
        'count addresses in these blocks only (repeat it, or separate by commas)',
      ).argParser((value, previous: readonly string[] | undefined) => [
        ...(previous ?? []),
        ...value.split(','),
      ]),
    )
    .option('--cidr', 'prefixes such as 10.0.0.0/8 count, too')
    .option('--invert', 'succeed when none is an address; with --in: when all are addresses outside')
    .option('--no-color', 'accepted as everywhere; isip prints no colour')
    .action(runIsip);
}

async function runIsip(texts: readonly string[], options: IsipOptions): Promise<void> {
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
      blocks: (options.in ?? []).map(parseBlock),
      isOutside: options.invert === true,
      takesPrefixes: options.cidr === true,
    },
    isExplained: options.explain === true,
    isJson: options.json === true,
  });
}
