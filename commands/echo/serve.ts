import type { Connection } from '../../src/net/connection.ts';
import { createServiceHandler } from '../../src/handlers/services/services.ts';
import type { Endpoint } from '../../src/address/endpoint.ts';
import { parseEndpoint } from '../../src/address/parse.ts';
import { ServeError } from '../../src/serve/serve-error.ts';
import type { ServiceName } from '../../src/protocol/small-services/services.ts';
import type { Rate } from '../../src/quantities.ts';
import { openAccess, type Access } from '../options/access.ts';
import { createAdmission, toPlainEndpoint } from '../options/admission.ts';
import { bindServers, type BindOptions } from '../options/bind.ts';
import { createContext, subjectOf, type Context } from '../context.ts';
import { applyUdp } from '../options/datagram.ts';
import { checkEchoOptions, type EchoOptions } from './options.ts';
import { loadQuotes } from './quotes.ts';
import { readTuners } from '../options/socket.ts';
import { readServerAddresses } from '../options/server-address.ts';
import { ServerRun } from '../server-run.ts';
import type { Called } from '../options/called.ts';

/** Datagrams that one address may send: where an answer is as long as the question, and where it may be longer. */
const defaultRates = {
  even: { count: 1000, perMs: 1000 },
  amplifying: { count: 10, perMs: 1000 },
} as const satisfies Record<string, Rate>;

/** Serves the small service that the flags name until it is interrupted. */
export async function serveEcho(words: string[], options: EchoOptions, command: Called): Promise<void> {
  const context = createContext(command, options);
  const asked = readServerAddresses(words, options)
    .map((endpoint) => applyUdp(endpoint, options))
    .map((endpoint) => keepLocal(endpoint, options));
  checkEchoOptions(command, options, asked);
  const endpoints = asked.map(toPlainEndpoint);
  const metrics = options.metrics === undefined ? undefined : parseEndpoint(options.metrics);
  const quotes = loadQuotes(options.quoteFile);
  const admission = await createAdmission(context, options, asked);
  const { tune, tuneDatagrams } = await readTuners(options, asked);
  const handle = createServiceHandler(options.service, quotes, options.idle);
  const run = new ServerRun(context);
  try {
    const access = await openAccess(context, options, endpoints, run);
    if (metrics) await run.serveMetrics(metrics, 'echo');
    const isBound = await bindServers(context, run, endpoints, options, {
      ...access,
      maxConnections: options.maxConnections,
      rejectOverflow: options.reject,
      tuneDatagrams,
      onConnection(client) {
        run.tune(client, tune);
        const serve = (admitted: Connection) => run.serve(admitted, handle);
        return admission(run, client, serve, access.admit);
      },
      bindDatagrams: bindAnswers(run, access, options, quotes),
    });
    const hasDatagrams = endpoints.some(({ kind }) => kind === 'udp');
    if (isBound && options.live) await showLive(context, run, options.service, hasDatagrams);
  } catch (error) {
    run.stop();
    context.fail(subjectOf(error, words.join(' ')), error instanceof ServeError ? error.cause : error);
  }
}

/** Shows what is done until the first signal: a second one, which ends the process, must find the terminal as it was. */
async function showLive(
  context: Context,
  run: ServerRun,
  service: ServiceName,
  hasDatagrams: boolean,
): Promise<void> {
  const { startLive } = await import('../options/live.ts');
  const names = {
    title: `tnet echo ${service === 'echo' ? '' : `--service ${service} `}${run.address}`,
    received: 'in',
    sent: 'out',
    remote: 'client',
  };
  const look = () => {
    const { datagrams, ...sums } = run.sums;
    return { totals: { ...sums, ...(hasDatagrams && { datagrams }) }, connections: run.list };
  };
  const stop = await startLive(context, names, look);
  const { signal } = run.interruption;
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop);
}

/** A service that answers whoever sends is for this machine, unless a host is named. */
function keepLocal(endpoint: Endpoint, { ipv6 }: EchoOptions): Endpoint {
  if (endpoint.kind !== 'udp' || endpoint.host !== undefined) return endpoint;
  return { ...endpoint, host: ipv6 ? '::1' : '127.0.0.1' };
}

/** How a UDP endpoint is bound: each datagram is answered by itself. */
function bindAnswers(
  run: ServerRun,
  { admit, onRefused }: Access,
  { service, rate = chooseRate(service) }: EchoOptions,
  quotes: readonly Buffer[],
): BindOptions['bindDatagrams'] {
  return async (endpoint, bindOptions) => {
    const [{ serveAnswers }, { answerDatagram }] = await Promise.all([
      import('../../src/handlers/services/answers.ts'),
      import('../../src/protocol/small-services/services.ts'),
    ]);
    return serveAnswers(endpoint, bindOptions, {
      admit,
      onRefused,
      rate: rate === 'none' ? undefined : rate,
      answer: (datagram) =>
        answerDatagram(service, datagram, { at: new Date(), random: Math.random(), quotes }),
      onDatagram: (remote, received, sent) => run.datagram(remote, received, sent),
      onDropped: () => run.datagramDropped(),
    });
  };
}

function chooseRate(service: ServiceName): Rate {
  return service === 'echo' || service === 'discard' ? defaultRates.even : defaultRates.amplifying;
}
