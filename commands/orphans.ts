import type { ChildProcess } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { loadNativeAddon } from '../src/native/addon.ts';

/**
 * Does what the first process of a container has to do: processes whose parent has ended become its children, and
 * stay in the process table after their own end until it waits for them. libuv waits only for those that it has
 * started itself; Node reports their exit status, so they are left to it. Needs the addon: without it nothing is
 * done.
 */
export function reapOrphans(): void {
  const addon = loadNativeAddon();
  if (!addon) return;
  const own = trackChildren();
  const look = () => {
    for (let pid = addon.deadChild(); pid !== 0; pid = addon.deadChild()) {
      // It comes before all others until libuv has reaped it, which happens in this turn of the loop.
      if (own.has(pid)) return void setImmediate(look);
      addon.reap(pid);
    }
  };
  process.on('SIGCHLD', look);
  // A shell that has become this program by exec may have left some behind.
  look();
}

/** The pids of the children that Node has started and not yet seen end. */
function trackChildren(): ReadonlySet<number> {
  const pids = new Set<number>();
  subscribe('child_process', (message) => {
    const { process: child } = message as { process: ChildProcess };
    child.once('spawn', () => {
      const { pid = 0 } = child;
      pids.add(pid);
      child.once('exit', () => pids.delete(pid));
    });
  });
  return pids;
}
