import { Option, type Command } from 'commander';
import type { Endpoint } from '../../src/address/endpoint.ts';
import type { ProgramEndpoint } from '../../src/handlers/program/program.ts';
import { isLocalListener } from '../../src/net/local-address.ts';
import { TnetError } from '../../src/errors.ts';

/** The flags that join a connection to a program instead of stdin and stdout. */
export interface ExecFlags {
  readonly exec?: string;
  readonly shExec?: string;
  readonly insecureExec?: boolean;
  readonly idle?: number;
}

/** Flags about stdin alone, which a program takes the place of. */
const stdioFlags = ['keepSending', 'endWithPeer'];

export function addExecOptions(command: Command, ...conflicts: string[]): Command {
  const others = [...stdioFlags, ...conflicts];
  return command
    .addOption(
      new Option('-e, --exec <command>', 'join the connection to a program, run without a shell').conflicts([
        'shExec',
        ...others,
      ]),
    )
    .addOption(
      new Option('-c, --sh-exec <command>', 'join the connection to a command line of sh').conflicts([
        'exec',
        ...others,
      ]),
    );
}

export function addInsecureExecOption(command: Command): Command {
  return command.addOption(
    new Option('--insecure-exec', 'let -e and -c serve other machines without --allow'),
  );
}

/**
 * The program that the flags name, if any; it is there.
 *
 * @throws TnetError TNET_E_USAGE, TNET_E_PROGRAM
 */
export async function readProgram({ exec, shExec }: ExecFlags): Promise<ProgramEndpoint | undefined> {
  if (exec === undefined && shExec === undefined) return undefined;
  const { parseProgram, parseShellLine, requireProgram } =
    await import('../../src/handlers/program/program.ts');
  const program = exec === undefined ? parseShellLine(shExec ?? '') : parseProgram(exec);
  requireProgram(program);
  return program;
}

/**
 * Makes sure that no stranger can run the program.
 *
 * @throws TnetError TNET_E_EXPOSED
 */
export function requireGuard(
  endpoints: readonly Endpoint[],
  flags: ExecFlags & { readonly allow?: readonly string[] },
): void {
  if (flags.allow || flags.insecureExec) return;
  const isExposed = endpoints.some((endpoint) => !isLocalListener(endpoint));
  if (!isExposed) return;
  throw new TnetError(
    'TNET_E_EXPOSED',
    'a program on an address that other machines reach needs --allow, or --insecure-exec if everybody may run it',
  );
}
