import { Option, type Command } from 'commander';
import type { Connection } from '../../src/net/connection.ts';
import type { Endpoint } from '../../src/address/endpoint.ts';
import type { ProgramEndpoint } from '../../src/handlers/program/program.ts';
import { TnetError } from '../../src/errors.ts';
import { addAccessOptions, openAccess, type AccessFlags } from '../options/access.ts';
import { addBindOptions, bindServers, type BindFlags } from '../options/bind.ts';
import { createContext, subjectOf, type Context, type ReportOptions } from '../context.ts';
import { addUdpOption, applyUdp, type DatagramFlags } from '../options/datagram.ts';
import { reportDatagrams } from '../datagram-report.ts';
import {
  addAdmissionOptions,
  createAdmission,
  placesForOne,
  toPlainEndpoint,
  type AdmissionFlags,
  type ServeAdmitted,
} from '../options/admission.ts';
import {
  addExecOptions,
  addInsecureExecOption,
  readProgram,
  requireGuard,
  type ExecFlags,
} from '../options/exec.ts';
import { addStepOptions, type StepOptions } from '../options/steps.ts';
import { addTerminalOptions, type TerminalFlags } from '../options/terminal.ts';
import { readRunLimit } from '../run-limit.ts';
import { checkFlags } from '../options/flag-rules.ts';
import { listenFlagRules } from './flag-rules.ts';
import { isPlainSession } from '../options/session-extras.ts';
import { addManyOptions, prepareOutputDir, type ManyFlags } from './many-options.ts';
import { addOptions, addReportOptions } from '../options/shared.ts';
import { readServerAddresses, type ServerAddressOptions } from '../options/server-address.ts';
import { addRecordingOptions, createRecorder, type RecordingFlags } from '../options/recording.ts';
import { addSocketOptions, readTuner, type SocketFlags } from '../options/socket.ts';
import { ServerRun } from '../server-run.ts';
import { openStdio, runStdioSession, type SessionFlags } from '../session-run.ts';
import { parseTimeMs } from '../options/values.ts';

interface ListenOptions
  extends
    ReportOptions,
    ServerAddressOptions,
    SessionFlags,
    BindFlags,
    AccessFlags,
    AdmissionFlags,
    RecordingFlags,
    SocketFlags,
    DatagramFlags,
    ExecFlags,
    ManyFlags,
    TerminalFlags,
    StepOptions {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly numeric?: boolean;
  readonly keepOpen?: boolean;
  readonly maxConnections?: number;
  readonly reject?: boolean;
  readonly wait?: number;
  readonly timeout?: number;
}

/** `tnet listen [options] [ADDRESS]`: nc -l. */
export function defineListen(command: Command): void {
  command.argument('[address...]', 'PORT, HOST:PORT, HOST PORT, /path, unix:@name or fd:N');
  command.optionsGroup('Address:');
  addOptions(command, 'port', 'unix', 'ipv4', 'ipv6', 'numeric');
  addUdpOption(command);
  command.addOption(new Option('-s, --source <address>', 'listen on this address'));
  addBindOptions(command);
  command.optionsGroup('Clients:');
  command.addOption(new Option('-k, --keep-open', 'go on listening; serve clients at the same time'));
  addOptions(command, 'maxConnections', 'reject');
  addAccessOptions(command);
  addManyOptions(command);
  command.optionsGroup('Time limits:');
  command.addOption(
    new Option('-w, --wait <time>', 'limit for the first client to come').argParser(parseTimeMs),
  );
  addOptions(command, 'timeout', 'idle');
  command.optionsGroup('The end of data:');
  addOptions(
    command,
    'quit',
    'halfClose',
    'noShutdown',
    'receiveOnly',
    'sendOnly',
    'keepSending',
    'endWithPeer',
  );
  command.optionsGroup('Lines and programs:');
  addOptions(command, 'crlf', 'crlfDirection');
  addTerminalOptions(command);
  addStepOptions(command);
  addExecOptions(command, 'broadcast', 'broker', 'chat', 'label', 'outputDir', 'raw', 'expect', 'send');
  addInsecureExecOption(command);
  command.optionsGroup('TLS and PROXY headers:');
  addAdmissionOptions(command);
  command.optionsGroup('Recording:');
  addRecordingOptions(command);
  command.optionsGroup('Socket options:');
  addSocketOptions(command);
  addReportOptions(command).action(runListen);
}

async function runListen(words: string[], options: ListenOptions, command: Command): Promise<void> {
  const context = createContext(command, options);
  checkFlags(command, listenFlagRules, {});
  const asked = readServerAddresses(words, options).map((endpoint) => applyUdp(endpoint, options));
  const endpoints = asked.map(toPlainEndpoint);
  const program = await readProgram(options);
  if (program) requireGuard(endpoints, options);
  prepareOutputDir(options);
  const admission = await createAdmission(context, options, asked);
  const tune = await readTuner(options, endpoints);
  const recorder = await createRecorder(
    context,
    options,
    program || options.sendOnly || options.outputDir !== undefined ? undefined : "the clients' bytes",
  );
  const run = new ServerRun(context, recorder, readRunLimit(context, options));
  const { signal } = run.interruption;
  try {
    const access = await openAccess(context, options, endpoints, signal);
    const firstClient = limitFirstClient(context, run, options.wait);
    const serveClient = await chooseService(context, run, options, asked, program);
    const isBound = await bindServers(context, run, endpoints, options, {
      ...access,
      maxConnections: options.keepOpen ? options.maxConnections : placesForOne(options, asked),
      rejectOverflow: options.reject,
      onlyFirst: !options.keepOpen,
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
    context.fail(subjectOf(error, words.join(' ')), error);
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
