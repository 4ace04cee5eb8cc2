import { Option, type Command } from 'commander';
import type { WaitOptions } from './wait-options.ts';
import type { ReportOptions } from '../context.ts';

/** The flags of a check. */
export interface CheckOptions extends ReportOptions, WaitOptions {
  readonly check?: boolean;
  readonly any?: boolean;
  readonly all?: boolean;
}

export function addCheckOptions(command: Command): void {
  command
    .addOption(
      new Option('-z, --check', 'only see whether ports accept: HOST… 22,80,8000-8010; reads no stdin'),
    )
    .addOption(new Option('--any', 'with -z: done at the first that accepts').conflicts('all'))
    .addOption(new Option('--all', 'with -z: succeed only when all accept (the default: when any does)'));
}
