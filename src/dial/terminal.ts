import type { ReadStream } from 'node:tty';
import { formatEscape, type EscapeKey } from '../transform/escape-keys.ts';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isForBorrower } from './lent-terminal.ts';
import { isTerminal } from '../report/is-terminal.ts';

/**
 * How the terminal delivers the user's keys.
 *
 * - `line`: whole lines, which the terminal echoes and lets edit; the escape key is given at once.
 * - `edit`: keys as they are typed and not echoed, but for those that are signals: lines are edited here.
 * - `hidden-line`: as `line`, without echo: the peer echoes, or hides what is typed.
 * - `character`: each key as it is typed, unchanged, not echoed; nothing that is printed is changed either.
 * - `own`: as it was found.
 */
export type TerminalMode = 'line' | 'edit' | 'hidden-line' | 'character' | 'own';

/** A window in characters. */
export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

export interface TerminalOptions {
  readonly stream: ReadStream;
  readonly fd: number;
  /** The window changed, or may have while we were stopped. */
  readonly onResize?: () => void;
}

/**
 * The terminal on stdin: taken in one of four modes, and given back at the end, on SIGTSTP and SIGQUIT, and when
 * the process crashes. SIGINT, SIGTERM and SIGHUP are left to the caller, which calls `release()` first of all.
 *
 * The modes are set with stty(1). Node's setRawMode() has only one raw mode, which still turns a printed LF into
 * CRLF, and so breaks full-screen programs; it is used when stty is missing.
 */
export class Terminal {
  readonly #options: TerminalOptions;
  /** The settings as they were found, in stty's words. */
  readonly #found: string | undefined;
  #mode: TerminalMode = 'own';
  #escape: EscapeKey = 'none';

  constructor(options: TerminalOptions) {
    this.#options = options;
    this.#found = runStty(options.fd, '-g');
    process.on('SIGTSTP', this.#onStop).on('SIGCONT', this.#onContinue).on('SIGWINCH', this.#onResize);
    process.on('SIGQUIT', this.#onEnd).on('exit', this.#give);
  }

  get mode(): TerminalMode {
    return this.#mode;
  }

  /** Whether keys can be read one by one without giving up signals. */
  get canEdit(): boolean {
    return this.#found !== undefined;
  }

  /** The size of the window, or undefined when the terminal does not know. */
  get size(): WindowSize | undefined {
    const [, rows, columns] = /^(\d+) (\d+)$/.exec(runStty(this.#options.fd, 'size') ?? '') ?? [];
    const size = { columns: Number(columns), rows: Number(rows) };
    return size.columns > 0 && size.rows > 0 ? size : undefined;
  }

  /** Puts the terminal into a mode. @param escape the key that a line mode delivers at once. */
  take(mode: TerminalMode, escape: EscapeKey): void {
    if (mode === this.#mode && escape === this.#escape) return;
    this.#mode = mode;
    this.#escape = escape;
    this.#apply(mode);
  }

  /** Gives the terminal back for good. May be called more than once. */
  release(): void {
    this.take('own', 'none');
    process.off('SIGTSTP', this.#onStop).off('SIGCONT', this.#onContinue).off('SIGWINCH', this.#onResize);
    process.off('SIGQUIT', this.#onEnd).off('exit', this.#give);
  }

  /** Stops the process, as Ctrl-Z does. */
  suspend(): void {
    process.kill(process.pid, 'SIGTSTP');
  }

  readonly #give = () => this.#apply('own');

  readonly #onResize = () => this.#options.onResize?.();

  /** Stops by the system's default action, which spares a process that no shell could continue. */
  readonly #onStop = () => {
    this.#give();
    process.off('SIGTSTP', this.#onStop);
    process.kill(process.pid, 'SIGTSTP');
  };

  /**
   * Continued in the foreground by `fg`; or in the background by `bg`, and then stops as tcsetattr(3) would stop
   * it.
   */
  readonly #onContinue = () => {
    process.off('SIGTSTP', this.#onStop).on('SIGTSTP', this.#onStop);
    if (!isForeground()) {
      process.kill(process.pid, 'SIGTTOU');
      return;
    }
    this.#apply(this.#mode);
    this.#onResize();
  };

  readonly #onEnd = (signal: NodeJS.Signals) => {
    if (isForBorrower('SIGQUIT')) return;
    this.release();
    process.kill(process.pid, signal);
  };

  #apply(mode: TerminalMode): void {
    const { fd, stream } = this.#options;
    if (this.#found === undefined) {
      stream.setRawMode(mode === 'character');
      return;
    }
    runStty(fd, this.#found, ...this.#changesFor(mode));
  }

  #changesFor(mode: TerminalMode): readonly string[] {
    if (mode === 'own') return [];
    if (mode === 'character') return ['raw', '-echo', '-iexten'];
    if (mode === 'edit') return ['-icanon', '-echo', '-iexten', 'min', '1', 'time', '0'];
    const eol = this.#escape === 'none' ? [] : ['eol', formatEscape(this.#escape)];
    return mode === 'hidden-line' ? [...eol, '-echo'] : eol;
  }
}

/**
 * Runs stty(1) on the terminal `fd`, and waits for it: there is no other way to wait when the terminal is given
 * back at the end of the process.
 *
 * stty gets a session of its own. In ours, Ctrl-Z would stop it, even before its program is loaded, and we would
 * wait for it for ever, deaf to the same Ctrl-Z. In its own session no terminal stops it when we are in the
 * background: see isForeground.
 *
 * @returns what stty prints, or undefined when it is missing or fails.
 */
function runStty(fd: number, ...args: readonly string[]): string | undefined {
  // @types/node does not know that spawnSync can detach; Node passes the flag on as spawn does.
  const options = {
    stdio: [fd, 'pipe' as const, 'ignore' as const],
    encoding: 'utf8' as const,
    detached: true,
  };
  const { status, stdout } = spawnSync('stty', args, options);
  return status === 0 ? stdout.trim() : undefined;
}

/**
 * Whether this process may change the terminal: a process in the background would take it from the shell. True if
 * the system cannot tell.
 */
function isForeground(): boolean {
  const groups = readGroups();
  return !groups || groups.own === groups.foreground;
}

/**
 * Whether signals typed in a terminal, such as Ctrl-C, reach this process and all of its process group, whatever
 * stdin is. If the system cannot tell, a terminal on stdin decides.
 */
export function holdsTerminal(): boolean {
  const groups = readGroups();
  return groups ? groups.own === groups.foreground : isTerminal(0);
}

/** Source: proc_pid_stat(5), pgrp and tpgid. */
function readGroups(): { own: string; foreground: string } | undefined {
  try {
    const stat = readFileSync('/proc/self/stat', 'latin1');
    const [, , own = '', , , foreground = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { own, foreground };
  } catch {
    return undefined;
  }
}
