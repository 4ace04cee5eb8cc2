import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

export const tnetPath = fileURLToPath(new URL('../../bin/tnet.js', import.meta.url));

/** What stdin is: a pipe, a file by its path, the null device, or closed. */
export type StdinKind = 'pipe' | 'null' | 'closed' | { readonly file: string };

export interface CliOptions {
  readonly stdin?: StdinKind;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** The words of a program that runs tnet, such as unshare(1). What is signalled and ends is that program. */
  readonly inside?: readonly string[];
}

export interface Exit {
  /** What a shell would say: 128 and the signal's number after a signal. */
  readonly code: number;
  readonly signal: NodeJS.Signals | null;
}

/** A running tnet. stdout is not read until a test reads it. */
export interface Cli {
  readonly child: ChildProcess;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** What it has said on stderr so far. */
  readonly stderr: () => string;
  /**
   * Settles when the process is gone and stderr has been read to its end. Rejects when a signal that a test sent is told
   * by the exit status only: the process has to end by the signal itself.
   */
  readonly exit: Promise<Exit>;
  /**
   * Waits for a line on stderr that matches, and gives the match. Rejects when the process ends without it, and before AVA
   * would give up, so that what it has said instead is seen.
   */
  readonly said: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** The address that a server says it has bound. */
  readonly address: () => Promise<string>;
  /** The port of that address. */
  readonly port: () => Promise<number>;
}

/** Starts `tnet ARGS…` with the Node that runs the tests. Killed when the test is over. */
export function startCli(t: ExecutionContext, args: readonly string[], options: CliOptions = {}): Cli {
  const { stdin = 'pipe', inside = [] } = options;
  const file = typeof stdin === 'object' ? openSync(stdin.file, 'r') : undefined;
  const closing = stdin === 'closed' ? ['sh', '-c', 'exec "$@" <&-', 'sh'] : [];
  const [command = '', ...words] = [...closing, ...inside, process.execPath, tnetPath, ...args];
  const child = spawn(command, words, {
    stdio: [file ?? (stdin === 'pipe' ? 'pipe' : 'ignore'), 'pipe', 'pipe'],
    env: { ...process.env, NODE_ENV: undefined, ...options.env },
    cwd: options.cwd,
  });
  if (file !== undefined) closeSync(file);
  t.teardown(() => child.kill('SIGKILL'));
  return watchCli(child);
}

function watchCli(child: ChildProcess): Cli {
  let stderr = '';
  const watchers = new Set<() => void>();
  const notify = () => {
    for (const watcher of watchers) watcher();
  };
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    notify();
  });
  child.stdin?.on('error', () => undefined);
  let exited = false;
  const sent = new Set<NodeJS.Signals>();
  const kill = child.kill.bind(child);
  child.kill = (signal = 'SIGTERM') => {
    sent.add(signal as NodeJS.Signals);
    return kill(signal);
  };
  const exit = new Promise<Exit>((resolve, reject) => {
    child.once('error', reject);
    let status: Exit | undefined;
    let open = 2;
    const settle = () => {
      if (--open > 0 || !status) return;
      exited = true;
      notify();
      const { code, signal } = status;
      const only = [...sent].find((one) => signal === null && code === 128 + constants.signals[one]);
      if (only) reject(new Error(`tnet took ${only} and ended by itself with status ${code}:\n${stderr}`));
      else resolve(status);
    };
    child.once('exit', (code, signal) => {
      status = { code: signal === null ? code! : 128 + constants.signals[signal], signal };
      settle();
    });
    child.stderr!.once('close', settle);
  });
  const said = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      let late = false;
      const look = () => {
        const match = pattern.exec(stderr);
        if (match) resolve(match);
        else if (exited) reject(new Error(`tnet ended without saying ${String(pattern)}:\n${stderr}`));
        else if (late) reject(new Error(`tnet has not said ${String(pattern)} in 50 s:\n${stderr}`));
        if (!match && !exited && !late) return;
        watchers.delete(look);
        clearTimeout(timer);
      };
      const timer = setTimeout(() => {
        late = true;
        look();
      }, 50_000).unref();
      watchers.add(look);
      look();
    });
  const address = async () => (await said(/listening on (.+)\n/))[1]!;
  return {
    child,
    stdin: child.stdin!,
    stdout: child.stdout!,
    stderr: () => stderr,
    exit,
    said,
    address,
    port: async () => Number((await address()).split(':').at(-1)),
  };
}

/** Runs `tnet ARGS…` to its end, with `stdin` given as a whole. */
export async function runCli(
  t: ExecutionContext,
  args: readonly string[],
  stdin: string | Buffer = '',
  options: CliOptions = {},
): Promise<Exit & { stdout: Buffer; stderr: string }> {
  const cli = startCli(t, args, options);
  if ((options.stdin ?? 'pipe') === 'pipe') cli.stdin.end(stdin);
  const chunks: Buffer[] = [];
  cli.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const exit = await cli.exit;
  return { ...exit, stdout: Buffer.concat(chunks), stderr: cli.stderr() };
}

/**
 * A port of 127.0.0.1 on which nobody listens, or the first of several in a row. It is none of those that systems give to
 * connections and to servers on port 0, and no other call gets it, in this process or another, while this process lives.
 */
export async function closedPort(count = 1): Promise<number> {
  for (;;) {
    const first = randomInt(12_000, 32_000 - count);
    const ports = Array.from({ length: count }, (_, index) => first + index);
    if ((await Promise.all(ports.map(claim))).every(Boolean) && !ports.some(isInUse)) return first;
  }
}

/** An abstract Unix socket of the port's name is the claim: it is had by one, and goes with its process. */
async function claim(port: number): Promise<boolean> {
  if (process.platform !== 'linux') return true;
  const server = createServer().unref().listen(`\0tnet-test-port-${port}`);
  try {
    await once(server, 'listening');
    return true;
  } catch {
    return false;
  }
}

/** A socket in any state counts: a program that does not set SO_REUSEADDR cannot bind a port that is in TIME_WAIT. */
function isInUse(port: number): boolean {
  // Local or remote, whichever: the tables may have thousands of lines, so that taking them apart takes long.
  const address = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  return ['tcp', 'tcp6', 'udp', 'udp6']
    .map((table) => `/proc/net/${table}`)
    .filter(existsSync)
    .some((path) => readFileSync(path, 'latin1').includes(address));
}
