import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process and all that it has started, by number. */
export function processTree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...children.map(Number).flatMap(processTree)];
}

/** How many sockets a process and its children have open. */
export function countSockets(pid: number): number {
  const links = processTree(pid).flatMap((one) =>
    readdirSync(`/proc/${one}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${one}/fd/${fd}`);
      } catch {
        return '';
      }
    }),
  );
  return links.filter((link) => link.startsWith('socket:')).length;
}

/** Waits until no more than `most` sockets are open, within a limit; gives how many there are then. */
export async function waitForSockets(pid: number, most: number, limitMs = 5_000): Promise<number> {
  const deadline = performance.now() + limitMs;
  let count = countSockets(pid);
  while (count > most && performance.now() < deadline) {
    await delay(25);
    count = countSockets(pid);
  }
  return count;
}
