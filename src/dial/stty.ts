import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { isatty } from 'node:tty';

/**
 * Runs stty(1) on the terminal `fd`, and waits for it: a terminal that is to be given back at the end of the process
 * cannot be waited for otherwise.
 *
 * stty gets a session of its own. In ours, Ctrl-Z would stop it, also before its program is loaded, and we would wait
 * for it for ever, deaf to the same Ctrl-Z. Outside, no terminal stops it when we are in the background: see
 * isForeground.
 *
 * @returns what stty prints, or undefined when it is missing or fails.
 */
export function runStty(fd: number, ...args: readonly string[]): string | undefined {
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
 * Whether the terminal is ours to change: a process in the background would take it from the shell. True where the
 * system does not tell.
 */
export function isForeground(): boolean {
  const groups = readGroups();
  return !groups || groups.own === groups.foreground;
}

/**
 * Whether what is typed in a terminal, as Ctrl-C, comes to this process and to all of its process group, whatever stdin
 * is. Where the system does not tell, a terminal on stdin does.
 */
export function holdsTerminal(): boolean {
  const groups = readGroups();
  return groups ? groups.own === groups.foreground : isatty(0);
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
