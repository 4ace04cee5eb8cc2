import type { Command } from 'commander';
import { TnetError } from '../../src/errors.ts';

/** What goes together on a command's line, as data. Flags are named as commander names their values. */
export interface FlagRules {
  /** In a mode these flags would do nothing. */
  readonly excludes: readonly {
    readonly mode: string;
    readonly flags: readonly string[];
    /** Why, as the end of the sentence `FLAG does not go with MODE: …`. */
    readonly reason: string;
  }[];
  /** A flag that does nothing without one of others, or in none of these modes. */
  readonly needs: readonly {
    readonly flag: string;
    readonly anyOf: readonly string[];
    /** How what is missing is called. */
    readonly called: string;
  }[];
}

/**
 * Refuses flags that would be ignored.
 *
 * @param modes what is asked for, by the name of the rules' modes; a flag that was given is a mode too
 * @throws TnetError TNET_E_USAGE
 */
export function checkFlags(
  command: Command,
  rules: FlagRules,
  modes: Readonly<Record<string, boolean>>,
): void {
  const isGiven = (flag: string) => command.getOptionValueSource(flag) === 'cli';
  const isAsked = (mode: string) =>
    modes[mode] ?? (isGiven(mode) || command.getOptionValueSource(mode) === 'implied');
  for (const { mode, flags, reason } of rules.excludes) {
    const given = isAsked(mode) ? flags.find(isGiven) : undefined;
    if (given === undefined) continue;
    const name = nameFlag(command, mode) ?? mode;
    throw new TnetError(
      'TNET_E_USAGE',
      `${nameFlag(command, given) ?? given} does not go with ${name}: ${reason}`,
    );
  }
  for (const { flag, anyOf, called } of rules.needs) {
    if (isGiven(flag) && !anyOf.some(isAsked))
      throw new TnetError('TNET_E_USAGE', `${nameFlag(command, flag) ?? flag} goes with ${called}`);
  }
}

/** A flag as it is best known: `-q`, `--expect`. */
function nameFlag(command: Command, name: string): string | undefined {
  // --no-shutdown has the name of what it turns off.
  const option = command.options.find(
    (one) => one.attributeName() === name && (one.short ?? one.long) !== undefined,
  );
  return option?.short ?? option?.long;
}

/** Makes every option that has one value refuse a second one: which of them counts would be a guess. */
export function refuseRepeats(command: Command): void {
  for (const option of command.options) {
    if (!option.required && !option.optional) continue;
    let count = 0;
    command.on(`option:${option.name()}`, () => {
      // What gathers values has them in a list.
      const isList = Array.isArray(command.getOptionValue(option.attributeName()));
      if (++count < 2 || isList) return;
      throw new TnetError(
        'TNET_E_USAGE',
        `${option.short ?? option.long ?? ''} is given twice, and has one value`,
      );
    });
  }
}
