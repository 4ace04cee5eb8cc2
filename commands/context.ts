import { printLine } from '../src/report/bottom-line.ts';
import { isTerminal } from '../src/report/is-terminal.ts';
import { Reporter } from '../src/report/reporter.ts';
import type { EventName } from '../src/report/events.ts';
import type { Verbosity } from '../src/report/text.ts';
import type { TableFlags } from './options/row.ts';
import type { reports } from './options/table/reports.ts';
import { exitStatus } from './output.ts';
import { isWorker } from './is-worker.ts';
import type { Called } from './options/called.ts';

/** The flags for reports on standard error. */
export type ReportFlags = TableFlags<typeof reports, 'connect'>;

/** What a command's action works with: its reports on stderr and its exit status. */
export interface Context {
  readonly reporter: Reporter;
  /** Reports a failure as one line and sets the exit status that goes with it. */
  fail(subject: string, error: unknown): void;
  /** Sets the exit status; the process ends when nothing is open any more. */
  exit(status: number): void;
}

/** What is reported about the connections to a user who has them at a terminal. */
const quietEvents: Readonly<Record<string, readonly EventName[]>> = {
  connect: ['connected'],
  listen: ['accepted', 'ended'],
};

export function createContext(command: Called, options: ReportFlags): Context {
  const isOnTerminal = isTerminal(2);
  const reporter = new Reporter({
    name: commandName(command),
    verbosity: Math.min(options.verbose, 2) as Verbosity,
    json: options.json === true,
    isTerminal: isOnTerminal,
    columns: () => openStderr().columns,
    quiet: quietEvents[command.name()],
    write: (line) => {
      const print = (before: string) => void openStderr().write(before + line);
      if (isOnTerminal) printLine(print, reporter.lineEnd);
      else print('');
    },
  });
  flushAtExit(reporter);
  if (!isWorker()) warnOfBareTimes(reporter, process.argv.slice(2));
  const exit = (status: number) => {
    process.exitCode = status;
  };
  return {
    reporter,
    exit,
    fail(subject, error) {
      reporter.fail(subject, error);
      exit(exitStatus(error));
    },
  };
}

/** Options whose times are milliseconds, as a rule; a number without a unit is seconds. */
const shortTimes = /^--(?:latency|slice-delay|slow-close|delay|pause|retry-delay)(?:=|$)/;
/** A number that cannot be meant as seconds there. */
const bareTime = /^\d{2,}(?:\.\d+)?(?:(?:±|\+-)[\d.]+)?$/;

function warnOfBareTimes(reporter: Reporter, args: readonly string[]): void {
  for (const [at, word] of args.entries()) {
    if (word === '--') return;
    if (!shortTimes.test(word)) continue;
    const [flag = '', value = args[at + 1] ?? ''] = word.split('=');
    if (!bareTime.test(value)) continue;
    const message = `${flag} ${value} is in seconds; for milliseconds write ${value.replace(/^[\d.]+/, '$&ms')}`;
    reporter.emit({ event: 'warning', message });
  }
}

let stderr: NodeJS.WriteStream | undefined;

/** Set up when there is something to report: a start without it is a millisecond faster. */
function openStderr(): NodeJS.WriteStream {
  // One that is no longer read must not end the work.
  stderr ??= process.stderr.on('error', () => undefined);
  return stderr;
}

const reporters = new Set<Reporter>();

/** One listener for all contexts: a process may make many, as tests do. */
function flushAtExit(reporter: Reporter): void {
  if (reporters.size === 0) {
    process.once('exit', () => {
      for (const one of reporters) one.flush();
    });
  }
  reporters.add(reporter);
}

/** `tnet connect`, as the lines on stderr begin. */
export function commandName(command: Called): string {
  return command.parent ? `${command.parent.name()} ${command.name()}` : command.name();
}

/** The subject of a failure: the error's own, or what the command was working on. */
export function subjectOf(error: unknown, otherwise: string): string {
  const subject = (error as { subject?: unknown } | null | undefined)?.subject;
  return typeof subject === 'string' ? subject : otherwise;
}
