import { CommanderError } from 'commander';
import { errorCode, TnetError } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';
import { describeError } from '../src/report/sentences.ts';
import { exitStatus } from './context.ts';
import { buildProgram, describeUsageError, findCommand } from './program.ts';

/** Put in by scripts/build.mjs from package.json. */
declare const tnetVersion: string;

/** Runs the command line. Called by bin/tnet.js; sets process.exitCode and returns when the command has been started. */
export async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const name = findCommand(args);
  try {
    const program = await buildProgram(tnetVersion, name ?? '');
    if (args.length === 0) {
      process.stderr.write(program.helpInformation());
      process.exitCode = exitCodes.usage;
      return;
    }
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    reportFailure(name, error);
  }
}

function reportFailure(name: string | undefined, error: unknown): void {
  if (error instanceof CommanderError && error.exitCode === 0) return;
  const prefix = name === undefined ? 'tnet' : `tnet ${name}`;
  if (error instanceof CommanderError) {
    process.stderr.write(`${prefix}: ${describeUsageError(name, error.code, error.message)}\n`);
    process.exitCode = exitCodes.usage;
  } else if (error instanceof TnetError) {
    const subject = error.subject === undefined ? '' : `${error.subject}: `;
    process.stderr.write(`${prefix}: ${subject}${error.message} (${error.code})\n`);
    process.exitCode = exitStatus(error);
  } else if (errorCode(error) !== undefined) {
    process.stderr.write(`${prefix}: ${describeError(error)} (${errorCode(error)})\n`);
    process.exitCode = exitStatus(error);
  } else {
    throw error;
  }
}
