import { spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { createAuthority } from '../certificates.ts';
import { tnetPath } from '../cli.ts';
import { findProgram } from '../programs.ts';
import { tempDir } from '../temp.ts';

/** What a command has done. `wire` is what its peers got, `file` what it wrote to the file `copy`. */
export interface Outcome {
  readonly stdout: Buffer;
  readonly stderr: Buffer;
  readonly exit: number;
  readonly wire: Buffer;
  readonly file: Buffer;
}

/** What every command of the table is given on standard input, unless its scene says otherwise. */
export const input = 'hello\nworld\n';

/** A command of the table while it runs, in a folder of its own. */
export interface Command {
  readonly text: string;
  readonly dir: string;
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly stdout: () => Buffer;
  /** Waits until its standard output holds the text. */
  readonly says: (text: string) => Promise<void>;
  /** Ends it and all that it has started, as a supervisor would. */
  readonly end: () => void;
  /** Its end, with what its peers got. */
  readonly outcome: (wire: Buffer | string) => Promise<Outcome>;
}

/** What runs no longer than this in any row. */
const patienceMs = 40_000;

/** The folder with what the commands of the table find: certificates, and `nc` and `tnet` on the path. */
let shared: string | undefined;

function prepareShared(): string {
  if (shared !== undefined) return shared;
  const dir = mkdtempSync(join(tmpdir(), 'tnet-table-'));
  process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'tnet'), `#!/bin/sh\nexec '${process.execPath}' '${tnetPath}' "$@"\n`);
  chmodSync(join(dir, 'tnet'), 0o755);
  const nc = findProgram('nc.openbsd');
  if (nc) symlinkSync(nc, join(dir, 'nc'));
  const authority = createAuthority();
  const { certFile, keyFile } = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
  copyFileSync(authority.caFile, join(dir, 'ca.pem'));
  copyFileSync(certFile, join(dir, 'cert.pem'));
  copyFileSync(keyFile, join(dir, 'key.pem'));
  authority.remove();
  shared = dir;
  return dir;
}

/** A PEM file that the commands of the table can name. */
export function readPem(name: 'ca' | 'cert' | 'key'): Buffer {
  return readFileSync(join(prepareShared(), `${name}.pem`));
}

/** The file `original` in each command's folder. */
export const original = Buffer.concat([
  Buffer.from('hello\n'),
  Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7919) >> 5)),
]);

/** Runs a command of the table in a shell, with its placeholders filled in. */
export function startCommand(
  t: ExecutionContext,
  text: string,
  words: Readonly<Record<string, string | number>>,
  dir = commandDir(t),
): Command {
  const filled = text.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    if (words[name] === undefined) throw new Error(`the scene has no {${name}} for: ${text}`);
    return String(words[name]);
  });
  const child = spawn('sh', ['-c', filled], {
    cwd: dir,
    detached: true,
    env: {
      ...process.env,
      NODE_ENV: undefined,
      LC_ALL: 'C',
      TERM: 'dumb',
      PATH: `${prepareShared()}:${process.env.PATH}`,
    },
  });
  const end = (signal: NodeJS.Signals) => {
    try {
      process.kill(-child.pid!, signal);
    } catch {
      // All of it is gone.
    }
  };
  const limit = setTimeout(() => end('SIGKILL'), patienceMs);
  t.teardown(() => end('SIGKILL'));
  const [stdout, stderr]: Buffer[][] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => stdout!.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr!.push(chunk));
  child.stdin.on('error', () => undefined);
  const closed = once(child, 'close').then(([code, signal]) => {
    clearTimeout(limit);
    return (code as number | null) ?? 128 + { SIGTERM: 15, SIGKILL: 9 }[signal as 'SIGTERM' | 'SIGKILL'];
  });
  return {
    text: filled,
    dir,
    child,
    stdout: () => Buffer.concat(stdout!),
    async says(expected) {
      while (!Buffer.concat(stdout!).includes(expected)) {
        const isOver = await Promise.race([
          once(child.stdout, 'data').then(() => false),
          closed.then(() => true),
        ]);
        if (isOver && !Buffer.concat(stdout!).includes(expected)) {
          throw new Error(
            `it ended without saying ${expected}: ${filled}\n${Buffer.concat(stderr!).toString()}`,
          );
        }
      }
    },
    end: () => end('SIGTERM'),
    async outcome(wire) {
      const exit = await closed;
      const copy = join(dir, 'copy');
      return {
        stdout: Buffer.concat(stdout!),
        stderr: Buffer.concat(stderr!),
        exit,
        wire: Buffer.from(wire),
        file: existsSync(copy) ? readFileSync(copy) : Buffer.alloc(0),
      };
    },
  };
}

/** A new folder with the files that commands of the table name. */
export function commandDir(t: ExecutionContext): string {
  const dir = tempDir(t);
  for (const name of ['ca', 'cert', 'key'])
    symlinkSync(join(prepareShared(), `${name}.pem`), join(dir, `${name}.pem`));
  writeFileSync(join(dir, 'original'), original);
  return dir;
}
