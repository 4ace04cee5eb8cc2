import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode, TnetError } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';
import { describeError } from '../src/report/sentences.ts';
import { isTerminal } from '../src/report/is-terminal.ts';
import { escapeText } from '../src/transform/escape-controls.ts';
import { exitStatus, OutputError, writeResult } from './output.ts';
import { isWorker } from './is-worker.ts';
import { commandTable, findCommand } from './command-table.ts';
import { readPlainly } from './options/plain.ts';
import type { CommandName } from './options/row.ts';

/** Put in by scripts/build.mjs from package.json. */
declare const tnetVersion: string;

/** Runs the command line. Called by bin/tnet.js; sets process.exitCode and returns when the command has been started. */
export async function main(): Promise<void> {
  const args = process.argv.slice(2);
  const name = findCommand(args);
  holdSignals();
  if (showBuiltHelp(args)) return;
  // isip reads no ports, and must not wait for the list that names them.
  if (name !== 'isip') (await import('../src/address/service-names.ts')).useServiceList(readServiceList);
  if (process.pid === 1) (await import('./orphans.ts')).reapOrphans();
  try {
    const request = asksForHelp(args) ? (await import('./help/help.ts')).readHelpRequest(args) : undefined;
    if (request) {
      await (await import('./help/help.ts')).showHelp(request);
      return;
    }
    if (name === undefined && wantsBuild(args)) {
      writeResult(await describeBuild());
      return;
    }
    // isip's answers have no colour, and its start must not wait for it.
    if (name !== undefined && name !== 'isip') await prepareColor(args);
    if (await runPlainly(name, args)) return;
    const { buildProgram } = await import('./program.ts');
    if (args.length === 0) {
      process.stderr.write(await (await import('./help/screen.ts')).layOutScreen(''));
      process.exitCode = exitCodes.usage;
      return;
    }
    const program = await buildProgram(tnetVersion, name ?? '');
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (errorCode(error) === 'commander.helpDisplayed') await showHelpAmong(args, name);
    else await reportFailure(name, error);
  }
}

/** Runs a command whose command line is valid and plain. @returns false, having done nothing, for any other */
async function runPlainly(name: string | undefined, args: readonly string[]): Promise<boolean> {
  const load = commandTable.find((entry) => entry.name === name)?.load;
  if (!load || name !== args[0]) return false;
  const definition = await load();
  const read = readPlainly(name as CommandName, definition, args.slice(1));
  if (read) await definition.run(...read);
  return read !== undefined;
}

/**
 * SIGUSR1 has no effect unless a command gives it one: otherwise Node opens its inspector, a port through which
 * every local user may run code in this process. From the start, a worker leaves signals to the process that
 * started it: a terminal's Ctrl-C reaches both.
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

/** Whether help is all that is asked for. Commander finds a help flag among other words. */
function asksForHelp(args: readonly string[]): boolean {
  return args[0] === 'help' || args.slice(0, 2).some((word) => word === '-h' || word === '--help');
}

/**
 * Shows the help that the build has laid out, if that is all that is asked for and it fits: not on a terminal,
 * which may have any width.
 *
 * @returns false when there is more to do, and in a build without it
 */
function showBuiltHelp(args: readonly string[]): boolean {
  const [first = '', second, ...more] = args[0] === 'help' ? [...args.slice(1), '--help'] : args;
  const isAlone = second === undefined;
  const name = isAlone ? 'tnet' : commandTable.find((entry) => entry.name === first)?.name;
  const isAsked = (isAlone ? first : second) === '--help';
  if (!isAsked || name === undefined || more.length > 0 || isTerminal(1)) return false;
  try {
    writeResult(readFileSync(join(import.meta.dirname, 'help', `${name}.txt`), 'utf8'));
    return true;
  } catch {
    return false;
  }
}

/** `tnet connect HOST 80 -h`: the flag was found by commander. */
async function showHelpAmong(args: readonly string[], name = ''): Promise<void> {
  const { showHelp } = await import('./help/help.ts');
  await showHelp({ name, show: args.includes('--help') ? 'all' : 'screen', group: [] });
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

async function reportFailure(name: string | undefined, error: unknown): Promise<void> {
  const code = errorCode(error);
  // With the help shown there is no mistake; a stdout that failed has set the status.
  const isAnswered =
    isCommanders(error) && (code?.startsWith('commander.help') === true || error.exitCode === 0);
  if (isAnswered) return;
  const prefix = name === undefined ? 'tnet' : `tnet ${name}`;
  const { text, status } = await describeFailure(name, error);
  process.stderr.write(`${prefix}: ${escapeText(text)}\n`);
  process.exitCode = status;
}

/** Whether it is a CommanderError, which is not loaded when a start does without commander. */
function isCommanders(error: unknown): error is Error & { readonly code: string; readonly exitCode: number } {
  return error instanceof Error && errorCode(error)?.startsWith('commander.') === true;
}

/** @throws errors that are neither the user's nor the system's, but bugs of ours */
async function describeFailure(
  name: string | undefined,
  error: unknown,
): Promise<{ text: string; status: number }> {
  const status = exitStatus(error);
  if (isCommanders(error)) {
    const { explainUsageError } = await import('./program.ts');
    return describeFailure(name, await explainUsageError(name, error.code, error.message));
  }
  if (error instanceof TnetError) {
    const subject = error.subject === undefined ? '' : `${error.subject}: `;
    return { text: `${subject}${error.message} (${error.code})`, status };
  }
  if (error instanceof OutputError) return { text: error.message, status: exitCodes.failed };
  if (errorCode(error) === undefined) throw error;
  return { text: `${describeError(error)} (${errorCode(error)})`, status };
}
