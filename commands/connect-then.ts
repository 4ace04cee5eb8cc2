import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { isatty } from 'node:tty';
import { exitCodes } from '../src/exit-codes.ts';
import type { Context } from './context.ts';

/** Handed on to the command, which stands in our place. */
const handedOn = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
/** A terminal sends these to the command itself too. */
const fromTerminal = ['SIGINT', 'SIGQUIT'] as const;

/**
 * Runs the command after `--` with our stdin, stdout and stderr, and makes its exit status ours: 128 and the signal's
 * number when a signal ended it, as a shell does.
 *
 * Not process.execve(): a command that takes our process over would have SIGPIPE ignored, as Node has it.
 */
export async function runThen(context: Context, commandLine: readonly string[]): Promise<void> {
  const [file = '', ...args] = commandLine;
  const running: { child?: ChildProcess } = {};
  const handOn = (signal: NodeJS.Signals) => void running.child?.kill(signal);
  const ignore = () => undefined;
  for (const signal of handedOn) process.on(signal, handOn);
  for (const signal of fromTerminal) process.on(signal, isatty(0) ? ignore : handOn);
  // After the signals are ours: the command may be quick to ask for one.
  const child = spawn(file, args, { stdio: 'inherit' });
  running.child = child;
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    context.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  } catch (error) {
    context.fail(file, error);
    context.exit(exitCodes.usage);
  } finally {
    for (const signal of handedOn) process.off(signal, handOn);
    for (const signal of fromTerminal) process.off(signal, ignore).off(signal, handOn);
  }
}
