import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, statSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { delimiter, join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { shell, splitCommandWords } from '../../address/command-words.ts';
import type { Endpoint } from '../../address/endpoint.ts';
import { TnetError, errorCode } from '../../errors.ts';
import type { ProgramExit } from '../../net/local-end.ts';
import { inheritIgnored } from './hangup.ts';

export type ProgramEndpoint = Extract<Endpoint, { kind: 'exec' }>;

/** A program and its arguments, however it is run. */
type ProgramWords = Pick<ProgramEndpoint, 'words'>;

/** A program that runs. */
export interface RunningProgram {
  /** Settles when the program has exited; never rejects. */
  readonly exited: Promise<ProgramExit>;
  /** Ends the program and what it has started: SIGHUP and SIGTERM, and SIGKILL graceMs later. */
  readonly end: () => void;
  /** Whether end() was called before it had exited. */
  readonly wasEnded: () => boolean;
}

/** A running program whose stdin and stdout are pipes; stderr is this process's own. */
export interface Program extends RunningProgram {
  readonly input: Writable;
  readonly output: Readable;
}

/** How long a program may take to end by itself after it is asked to. */
const graceMs = 2_000;

/** `-e CMD`: a program and its arguments (see splitCommandWords). @throws TnetError TNET_E_USAGE */
export function parseProgram(text: string): ProgramEndpoint {
  return { kind: 'exec', words: splitCommandWords(text) };
}

/** `-c CMD`: a line for sh(1). */
export function parseShellLine(text: string): ProgramEndpoint {
  return { kind: 'exec', words: [...shell, text] };
}

/**
 * Checks that the program exists, before any socket is opened.
 *
 * @throws TnetError TNET_E_PROGRAM
 */
export function requireProgram({ words: [file = ''] }: ProgramWords): void {
  const folders = file.includes('/') ? [''] : (process.env['PATH'] ?? '').split(delimiter);
  let code = 'ENOENT';
  for (const folder of folders) {
    const path = folder === '' ? file : join(folder, file);
    try {
      accessSync(path, constants.X_OK);
      if (statSync(path).isFile()) return;
      code = 'EACCES';
    } catch (error) {
      if (errorCode(error) === 'EACCES') code = 'EACCES';
    }
  }
  const message = code === 'EACCES' ? 'the program is not executable' : 'there is no such program';
  throw new TnetError('TNET_E_PROGRAM', message, { subject: file });
}

/** The variables of describeTls(): a program gets none of them from our own environment. */
export const tlsVariables = [
  'TNET_TLS_PROTOCOL',
  'TNET_TLS_CIPHER',
  'TNET_TLS_SERVERNAME',
  'TNET_TLS_ALPN',
  'TNET_TLS_SUBJECT',
  'TNET_TLS_ISSUER',
  'TNET_TLS_NAMES',
  'TNET_TLS_FINGERPRINT',
] as const;

/** Environment meant for this process alone: a program that serves a peer must neither know it nor hand it out. */
const withheld = Object.fromEntries(
  ['TNET_PROXY_PASSWORD', ...tlsVariables].map((name) => [name, undefined]),
);

/**
 * Starts a program in a process group of its own, so that the whole group can be ended. `environment` is added to
 * ours, without the password of a proxy.
 *
 * @throws TnetError TNET_E_PROGRAM when the system cannot start it.
 */
export async function startProgram(
  { words }: ProgramWords,
  environment: Readonly<Record<string, string>>,
): Promise<Program> {
  const { child, ...running } = await start(words, inheritIgnored(words), {
    stdio: ['pipe', 'pipe', 'inherit'],
    environment,
  });
  return { input: child.stdin as Writable, output: child.stdout as Readable, ...running };
}

/** What is run in front of a program: the leader of a session gets the first terminal that it opens. Source: pty(7). */
const openTerminal = 'exec <>"$0" >&0 2>&0; exec "$@"';

/**
 * The same with a terminal of its own in place of the pipes, the one at `path`.
 *
 * @throws as startProgram()
 */
export async function startOnTerminal(
  { words }: ProgramWords,
  path: string,
  environment: Readonly<Record<string, string>>,
): Promise<RunningProgram> {
  const command = [...shell, openTerminal, path, ...inheritIgnored(words)];
  return start(words, command, { stdio: 'ignore', environment });
}

async function start(
  [file = '']: readonly string[],
  [command = '', ...args]: readonly string[],
  { stdio, environment }: { stdio: StdioOptions; environment: Readonly<Record<string, string>> },
): Promise<RunningProgram & { readonly child: ChildProcess }> {
  const env = { ...process.env, ...withheld, ...environment };
  const child = spawn(command, args, { stdio, env, detached: true });
  try {
    await once(child, 'spawn');
  } catch (error) {
    const message = `the program cannot be started (${errorCode(error) ?? 'ERROR'})`;
    throw new TnetError('TNET_E_PROGRAM', message, { subject: file, cause: error });
  }
  const { pid = 0 } = child;
  let isOver = false;
  let wasEnded = false;
  const exited = new Promise<ProgramExit>((resolve) => {
    child.once('exit', (code, signal) => {
      isOver = true;
      resolve(
        signal === null ? { status: code ?? 0 } : { status: 128 + osConstants.signals[signal], signal },
      );
    });
  });
  return {
    child,
    exited,
    wasEnded: () => wasEnded,
    end() {
      if (isOver || wasEnded) return;
      wasEnded = true;
      signalGroup(pid, 'SIGHUP');
      signalGroup(pid, 'SIGTERM');
      const timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), graceMs);
      void exited.then(() => clearTimeout(timer));
    },
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended meanwhile.
  }
}
