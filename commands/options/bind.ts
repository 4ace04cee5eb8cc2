import type { Connection } from '../../src/net/connection.ts';
import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { retryBind } from '../../src/serve/retry-bind.ts';
import type { BindDatagramOptions, UdpEndpoint } from '../../src/serve/serve-datagrams.ts';
import { formatBound, serve, type BoundServer, type ServeOptions } from '../../src/serve/serve.ts';
import { ConnectionGuard } from '../../src/net/guard.ts';
import { subjectOf, type Context } from '../context.ts';
import { announceReady, checkReadyFlags } from '../ready.ts';
import type { TableFlags } from './row.ts';
import { readFamily } from './server-address.ts';
import type { address } from './table/address.ts';
import type { bind as bindTable } from './table/bind.ts';
import type { ServerRun } from '../server-run.ts';

/** The flags of every server command that say how it binds and accepts. */
export type BindFlags = TableFlags<typeof bindTable, 'listen'> &
  Pick<TableFlags<typeof address, 'listen'>, 'ipv4' | 'ipv6' | 'numeric'>;

/** How a command serves what it binds. */
export interface BindOptions
  extends Omit<ServeOptions<Connection>, 'onConnection'>, Pick<BindDatagramOptions, 'tuneDatagrams'> {
  /** Serves a connection. Settles when it is over, so that a fault on the way is known to be this connection's. */
  readonly onConnection: (connection: Connection) => Promise<void> | undefined;
  /** Binds a UDP endpoint. Default: every peer is a connection; see serveDatagrams(). */
  readonly bindDatagrams?: (endpoint: UdpEndpoint, options: BindDatagramOptions) => Promise<BoundServer>;
}

/**
 * Binds every endpoint and hands the servers to `run`, then tells who waits for them to be ready. A failure is
 * reported, sets the exit status, and leaves nothing bound; a signal that ends the run meanwhile does so too.
 */
export async function bindServers(
  context: Context,
  run: ServerRun,
  endpoints: readonly Endpoint[],
  flags: BindFlags,
  options: BindOptions,
): Promise<boolean> {
  let subject = '';
  try {
    checkReadyFlags(flags);
    const addresses: string[] = [];
    for (const endpoint of endpoints) {
      subject = formatEndpoint(endpoint);
      const server = await bind(context, run, endpoint, flags, options);
      if (!server) return false;
      if (!run.started(server)) return false;
      addresses.push(formatBound(server));
    }
    announceReady(addresses, flags);
    return true;
  } catch (error) {
    run.stop();
    context.fail(subjectOf(error, subject), error);
    return false;
  }
}

/** The bound server, or undefined when the command was interrupted while the address was in use. */
async function bind(
  { reporter }: Context,
  run: ServerRun,
  endpoint: Endpoint,
  flags: BindFlags,
  options: BindOptions,
): Promise<BoundServer | undefined> {
  const { mode, owner, pause: pauseMs, numeric: numericOnly } = flags;
  const bindOptions = { ...options, family: readFamily(flags), numericOnly, mode, owner, pauseMs };
  const bindOnce = () => open(run, endpoint, bindOptions);
  if (!flags.retryBind) return bindOnce();
  const address = formatEndpoint(endpoint);
  try {
    return await retryBind(bindOnce, {
      signal: run.stopping,
      onRetry: (delayMs) => reporter.emit({ event: 'bind-retry', address, delayMs }),
    });
  } catch (error) {
    if (run.stopping.aborted) return undefined;
    throw error;
  }
}

async function open(run: ServerRun, endpoint: Endpoint, options: BindOptions): Promise<BoundServer> {
  const onConnection = (connection: Connection) => {
    const guard = new ConnectionGuard((fault) => run.broken(connection, fault));
    guard.watch(connection);
    void guard.run(() => options.onConnection(connection));
  };
  if (endpoint.kind !== 'udp') return serve(endpoint, { ...options, onConnection });
  if (options.bindDatagrams) return options.bindDatagrams(endpoint, options);
  const { serveDatagrams } = await import('../../src/serve/serve-datagrams.ts');
  return serveDatagrams(endpoint, { ...options, onConnection });
}
