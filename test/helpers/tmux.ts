import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { tnetPath } from './cli.ts';
import { tempDir } from './temp.ts';

/** A terminal with a shell in it, driven by tmux. Ended when the test is over. */
export interface Screen {
  /** Types keys by tmux's names, `Enter` and `C-c` among them, or text. */
  readonly press: (...keys: readonly string[]) => void;
  /** What is on the screen. */
  readonly text: () => string;
  /** The same with its colours, as escape sequences. */
  readonly paintedText: () => string;
  /** The same, with its colours as SGR sequences. */
  readonly styled: () => string;
  /** Waits until the screen matches. */
  readonly shows: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Presses a key, again and again, until the screen matches: a program that is being interrupted drops what is typed. */
  readonly pressUntil: (key: string, pattern: RegExp) => Promise<RegExpExecArray>;
  readonly resize: (columns: number, rows: number) => void;
  /** Runs a command in the shell, without waiting for it. */
  readonly run: (command: string) => void;
  /** Runs a command in the shell and gives what it prints, when it is over. */
  readonly ask: (command: string) => Promise<string>;
  /** Waits until the settings of the terminal match, whoever runs in it. */
  readonly isSet: (pattern: RegExp) => Promise<unknown>;
  /** The settings of the terminal, as stty -a tells them. */
  readonly settings: () => Promise<string>;
}

/** A screen that has not come by then never will; the test then fails with what is there, and tmux is ended. */
const patienceMs = 50_000;

let count = 0;

/** The words that run tnet in a shell. */
export const tnetCommand = `'${process.execPath}' '${tnetPath}'`;

/**
 * A command line that shows `status N!` after it. By the prompt: of a list of commands, a shell runs no more once Ctrl-C
 * has ended one.
 */
export function showingStatus(commandLine: string): string {
  return `clear; PROMPT_COMMAND='echo "status $?"!; unset PROMPT_COMMAND'; ${commandLine}`;
}

async function until(look: () => string, pattern: RegExp): Promise<RegExpExecArray> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const seen = look();
    const match = pattern.exec(seen);
    if (match) return match;
    if (Date.now() > deadline) throw new Error(`no ${String(pattern)} in:\n${seen.trimEnd()}`);
    await delay(20);
  }
}

/** Opens a screen, with a shell whose prompt is `ready> `. `environment` is added to the shell's. */
export async function openScreen(
  t: ExecutionContext,
  { columns = 100, rows = 30, environment = '' } = {},
): Promise<Screen> {
  const dir = tempDir(t);
  const socket = join(dir, `tmux-${++count}`);
  const tmux = (...args: readonly string[]) =>
    execFileSync('tmux', ['-S', socket, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  const shell = `env -i PATH='${process.env.PATH ?? ''}' TERM=xterm XDG_STATE_HOME='${dir}/state' ${environment} PS1='ready> ' bash --norc --noprofile`;
  tmux('-f', '/dev/null', 'new-session', '-d', '-x', String(columns), '-y', String(rows), shell);
  t.teardown(() => void tmux('kill-server'));
  // Lines that the screen has wrapped are one again: where a long path breaks must not matter.
  const text = () => tmux('capture-pane', '-p', '-J').replace(/ +$/gm, '');
  const press = (...keys: readonly string[]) => void tmux('send-keys', ...keys);
  const shows = (pattern: RegExp) => until(text, pattern);
  let asked = 0;
  const ask = async (command: string) => {
    const file = join(dir, `answer-${++asked}`);
    press(`clear; { ${command}; } > '${file}' 2>&1; echo "answer ${asked}"!`, 'Enter');
    await shows(new RegExp(`answer ${asked}!`));
    return readFileSync(file, 'utf8');
  };
  await shows(/ready>/);
  const terminal = tmux('display-message', '-p', '#{pane_tty}').trim();
  const readSettings = () => execFileSync('stty', ['-F', terminal, '-a'], { encoding: 'utf8' });
  return {
    isSet: (pattern) => until(readSettings, pattern),
    press,
    text,
    styled: () => tmux('capture-pane', '-p', '-e'),
    pressUntil: (key, pattern) => {
      let looks = 0;
      const look = () => {
        if (looks++ % 25 === 0) press(key);
        return text();
      };
      return until(look, pattern);
    },
    paintedText: () => tmux('capture-pane', '-p', '-e'),
    shows,
    ask,
    resize: (columns, rows) => void tmux('resize-window', '-x', String(columns), '-y', String(rows)),
    run: (command) => press(command, 'Enter'),
    settings: () => ask('stty -a'),
  };
}
