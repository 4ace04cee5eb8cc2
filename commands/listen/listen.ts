import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { parseEndpoint } from '../../src/address/parse.ts';
import { TnetError, formatLimit } from '../../src/errors.ts';
import type { ProgramEndpoint } from '../../src/dial/local/program.ts';
import type { ReadGreeting } from '../../src/serve/greeting/greeting.ts';
import { prepareService, type Handler, type ServeHost } from '../../src/serve/service.ts';
import { createContext, type Context } from '../context.ts';
import { exitStatus } from '../output.ts';
import { isWorker } from '../is-worker.ts';
import { givenOptions, type Called, type CommandDefinition } from '../options/called.ts';
import { endOf, checkOptions, factsOf } from '../options/check.ts';
import { applyUdp, readServerAddresses, toPlainEndpoint } from '../options/server-address.ts';
import { readProgram, requireGuard } from '../options/exec.ts';
import { createRecorder, type Recorder } from '../options/recording.ts';
import { readTls } from '../options/server-tls.ts';
import { readTuners } from '../options/socket.ts';
import { ServerRun } from '../server-run.ts';
import { fitToEnd, isPlainSession, openStdio, runStdioSession } from '../session-run.ts';
import { readRunLimit } from '../signals.ts';
import { listenLayout, prepareOutputDir, type ListenOptions } from './options.ts';

/** `tnet listen [options] [ADDRESS]`: nc -l. */
export const listenCommand: CommandDefinition = {
  help: {
    usage: '[options] PORT | HOST:PORT | /path | tls://HOST:PORT',
    purpose: [
      'Waits for a client: standard input is sent to it, and what it sends is written',
      'to standard output, to the last byte. With -k it goes on to serve others.',
    ],
    examples: [
      ['receive a file, sent by: tnet connect HOST 9000 < file', 'tnet listen -d 9000 > file'],
      ['run a program for each client of this machine', "tnet listen -k -e 'tr a-z A-Z' 127.0.0.1:9000"],
      ['a chat for all who connect', 'tnet listen -k --chat 9000'],
    ],
    mostUsed: ['keepOpen', 'exec', 'allow', 'tls', 'udp', 'verbose'],
  },
  operands: [['[address...]', 'PORT, HOST:PORT, HOST PORT, /path, unix:@name or fd:N']],
  layout: listenLayout,
  run: runListen,
};

async function runListen(words: string[], asked: ListenOptions, command: Called): Promise<void> {
  const context = createContext(command, asked);
  const given = givenOptions(command);
  checkOptions('listen', listenLayout, { given });
  const endpoints = readServerAddresses(words, asked).map((endpoint) => applyUdp(endpoint, asked));
  const options = endpoints.reduce((flags, endpoint) => fitToEnd(endpoint, flags), asked);
  const kinds = endpoints.map(({ kind }) => kind);
  checkOptions('listen', listenLayout, {
    given,
    ends: { server: kinds.map(endOf) },
    facts: factsOf('server', kinds),
  });
  const metrics = options.metrics === undefined ? undefined : parseEndpoint(options.metrics);
  const program = await readProgram(options);
  if (!program && endpoints.some(({ kind }) => kind === 'stdio'))
    throw new TnetError('TNET_E_USAGE', 'standard input and output would be joined to themselves', {
      subject: '-',
    });
  if (program) requireGuard(endpoints.map(toPlainEndpoint), options);
  prepareOutputDir(options);
  const tuners = await readTuners(options, endpoints);
  const recorder = await createRecorder(
    context,
    options,
    program || options.sendOnly || options.outputDir !== undefined ? undefined : "the clients' bytes",
  );
  const isWorking = options.workers !== undefined && isWorker();
  const run = isWorking
    ? undefined
    : new ServerRun(context, options, { name: 'listen', limit: readRunLimit(context, options) });
  const first = new AbortController();
  const server: ListenServer = { context, options, recorder, program, run, first };
  const prepare = async (host: ServeHost) => {
    const chooseHandler = await createHandlers(server, endpoints);
    const tls = await readTls(options, endpoints, host);
    const isGreeted = tls !== undefined || kinds.includes('ws');
    const values = { ...options, maxConnections: countPlaces(options, isGreeted) };
    const onlyFirst = options.keepOpen ? undefined : first.signal;
    const readers = await readersFor(options);
    return Promise.all(
      endpoints.map((endpoint) =>
        prepareService(toPlainEndpoint(endpoint), values, host, {
          handle: chooseHandler(endpoint),
          readers,
          tls,
          ...tuners,
          onlyFirst,
          ...(options.sendOnly && { local: { appends: true } }),
        }),
      ),
    );
  };
  if (!run) {
    (await import('../workers.ts')).runWorker(context, options, { prepare });
    return;
  }
  if (options.wait !== undefined) limitFirstClient(context, run, options.wait, first.signal);
  await run.start(prepare, metrics);
}

