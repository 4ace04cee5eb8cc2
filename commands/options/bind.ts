import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from '../../src/net/connection.ts';
import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import type { UdpEndpoint } from '../../src/serve/serve-datagrams.ts';
import { formatBound, serve, type BoundServer, type ServeOptions } from '../../src/serve/serve.ts';
import { errorCode, TnetError } from '../../src/errors.ts';
import { ConnectionGuard } from '../../src/net/guard.ts';
import { subjectOf, type Context } from '../context.ts';
import { announceReady, checkReadyFlags, type ReadyFlags } from '../ready.ts';
import { readFamily } from './server-address.ts';
import type { ServerRun } from '../server-run.ts';

/** The flags of every server command that say how it binds and accepts. */
export interface BindFlags extends ReadyFlags {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly numeric?: boolean;
  readonly mode?: number;
  readonly retryBind?: boolean;
  readonly pause?: number;
}

/** How long an address in use is left alone before the next try. Source: net.Server, 'error', of Node 0.x. */
const retryMs = 1_000;

/** How a command serves what it binds. */
export interface BindOptions extends Omit<ServeOptions<Connection>, 'onConnection'> {
  /** Serves a connection. Settles when it is over, so that a fault on the way is known to be this connection's. */
  readonly onConnection: (connection: Connection) => Promise<void> | undefined;
  /** Binds a UDP endpoint. Default: every peer is a connection; see serveDatagrams(). */
  readonly bindDatagrams?: (
    endpoint: UdpEndpoint,
    options: Pick<ServeOptions, 'family' | 'numericOnly'>,
  ) => Promise<BoundServer>;
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
    if (flags.mode !== undefined && process.platform === 'win32') {
      throw new TnetError('TNET_E_USAGE', '--mode: named pipes have no permissions as Unix sockets do');
    }
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
  const { mode, pause: pauseMs, numeric: numericOnly } = flags;
  const bindOptions = { ...options, family: readFamily(flags), numericOnly, mode, pauseMs };
  for (;;) {
    try {
      return await open(run, endpoint, bindOptions);
    } catch (error) {
      if (!flags.retryBind || !isInUse(error)) throw error;
      reporter.emit({ event: 'bind-retry', address: formatEndpoint(endpoint), delayMs: retryMs });
    }
    try {
      await delay(retryMs, undefined, { signal: run.stopping });
    } catch {
      return undefined;
    }
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

function isInUse(error: unknown): boolean {
  return ['EADDRINUSE', 'TNET_E_PATH_IN_USE'].includes(errorCode(error) ?? '');
}
