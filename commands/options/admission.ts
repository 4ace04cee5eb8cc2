import {
  breakConnection,
  type Connection,
  presentAddresses,
  presentedAddresses,
} from '../../src/net/connection.ts';
import { greet } from '../../src/serve/greeting/greet.ts';
import { defaultGreetingMs, type ReadGreeting } from '../../src/serve/greeting/greeting.ts';
import type { Endpoint } from '../../src/address/endpoint.ts';
import { SaidNothing } from '../../src/serve/greeting/said-nothing.ts';
import { formatLocal, formatRemote } from '../../src/serve/serve.ts';
import { Socket } from '../../src/net/index.ts';
import type { Access } from './access.ts';
import type { Context } from '../context.ts';
import type { TableFlags } from './row.ts';
import type { clientHeader } from './table/proxies.ts';
import type { tls } from './table/tls.ts';
import type { ServerRun } from '../server-run.ts';

/** The flags of a server that say what comes before a client's stream. */
export type AdmissionFlags = TableFlags<typeof tls & typeof clientHeader, 'listen'>;

/** Serves a client that has been let in; settles when it is over. */
export type ServeAdmitted = (client: Connection) => Promise<void> | undefined;

/**
 * Lets a client in and serves it, or turns it away and says why. `judge` is asked about the client that a PROXY header
 * names, as it has been about the connection's own address: both must be welcome.
 */
export type Admission = (
  run: ServerRun,
  client: Connection,
  serve: ServeAdmitted,
  judge?: Access['admit'],
) => Promise<void> | undefined;

/** How many clients are greeted at a time where one is served: a silent one must not keep out the others. */
const greetedAtOnce = 64;

/**
 * How many connections a server of one client may have. The first that is through what comes before its stream has
 * the place; without anything before it, that is the first to come.
 */
export function placesForOne(flags: AdmissionFlags, endpoints: readonly Endpoint[]): number {
  return asksForGreeting(flags, endpoints) ? greetedAtOnce : 1;
}

function asksForGreeting(flags: AdmissionFlags, endpoints: readonly Endpoint[]): boolean {
  return flags.acceptProxy === true || flags.tls === true || endpoints.some(({ kind }) => kind === 'tls');
}

/**
 * What the flags ask of every client before it is served; `endpoints` are where the server listens.
 *
 * @throws TnetError TNET_E_USAGE for files that cannot be used
 */
export async function createAdmission(
  context: Context,
  flags: AdmissionFlags,
  endpoints: readonly Endpoint[],
): Promise<Admission> {
  const { reporter } = context;
  const readers = await createReaders(context, flags, endpoints);
  // At once where there is nothing to wait for.
  if (readers.length === 0) return (_run, client, serve) => serve(client);
  return (run, client, serve, judge) =>
    client instanceof Socket ? letIn(run, client, serve, judge) : serve(client);

  async function letIn(
    run: ServerRun,
    socket: Socket,
    serve: ServeAdmitted,
    judge: Access['admit'],
  ): Promise<void> {
    // Accepting is over when the server is told to end, and when one that serves one client has found it.
    const signal = run.stopping;
    // A client that leaves meanwhile must not be an uncaught error, and is to be named all the same.
    socket.on('error', () => undefined);
    const name = { remote: formatRemote(socket, run.address), local: formatLocal(socket, run.address) };
    presentAddresses(socket, name);
    try {
      await greet(socket, readers, { limitMs: defaultGreetingMs, signal });
      // Of two that are through in one turn the first has the place.
      signal.throwIfAborted();
    } catch (error) {
      if (error instanceof SaidNothing) run.probed(formatRemote(socket, run.address));
      else if (!signal.aborted) reporter.fail(formatRemote(socket, run.address), error);
      socket.destroy();
      return;
    }
    const named = presentedAddresses(socket);
    const reason = named?.remoteHost === undefined ? undefined : judge?.(named.remoteHost);
    if (reason === undefined) return serve(socket);
    run.refused(formatRemote(socket, run.address), reason);
    breakConnection(socket);
  }
}

/** What reads the PROXY header, and then makes the client speak TLS. */
async function createReaders(
  { reporter }: Context,
  flags: AdmissionFlags,
  endpoints: readonly Endpoint[],
): Promise<ReadGreeting[]> {
  const readers: ReadGreeting[] = [];
  if (flags.acceptProxy)
    readers.push((await import('../../src/serve/greeting/proxy-header.ts')).readPresentedClient);
  const secureEndpoint = endpoints.find(({ kind }) => flags.tls === true || kind === 'tls');
  if (!secureEndpoint) return readers;
  const [{ readServerTls }, { createTlsReader }] = await Promise.all([
    import('../../src/serve/tls-server.ts'),
    import('../../src/serve/greeting/tls.ts'),
  ]);
  const { tlsCert: cert, tlsKey: key, tlsCa: clientCa, tlsAlpn: alpn } = flags;
  const settings = await readServerTls({ cert, key, clientCa, alpn }, secureEndpoint, {
    emit: (event) => reporter.emit(event),
    fail: (subject, error) => reporter.fail(subject, error),
  });
  return [...readers, createTlsReader(settings)];
}

/** The endpoint to bind for one that may ask for TLS. */
export function toPlainEndpoint(endpoint: Endpoint): Endpoint {
  return endpoint.kind === 'tls' ? { ...endpoint, kind: 'tcp' } : endpoint;
}
