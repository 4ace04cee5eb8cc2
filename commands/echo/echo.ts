import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { parseEndpoint } from '../../src/address/parse.ts';
import { createServiceHandler } from '../../src/handlers/services/services.ts';
import { type ServiceName, builtInQuotes, readQuotes } from '../../src/protocol/small-services/services.ts';
import type { Rate } from '../../src/quantities.ts';
import { prepareService, type ServeHost, type Service } from '../../src/serve/service.ts';
import type { TlsServerSettings } from '../../src/serve/tls-server.ts';
import { readTls } from '../options/server-tls.ts';
import { createContext } from '../context.ts';
import { isWorker } from '../is-worker.ts';
import { applyUdp, readServerAddresses, toPlainEndpoint } from '../options/server-address.ts';
import { readTuners, type Tuners } from '../options/socket.ts';
import { ServerRun } from '../server-run.ts';
import { checkEchoOptions, echoLayout, type EchoOptions } from './options.ts';
import type { Called, CommandDefinition } from '../options/called.ts';
import { readFileSync } from 'node:fs';
import { errorCode, TnetError } from '../../src/errors.ts';

/** `tnet echo [options] [ADDRESS]`: an echo server and the other small services, and their client. */
export const echoCommand: CommandDefinition = {
  help: {
    usage: '[options] PORT | HOST:PORT | /path | udp://HOST:PORT',
    purpose: [
      'Sends back to each client what it sends, or serves another of the small services',
      'of RFC 862 to 868. With --ping it is the client, and checks every byte.',
    ],
    examples: [
      ['serve an echo', 'tnet echo --port 8124'],
      ['measure the way there and back', 'tnet echo --ping -c 10 localhost:8124'],
      ['serve the time of day on UDP', 'tnet echo --service daytime udp://127.0.0.1:8013'],
    ],
    mostUsed: ['service', 'ping', 'count', 'udp', 'tls', 'verbose'],
  },
  operands: [['[address...]', 'PORT, HOST:PORT, HOST PORT or /path']],
  layout: echoLayout,
  run: runEcho,
};

async function runEcho(words: string[], options: EchoOptions, command: Called): Promise<void> {
  if (options.ping) {
    const { pingEcho } = await import('./ping.ts');
    await pingEcho(words, options, command);
    return;
  }
  await serveEcho(words, options, command);
}

/** Datagrams that one address may send: where an answer is as long as the question, and where it may be longer. */
const defaultRates = {
  even: { count: 1000, perMs: 1000 },
  amplifying: { count: 10, perMs: 1000 },
} as const satisfies Record<string, Rate>;

/** Serves the small service that the flags name until it is interrupted. */
async function serveEcho(words: string[], options: EchoOptions, command: Called): Promise<void> {
  const context = createContext(command, options);
  const endpoints = readServerAddresses(words, options)
    .map((endpoint) => applyUdp(endpoint, options))
    .map((endpoint) => keepLocal(endpoint, options));
  checkEchoOptions(command, options, endpoints);
  refuseFiles(endpoints);
  const metrics = options.metrics === undefined ? undefined : parseEndpoint(options.metrics);
  const quotes = loadQuotes(options.quoteFile);
  const tuners = await readTuners(options, endpoints);
  const prepare = async (host: ServeHost) => {
    const shared = { host, quotes, tuners, tls: await readTls(options, endpoints, host) };
    return Promise.all(endpoints.map((endpoint) => prepareEcho(endpoint, options, shared)));
  };
  if (options.workers !== undefined && isWorker()) {
    (await import('../workers.ts')).runWorker(context, options, { prepare });
    return;
  }
  const service = options.service === 'echo' ? '' : `--service ${options.service} `;
  const run = new ServerRun(context, options, {
    name: 'echo',
    live: (addresses) => ({
      title: `tnet echo ${service}${addresses.join(' ')}`,
      received: 'in',
      sent: 'out',
      remote: 'client',
    }),
  });
  await run.start(prepare, metrics);
}

/** What is appended to a file would be read again, without an end. @throws TnetError TNET_E_USAGE */
function refuseFiles(endpoints: readonly Endpoint[]): void {
  const file = endpoints.find(({ kind }) => kind === 'file');
  if (!file) return;
  const message = 'a file cannot be echoed: it is read or written, and not both';
  throw new TnetError('TNET_E_USAGE', message, { subject: formatEndpoint(file) });
}

async function prepareEcho(
  endpoint: Endpoint,
  { service, rate, ...options }: EchoOptions,
  {
    host,
    quotes,
    tuners,
    tls,
  }: { host: ServeHost; quotes: readonly Buffer[]; tuners: Tuners; tls: TlsServerSettings | undefined },
): Promise<Service> {
  const handle = createServiceHandler(service, quotes, { idleMs: options.idle, timeoutMs: options.timeout });
  const limit = rate === 'none' ? undefined : rate;
  if (endpoint.kind !== 'udp' && endpoint.kind !== 'unix-dgram') {
    const values = { ...options, ...(limit && { rate: limit }) };
    const prepared = await prepareService(toPlainEndpoint(endpoint), values, host, {
      handle,
      tls,
      ...tuners,
    });
    if (service !== 'echo') return prepared;
    const { prepareEchoLane } = await import('../../src/handlers/services/echo-lane.ts');
    const limits = { idleMs: options.idle, timeoutMs: options.timeout };
    return { ...prepared, lane: prepareEchoLane(prepared, host, limits) };
  }
  const { createAnswer, createAnswerBind } = await import('../../src/handlers/services/answers.ts');
  if (endpoint.kind === 'unix-dgram') {
    const { createUnixAnswerBind } = await import('../../src/handlers/services/unix-answers.ts');
    const bind = createUnixAnswerBind(createAnswer(service, quotes), limit);
    return prepareService(endpoint, options, host, { handle, bind });
  }
  const bind = createAnswerBind(service, quotes, rate === undefined ? chooseRate(service) : limit);
  return prepareService(endpoint, options, host, { handle, bind, ...tuners });
}

/** A service that answers any sender is for this machine only, unless a host is named. */
function keepLocal(endpoint: Endpoint, { ipv6 }: EchoOptions): Endpoint {
  if (endpoint.kind !== 'udp' || endpoint.host !== undefined) return endpoint;
  return { ...endpoint, host: ipv6 ? '::1' : '127.0.0.1' };
}

function chooseRate(service: ServiceName): Rate {
  return service === 'echo' || service === 'discard' ? defaultRates.even : defaultRates.amplifying;
}

/**
 * The quotes of qotd: those of the file, or the built-in ones.
 *
 * @throws TnetError TNET_E_USAGE
 */
function loadQuotes(file: string | undefined): readonly Buffer[] {
  if (file === undefined) return builtInQuotes;
  try {
    return readQuotes(readFileSync(file, 'utf8'));
  } catch (error) {
    const code = errorCode(error);
    const message = code === undefined ? (error as Error).message : `it cannot be read (${code})`;
    throw new TnetError('TNET_E_USAGE', message, { subject: file, cause: error });
  }
}
