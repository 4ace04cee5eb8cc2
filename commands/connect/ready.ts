import { pipeline } from 'node:stream';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Connection } from '../../src/net/connection.ts';
import { errorCode } from '../../src/errors.ts';
import { Deadline, rejectOn } from '../../src/net/deadline.ts';
import { CrlfOut } from '../../src/transform/crlf.ts';
import { Dialogue, type Step } from '../../src/transform/dialogue.ts';
import { describeMiss, type DialogueFlags } from './dialogue.ts';
import { sendsCrlf, type SessionFlags } from '../session-run.ts';
import { inheritIgnored } from '../../src/dial/local/hangup.ts';
import { holdsTerminal } from '../../src/dial/terminal.ts';
import type { Context } from '../context.ts';
import { endBy, isEndingSignal } from '../signals.ts';

export interface Readiness {
  readonly steps: readonly Step[];
  readonly options: DialogueFlags & SessionFlags;
  /** The limit for all steps together; each has that of --step-timeout. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Carries out the steps of --expect and --send on a connection that only has to show that its server is ready.
 *
 * @throws TnetError TNET_E_EXPECT or TNET_E_TIMEOUT, or the connection's error; then it is closed
 */
export async function runSteps(
  socket: Connection,
  { steps, options, timeoutMs, signal }: Readiness,
): Promise<void> {
  const outcome = Promise.withResolvers<undefined>();
  const fail = (error: unknown) => outcome.reject(error);
  using deadline = new Deadline('no answer', timeoutMs, signal);
  let isDone = false;
  const after: Buffer[] = [];
  const dialogue = new Dialogue(steps, {
    stepMs: options.stepTimeout,
    onDone: () => {
      isDone = true;
      outcome.resolve(undefined);
    },
    onMiss: (miss) => fail(describeMiss(miss, options.stepTimeout)),
  });
  const toSend = sendsCrlf(options) ? pipeline(dialogue.gate, new CrlfOut(), () => undefined) : dialogue.gate;
  let lastWrite = Promise.resolve();
  toSend.on('data', (bytes: Buffer) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    lastWrite = promise.then(() => undefined);
    socket.write(bytes, (error) => {
      if (error) fail(error);
      resolve(undefined);
    });
  });
  socket.on('error', fail);
  const onData = (bytes: Buffer) => {
    if (isDone) after.push(bytes);
    else dialogue.tap.write(bytes);
  };
  socket.on('data', onData);
  socket.on('end', () => dialogue.tap.end());
  dialogue.tap.resume();
  try {
    dialogue.start();
    await Promise.race([outcome.promise, rejectOn(deadline.signal)]);
    // What the last step sends has left the transforms a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    await lastWrite;
    socket.off('data', onData).pause();
    // What answers the last step is for the next reader, which may show it.
    if (after.length > 0 && !socket.readableEnded) socket.unshift(Buffer.concat(after));
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** Passed on to the command that replaces us. */
const handedOn = ['SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'] as const;
/** A terminal sends these to its whole foreground process group: to the command itself too. */
const fromTerminal = ['SIGINT', 'SIGQUIT'] as const;

/** A shell's exit statuses for a command that does not exist, and for one that cannot be run. */
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
