import { execFile, type ExecFileException } from 'node:child_process';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { startCli } from './cli.ts';
import { tempDir } from './temp.ts';

/** One way to a server: straight, or through a proxy on TCP or on a Unix socket. */
export type Way =
  | { readonly name: string; readonly port: number; readonly path?: undefined }
  | { readonly name: string; readonly path: string; readonly port?: undefined };

/** The two flow engines, with what makes a proxy use each. */
export const engines = [
  { engine: 'native engine', env: {} },
  { engine: 'stream engine', env: { TNET_NATIVE: '0' } },
] as const;

/**
 * Starts one `tnet proxy` that offers `target` on TCP and on a Unix socket.
 *
 * @param pathName what the socket's file has to be called for the programs that look for one by its name
 */
export async function startWays(
  t: ExecutionContext,
  target: string,
  { env }: (typeof engines)[number],
  pathName = 's',
): Promise<readonly Way[]> {
  const path = join(tempDir(t), pathName);
  const cli = startCli(t, ['proxy', '-L', `127.0.0.1:0=${target}`, '-L', `${path}=${target}`], { env });
  const [, port] = await cli.said(/listening on 127\.0\.0\.1:(\d+)\n/);
  await cli.said(/listening on \//);
  return [
    { name: 'by TCP', port: Number(port) },
    { name: 'by a Unix socket', path },
  ];
}

/** What a program came to. */
export interface Outcome {
  readonly code: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end, with `stdin` given as a whole. A failure is an outcome too; a missing program is not. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: { readonly stdin?: Buffer | string; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<Outcome> {
  const { stdin = '', env, cwd } = options;
  return new Promise((resolve, reject) => {
    const settings = {
      encoding: 'buffer',
      maxBuffer: 1 << 28,
      cwd,
      env: { ...process.env, ...env },
    } as const;
    const done = (error: ExecFileException | null, stdout: Buffer, stderr: Buffer) => {
      if (error && typeof error.code !== 'number')
        reject(new Error(`${command} cannot be run, or was ended`, { cause: error }));
      else resolve({ code: (error?.code as number | undefined) ?? 0, stdout, stderr: stderr.toString() });
    };
    const child = execFile(command, args, settings, done);
    // A program that does not want its stdin may close it.
    child.stdin!.on('error', () => undefined).end(stdin);
  });
}

/** Runs a program that has to succeed, and gives its stdout. */
export async function expectProgram(
  ...[command, args, options]: Parameters<typeof runProgram>
): Promise<Buffer> {
  const { code, stdout, stderr } = await runProgram(command, args, options);
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stderr}`);
  return stdout;
}
