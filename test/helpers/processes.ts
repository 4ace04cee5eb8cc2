import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
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
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
