import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { inheritIgnored } from '../../src/handlers/program/hangup.ts';
import { holdsTerminal } from '../../src/dial/terminal.ts';
import { errorCode } from '../../src/errors.ts';
import type { Context } from '../context.ts';
import { endBy, isEndingSignal } from '../signals.ts';

/** Handed on to the command, which stands in our place. */
const handedOn = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
/** A terminal sends these to all that runs in its foreground: to the command itself too. */
const fromTerminal = ['SIGINT', 'SIGQUIT'] as const;

/** What a shell says of a command that is not there, and of one that cannot be run. */
const statuses = { missing: 127, unusable: 126 } as const;

/**
 * Runs the command after `--` with our stdin, stdout and stderr, and makes its end ours: its exit status, or the signal
 * that ended it. A command that cannot be run is status 126 or 127, as with a shell.
 *
 * Not process.execve(): a command that takes our process over would have SIGPIPE ignored, as Node has it.
 */
export async function runThen(context: Context, commandLine: readonly string[]): Promise<void> {
  const running: { child?: ChildProcess } = {};
  const handOn = (signal: NodeJS.Signals) => void running.child?.kill(signal);
  const handOnAlone = (signal: NodeJS.Signals) => {
    if (!holdsTerminal()) handOn(signal);
  };
  for (const signal of handedOn) process.on(signal, handOn);
  for (const signal of fromTerminal) process.on(signal, handOnAlone);
  // After the signals are ours: the command may be quick to ask for one.
  const [file = '', ...args] = inheritIgnored(commandLine);
  const child = spawn(file, args, { stdio: 'inherit' });
  running.child = child;
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    context.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    if (signal !== null && isEndingSignal(signal)) endBy(signal);
  } catch (error) {
    context.fail(commandLine[0] ?? '', error);
    context.exit(errorCode(error) === 'ENOENT' ? statuses.missing : statuses.unusable);
  } finally {
    for (const signal of handedOn) process.off(signal, handOn);
    for (const signal of fromTerminal) process.off(signal, handOnAlone);
  }
}
