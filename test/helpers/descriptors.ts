import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
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

/** A process and all that it has started, by number. */
export function processTree(pid: number): number[] {
  const children = unlessGone(() => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8'), '');
  return [pid, ...children.split(' ').filter(Boolean).map(Number).flatMap(processTree)];
}

/** What there is to read of a process or a descriptor, which may have gone since it was listed. */
function unlessGone<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ESRCH'].includes(code)) return otherwise;
    throw error;
  }
}

/** How many sockets a process and its children have open. */
export function countSockets(pid: number): number {
  const links = processTree(pid).flatMap((one) =>
    unlessGone(() => readdirSync(`/proc/${one}/fd`), []).map((fd) =>
      unlessGone(() => readlinkSync(`/proc/${one}/fd/${fd}`), ''),
    ),
  );
  return links.filter((link) => link.startsWith('socket:')).length;
}

/** Waits until no more than `most` sockets are open, within a limit; gives how many there are then. */
export async function waitForSockets(pid: number, most: number, limitMs = 20_000): Promise<number> {
  const deadline = performance.now() + limitMs;
  let count = countSockets(pid);
  while (count > most && performance.now() < deadline) {
    await delay(25);
    count = countSockets(pid);
  }
  return count;
}