/** What clients say after their PROXY header and within TLS. */
async function readersFor({ receive }: ListenOptions): Promise<readonly ReadGreeting[]> {
  if (receive === undefined) return [];
  return [(await import('../../src/serve/greeting/files-start.ts')).readFilesStart];
}

/** What serves the clients of a `tnet listen`. */
interface ListenServer {
  readonly context: Context;
  readonly options: ListenOptions;
  readonly recorder: Recorder | undefined;
  readonly program: ProgramEndpoint | undefined;
  /** Undefined: this process serves what another one accepts. */
  readonly run: ServerRun | undefined;
  /** Aborted with the first client. */
  readonly first: AbortController;
}

/** How many clients are greeted at a time when one is served: a silent one must not keep out the others. */
const greetedAtOnce = 64;

/**
 * How many connections the server may have. If it serves one client, the first to finish its greeting gets the
 * place; without a greeting, that is the first to arrive.
 */
function countPlaces(
  { keepOpen, maxConnections, acceptProxy, receive }: ListenOptions,
  isGreeted: boolean,
): number | undefined {
  if (keepOpen) return maxConnections;
  return acceptProxy || isGreeted || receive !== undefined ? greetedAtOnce : 1;
}

/** What is done with the clients of each endpoint. A room is one for all. */
async function createHandlers(
  server: ListenServer,
  endpoints: readonly Endpoint[],
): Promise<(endpoint: Endpoint) => Handler> {
  const { context, options, recorder, program, run, first } = server;
  const onClient = () => {
    first.abort();
    if (!options.keepOpen) run?.stop();
  };
  if (program) {
    const { createProgramHandler } = await import('../program-run.ts');
    const job = { context, program, flags: options };
    const interruption = run?.interruption;
    return (endpoint) => createProgramHandler(job, { endpoint, recorder, interruption, onClient });
  }
  if (!run) throw new Error('only programs are served by workers');
  if (options.receive !== undefined) {
    const { createReceiveHandler } = await import('./receive.ts');
    const handle = await createReceiveHandler(context, run.interruption, options);
    return () => (client) => {
      onClient();
      return handle(client);
    };
  }
  const name = `listen-${endpoints.map((endpoint) => formatEndpoint(toPlainEndpoint(endpoint))).join('-')}`;
  const handle = options.keepOpen
    ? await (await import('./many.ts')).createRoomHandler(context, run, options, { recorder, name })
    : createSessionHandler(context, run, options, recorder);
  return () => (client) => {
    onClient();
    return handle(client);
  };
}

/** Without -k: the first client is the only one, and the session's end is the command's. */
function createSessionHandler(
  context: Context,
  { interruption }: ServerRun,
  options: ListenOptions,
  recorder: Recorder | undefined,
): Handler {
  return async ({ client: socket, greeting: { header }, listener, entry }) => {
    const { id, remote } = entry;
    recorder?.open(socket, { id, role: 'accepted', server: listener, header });
    // A signal ends the session in order, and nothing else does.
    entry.endsInOrder = true;
    entry.breakOff = undefined;
    const stdio = openStdio(options, { isServer: true });
    let prepared;
    if (!isPlainSession(options) || stdio.input?.kind === 'terminal') {
      const { prepareSession } = await import('../connect/session.ts');
      prepared = await prepareSession({
        context,
        socket,
        remote,
        name: `listen-${listener}`,
        stdio,
        options,
        interruption,
        timing: undefined,
      });
    }
    const session = { context, socket, id, remote, flags: options, interruption, stdio, prepared };
    const { reason, failure, subject, sent, receivedBytes, close } = await runStdioSession(session);
    entry.moved = () => ({ sentBytes: sent?.bytes ?? 0, receivedBytes });
    if (failure) context.exit(exitStatus(failure));
    if (interruption.status !== undefined) context.exit(interruption.status);
    return { reason, error: failure, subject, close };
  };
}

function limitFirstClient(context: Context, run: ServerRun, limitMs: number, first: AbortSignal): void {
  const timer = setTimeout(() => {
    context.fail(
      run.addresses.at(-1) ?? '',
      new TnetError('TNET_E_TIMEOUT', `no client within ${formatLimit(limitMs)}`),
    );
    run.stop();
  }, limitMs);
  for (const signal of [first, run.stopping]) signal.addEventListener('abort', () => clearTimeout(timer));
}
