import { readFileSync } from 'node:fs';
import { CommanderError } from 'commander';
import { errorCode, TnetError } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';
import { describeError } from '../src/report/sentences.ts';
import { escapeText } from '../src/transform/escape-controls.ts';
import { exitStatus } from './exit-status.ts';
import { isWorker } from './is-worker.ts';
import { OutputError } from './isip/output.ts';
import { writeResult } from './write-result.ts';
import { buildProgram, describeUsageError, findCommand } from './program.ts';

/** Put in by scripts/build.mjs from package.json. */
declare const tnetVersion: string;

/** Runs the command line. Called by bin/tnet.js; sets process.exitCode and returns when the command has been started. */
export async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const name = findCommand(args);
  holdSignals();
  // isip reads no ports, and is not to wait for what names them.
  if (name !== 'isip') (await import('../src/address/service-names.ts')).useServiceList(readServiceList);
  if (process.pid === 1) (await import('./orphans.ts')).reapOrphans();
  try {
    if (name === undefined && wantsBuild(args)) {
      writeResult(await describeBuild());
      return;
    }
    // isip's answers have no colour, and its start is not to wait for any.
    if (name !== undefined && name !== 'isip') await prepareColor(args);
    const program = await buildProgram(tnetVersion, name ?? '');
    if (args.length === 0) {
      process.stderr.write(program.helpInformation());
      process.exitCode = exitCodes.usage;
      return;
    }
    // commander answers `help nosuch` with the help of all; it is a mistake as `nosuch` is.
    const isLost = args[0] === 'help' && args.length > 1 && name === undefined;
    await program.parseAsync(isLost ? args.slice(1) : args, { from: 'user' });
  } catch (error) {
    reportFailure(name, error);
  }
}

/**
 * SIGUSR1 has no effect unless a command gives it one: else Node opens its inspector, a port by which every local user may
 * run code in this process. A worker's signals are those of the process that started it, from its first moment on: a
 * terminal's Ctrl-C comes to both.
 */
function holdSignals(): void {
  const held = ['SIGUSR1', ...(isWorker() ? ['SIGINT', 'SIGTERM', 'SIGHUP'] : [])];
  for (const signal of held) process.on(signal, () => undefined);
}

/** Containers have none. Source: services(5). */
function readServiceList(): string {
  try {
    return readFileSync('/etc/services', 'latin1');
  } catch {
    return '';
  }
}

async function prepareColor(args: readonly string[]): Promise<void> {
  const { loadPaint, wantsColor } = await import('../src/report/paint.ts');
  if (wantsColor(args, 2)) await loadPaint();
}

/** `tnet --version --verbose`. */
function wantsBuild(args: readonly string[]): boolean {
  const isVerbose = args.includes('-v') || args.includes('--verbose');
  return isVerbose && (args.includes('-V') || args.includes('--version'));
}

/** What runs here: the version, the Node, and the flow engine with the reason when it is not the native one. */
async function describeBuild(): Promise<string> {
  const { nativeStatus } = await import('../src/native/addon.ts');
  const { used, file, reason } = nativeStatus();
  const engine = used ? `native (${file ?? ''})` : `Node streams (${reason ?? ''})`;
  return `tnet ${tnetVersion}\nnode ${process.versions.node}\nflow engine: ${engine}\n`;
}

function reportFailure(name: string | undefined, error: unknown): void {
  // With the help shown there is no mistake; a stdout that failed has set the status.
  const isHelp = error instanceof CommanderError && error.code.startsWith('commander.help');
  if (isHelp || (error instanceof CommanderError && error.exitCode === 0)) return;
  const prefix = name === undefined ? 'tnet' : `tnet ${name}`;
  const { text, status } = describeFailure(name, error);
  process.stderr.write(`${prefix}: ${escapeText(text)}\n`);
  process.exitCode = status;
}

/** @throws what is no failure of the user's or the system's, but a mistake of ours */
function describeFailure(name: string | undefined, error: unknown): { text: string; status: number } {
  const status = exitStatus(error);
  if (error instanceof CommanderError)
    return { text: describeUsageError(name, error.code, error.message), status: exitCodes.usage };
  if (error instanceof TnetError) {
    const subject = error.subject === undefined ? '' : `${error.subject}: `;
    return { text: `${subject}${error.message} (${error.code})`, status };
  }
  if (error instanceof OutputError) return { text: error.message, status: exitCodes.failed };
  if (errorCode(error) === undefined) throw error;
  return { text: `${describeError(error)} (${errorCode(error)})`, status };
}
