/**
 * Ctrl-C and Ctrl-\ reach the whole process group of the terminal: us too, while another program has it, for which they
 * are meant. What this module tells is about this process; there is one terminal.
 */

/** What the user types is one of these to the program that has the terminal. */
export type TypedSignal = 'SIGINT' | 'SIGQUIT';

let isLent = false;
/** Those that have come since it was lent. */
const seen = new Set<NodeJS.Signals>();
/** One that is still to come, and until when, as performance.now() tells it. */
let late: { readonly signal: NodeJS.Signals; readonly untilMs: number } | undefined;

const lateMs = 1_000;

/** Another program has the terminal from now on. */
export function lendTerminal(): void {
  isLent = true;
  late = undefined;
  seen.clear();
}

/**
 * The program is gone.
 *
 * @param endedBy the signal that ended it. Ours was sent with it, but a busy system may deliver it after the news of the
 *   program's end: two threads of this process take the two.
 */
export function takeTerminalBack(endedBy: NodeJS.Signals | null): void {
  isLent = false;
  const isTyped = endedBy === 'SIGINT' || endedBy === 'SIGQUIT';
  late = isTyped && !seen.has(endedBy) ? { signal: endedBy, untilMs: performance.now() + lateMs } : undefined;
}

/** Whether a signal that has come is meant for the program that has the terminal, or had it. To be asked once for each. */
export function isForBorrower(signal: TypedSignal): boolean {
  seen.add(signal);
  if (isLent) return true;
  if (late?.signal !== signal) return false;
  const isInTime = performance.now() < late.untilMs;
  late = undefined;
  return isInTime;
}
