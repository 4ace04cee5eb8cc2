import type { Endpoint } from '../../src/address/endpoint.ts';
import type { ProgramEndpoint } from '../../src/dial/local/program.ts';
import { isLocalListener } from '../../src/net/listener-path.ts';
import { TnetError } from '../../src/errors.ts';
import type { TableFlags } from './row.ts';
import type { access } from './table/clients.ts';
import type { exposure, programs } from './table/session.ts';

/** The flags that join a connection to a program instead of stdin and stdout. */
export type ExecFlags = TableFlags<typeof programs, 'listen'>;

/**
 * The program that the flags name, if any; it is there.
 *
 * @throws TnetError TNET_E_USAGE, TNET_E_PROGRAM
 */
export async function readProgram({ exec, shExec }: ExecFlags): Promise<ProgramEndpoint | undefined> {
  if (exec === undefined && shExec === undefined) return undefined;
  const { parseProgram, parseShellLine, requireProgram } = await import('../../src/dial/local/program.ts');
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
  flags: TableFlags<typeof exposure, 'listen'> & Pick<TableFlags<typeof access, 'listen'>, 'allow'>,
): void {
  if (flags.allow || flags.insecureExec) return;
  const isExposed = endpoints.some((endpoint) => !isLocalListener(endpoint));
  if (!isExposed) return;
  throw new TnetError(
    'TNET_E_EXPOSED',
    'a program on an address that other machines reach needs --allow, or --insecure-exec if anyone may run it',
  );
}
