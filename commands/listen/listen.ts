import type { Connection } from '../../src/net/connection.ts';
import type { Endpoint } from '../../src/address/endpoint.ts';
import { parseEndpoint } from '../../src/address/parse.ts';
import { ServeError } from '../../src/serve/serve-error.ts';
import type { ProgramEndpoint } from '../../src/handlers/program/program.ts';
import { TnetError } from '../../src/errors.ts';
import { openAccess } from '../options/access.ts';
import { givenOptions, type Called, type CommandDefinition } from '../options/called.ts';
import { endOf } from '../options/check.ts';
import { checkOptions } from '../options/refusals.ts';
import { bindServers } from '../options/bind.ts';
import { createContext, subjectOf, type Context } from '../context.ts';
import { reportDatagrams } from '../datagram-report.ts';
import { isPlainSession, openStdio, runStdioSession } from '../session-run.ts';
import { applyUdp } from '../options/datagram.ts';
import { createAdmission, placesForOne, toPlainEndpoint, type ServeAdmitted } from '../options/admission.ts';
import { readProgram, requireGuard } from '../options/exec.ts';
import { readRunLimit } from '../signals.ts';
import { listenLayout, type ListenOptions } from './options.ts';
import { readServerAddresses } from '../options/server-address.ts';
import { createRecorder } from '../options/recording.ts';
import { readTuners } from '../options/socket.ts';
import { prepareOutputDir } from './many-options.ts';
import { ServerRun } from '../server-run.ts';

/** `tnet listen [options] [ADDRESS]`: nc -l. */
export const listenCommand: CommandDefinition = {
  operands: [['[address...]', 'PORT, HOST:PORT, HOST PORT, /path, unix:@name or fd:N']],
  layout: listenLayout,
  run: runListen,
};

async function runListen(words: string[], options: ListenOptions, command: Called): Promise<void> {
  const context = createContext(command, options);
  const given = givenOptions(command);
  checkOptions('listen', listenLayout, { given });
  const asked = readServerAddresses(words, options).map((endpoint) => applyUdp(endpoint, options));
  checkOptions('listen', listenLayout, { given, ends: { server: asked.map(({ kind }) => endOf(kind)) } });
  const endpoints = asked.map(toPlainEndpoint);
  const metrics = options.metrics === undefined ? undefined : parseEndpoint(options.metrics);
  const program = await readProgram(options);
  if (program) requireGuard(endpoints, options);
  prepareOutputDir(options);
  const admission = await createAdmission(context, options, asked);
  const { tune, tuneDatagrams } = await readTuners(options, asked);
  const recorder = await createRecorder(
    context,
    options,
    program || options.sendOnly || options.outputDir !== undefined ? undefined : "the clients' bytes",
  );
  const run = new ServerRun(context, recorder, readRunLimit(context, options));
  try {
    const access = await openAccess(context, options, endpoints, run);
    if (metrics) await run.serveMetrics(metrics, 'listen');
    const firstClient = limitFirstClient(context, run, options.wait);
    const serveClient = await chooseService(context, run, options, asked, program);
    const isBound = await bindServers(context, run, endpoints, options, {
      ...access,
      maxConnections: options.keepOpen ? options.maxConnections : placesForOne(options, asked),
      rejectOverflow: options.reject,
      onlyFirst: !options.keepOpen,
      tuneDatagrams,
      onConnection(client) {
        run.tune(client, tune);
        reportDatagrams(context, client, run.address);
        const serveFirst: ServeAdmitted = (admitted) => {
          clearTimeout(firstClient);
          return serveClient(admitted);
        };
        return admission(run, client, serveFirst, access.admit);
      },
    });
    if (!isBound) clearTimeout(firstClient);
  } catch (error) {
    run.stop();
    context.fail(subjectOf(error, words.join(' ')), error instanceof ServeError ? error.cause : error);
  }
}

async function chooseService(
  context: Context,
  run: ServerRun,
  options: ListenOptions,
  endpoints: readonly Endpoint[],
  program: ProgramEndpoint | undefined,
): Promise<ServeAdmitted> {
  if (program) {
    const { runServerProgram } = await import('../program-run.ts');
    const [endpoint = { kind: 'stdio' }] = endpoints;
    return (client) => {
      if (!options.keepOpen) run.stop();
      return runServerProgram(context, run, program, client, endpoint, options);
    };
  }
  if (!options.keepOpen) return serveOne(context, run, options);
  const { serveMany } = await import('./many.ts');
  return serveMany(context, run, options);
}

/** Without -k: the first client is the only one, and the session's end is the command's. */
function serveOne(context: Context, run: ServerRun, options: ListenOptions): ServeAdmitted {
  return (client) => {
    run.stop();
    const { remote } = run.accepted(client);
    return converse(context, run, options, client, remote);
  };
}

async function converse(
  context: Context,
  { interruption }: ServerRun,
  options: ListenOptions,
  socket: Connection,
  remote: string,
): Promise<void> {
  const stdio = openStdio(options, { isServer: true });
  let parts;
  if (!isPlainSession(options)) {
    const { prepareSession } = await import('../connect/session.ts');
    const extras = { context, socket, remote, stdio, options, interruption, timing: undefined };
    parts = await prepareSession(extras);
  }
  await runStdioSession(context, socket, remote, options, interruption, stdio, parts);
}

function limitFirstClient(
  context: Context,
  run: ServerRun,
  limitMs: number | undefined,
): NodeJS.Timeout | undefined {
  if (limitMs === undefined) return undefined;
  const timer = setTimeout(() => {
    context.fail(run.address, new TnetError('TNET_E_TIMEOUT', `no client within ${limitMs} ms`));
    run.stop();
  }, limitMs);
  run.interruption.signal.addEventListener('abort', () => clearTimeout(timer));
  return timer;
}
