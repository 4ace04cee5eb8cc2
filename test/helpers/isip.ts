import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

export const program = fileURLToPath(new URL('../../bin/tnet.js', import.meta.url));

export interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `tnet isip`; it is killed when the test ends. */
export function startIsip(
  t: ExecutionContext,
  args: readonly string[],
  stdio: StdioOptions = 'pipe',
): ChildProcess {
  return start(t, [process.execPath, program, 'isip', ...args], stdio);
}

export function start(
  t: ExecutionContext,
  [command = '', ...args]: readonly string[],
  stdio: StdioOptions,
): ChildProcess {
  const child = spawn(command, args, { stdio });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

/** Waits for the end of a child, all of its output read. */
export async function finish(child: ChildProcess): Promise<Run> {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => (output[name] += text));
  }
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, ...output };
}

/** Runs `tnet isip` to its end on `input`. */
export async function runIsip(
  t: ExecutionContext,
  args: readonly string[],
  input: string | Buffer = '',
): Promise<Run> {
  const child = startIsip(t, args);
  // A program that refuses its arguments ends without reading.
  child.stdin?.on('error', () => undefined).end(input);
  return finish(child);
}
