import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** How many descriptors a process has open. Linux only. */
export function countDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Waits until a process has no more than so many descriptors; fails by giving the count that stays. Linux only. */
export async function settleDescriptors(pid: number, most: number, patienceMs = 5_000): Promise<number> {
  const deadline = Date.now() + patienceMs;
  // The system tells nobody that a descriptor has been closed.
  while (countDescriptors(pid) > most && Date.now() < deadline) await delay(20);
  return countDescriptors(pid);
}
