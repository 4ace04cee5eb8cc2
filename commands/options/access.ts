import type { Endpoint } from '../../src/address/endpoint.ts';
import type { ServeOptions } from '../../src/serve/serve.ts';
import { TnetError } from '../../src/errors.ts';
import type { Context } from '../context.ts';
import type { ServerRun } from '../server-run.ts';
import type { TableFlags } from './row.ts';
import type { address } from './table/address.ts';
import type { access } from './table/clients.ts';
import { onHangup } from '../signals.ts';

/** The flags of every server command that say who may connect. */
export type AccessFlags = TableFlags<typeof access, 'listen'> &
  Pick<TableFlags<typeof address, 'listen'>, 'numeric'>;

/** What serve() needs to turn clients away. */
export type Access = Pick<ServeOptions, 'admit' | 'onRefused'>;

/**
 * Reads the lists, and reads them again at every SIGHUP until the run is interrupted. Without lists SIGHUP ends the command.
 *
 * @throws TnetError TNET_E_ACCESS, or TNET_E_USAGE for a Unix socket, whose clients have no address.
 */
export async function openAccess(
  context: Context,
  flags: AccessFlags,
  endpoints: readonly Endpoint[],
  run: ServerRun,
): Promise<Access> {
  const { reporter } = context;
  const onRefused = (remote: string, reason: string) => run.refused(remote, reason);
  if (!flags.allow && !flags.deny) return { onRefused };
  if (endpoints.some(({ kind }) => kind === 'unix')) {
    throw new TnetError(
      'TNET_E_USAGE',
      '--allow and --deny judge IP addresses; a Unix socket is guarded by --mode',
    );
  }
  const { createAccessList } = await import('../../src/access/access-list.ts');
  const { allow, deny, numeric: numericOnly } = flags;
  const list = await createAccessList({ allow, deny, numericOnly });
  const reload = () => {
    list.reload().then(
      () => reporter.emit({ event: 'access-reloaded', allowed: list.allowed, denied: list.denied }),
      (error: unknown) => reporter.fail((error as TnetError).subject ?? 'access', error),
    );
  };
  run.interruption.signal.addEventListener('abort', onHangup(reload));
  return { admit: (address) => list.judge(address), onRefused };
}
