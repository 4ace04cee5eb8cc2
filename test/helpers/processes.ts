import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';

/** A program that runs until the test is over. */
export function startProgram(
  t: ExecutionContext,
  command: string,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  t.teardown(() => child.kill('SIGKILL'));
  child.stdout?.resume();
  child.stderr?.resume();
  return child;
}

/** How long a busy machine may take to carry out a signal. */
const dyingMs = 10_000;

/**
 * Waits until a process that was told to end has ended. One that nobody has buried yet is a zombie: a container's first
 * process may leave it so.
 *
 * @throws when it goes on
 */
export async function untilDead(pid: number): Promise<void> {
  const endsAt = performance.now() + dyingMs;
  while (isAlive(pid)) {
    if (performance.now() > endsAt) throw new Error(`process ${pid} goes on`);
    await delay(10);
  }
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** Waits until a port of 127.0.0.1 accepts; programs that are given their port say nothing when they are ready. */
export async function waitForPort(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    const socket = net.connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      socket.destroy();
      return;
    } catch (error) {
      if (child.exitCode !== null)
        throw new Error(`the program ended with ${child.exitCode}`, { cause: error });
      await delay(20);
    }
  }
}
