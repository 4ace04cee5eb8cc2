import { Option, type Command } from 'commander';
import { serve } from '../src/endpoint/serve.ts';
import { formatEndpoint } from '../src/endpoint/endpoint.ts';
import { TnetError } from '../src/errors.ts';
import { runSession, type SessionEnding } from '../src/flow/session.ts';
import type { Socket } from '../src/net/index.ts';
import { createContext, subjectOf, type Context, type ReportOptions } from './context.ts';
import { addOptions, addReportOptions } from './options.ts';
import {
  addAdmissionOptions,
  createAdmission,
  toPlainEndpoint,
  type AdmissionFlags,
} from './admission-options.ts';
import { addRecordingOptions, createRecorder, recordOf, type RecordingFlags } from './recording-options.ts';
import { addSocketOptions, readTuner, type SocketFlags } from './socket-options.ts';
import { readFamily, readServerAddress, type ServerAddressOptions } from './server-address.ts';
import {
  isReaderGone,
  recordedEnding,
  openStdio,
  sessionOptions,
  runStdioSession,
  type SessionFlags,
} from './session-run.ts';
import { ServerRun } from './server-run.ts';
import { parseTimeMs } from './values.ts';

interface ListenOptions
  extends ReportOptions, ServerAddressOptions, SessionFlags, AdmissionFlags, RecordingFlags, SocketFlags {
  readonly numeric?: boolean;
  readonly keepOpen?: boolean;
  readonly maxConnections?: number;
  readonly wait?: number;
}

/** `tnet listen [options] [ADDRESS]`: nc -l. */
export function defineListen(command: Command): void {
  command.argument('[address...]', 'PORT, HOST:PORT, HOST PORT, /path or unix:@name');
  addOptions(command, 'port', 'unix', 'ipv4', 'ipv6', 'numeric');
  command
    .addOption(new Option('-s, --source <address>', 'listen on this address'))
    .addOption(new Option('-k, --keep-open', 'go on listening; serve clients at the same time'));
  addOptions(command, 'maxConnections');
  command.addOption(
    new Option('-w, --wait <time>', 'limit for the first client to come').argParser(parseTimeMs),
  );
  addOptions(command, 'idle', 'quit', 'halfClose', 'noShutdown');
  addOptions(command, 'receiveOnly', 'sendOnly', 'keepSending', 'crlf');
  addAdmissionOptions(command);
  addRecordingOptions(command);
  addSocketOptions(command);
  addReportOptions(command).action(runListen);
}

async function runListen(words: string[], options: ListenOptions, command: Command): Promise<void> {
  const context = createContext(command, options);
  const endpoint = readServerAddress(words, options);
  const admission = await createAdmission(context, options, endpoint);
  const tune = await readTuner(options, endpoint);
  const recorder = await createRecorder(context, options);
  const run = new ServerRun(context, recorder);
  const firstClient = limitFirstClient(context, run, options.wait);
  const serveClient = options.keepOpen ? serveMany(context, run, options) : serveOne(context, run, options);
  try {
    const server = await serve(toPlainEndpoint(endpoint), {
      family: readFamily(options),
      numericOnly: options.numeric,
      maxConnections: options.keepOpen ? options.maxConnections : 1,
      onConnection(socket) {
        clearTimeout(firstClient);
        run.tune(socket, tune);
        admission(run, socket, serveClient);
      },
    });
    run.started(server);
  } catch (error) {
    clearTimeout(firstClient);
    context.fail(subjectOf(error, formatEndpoint(endpoint)), error);
  }
}

/** Without -k: the first client is the only one, and the session's end is the command's. */
function serveOne(context: Context, run: ServerRun, options: ListenOptions): (socket: Socket) => void {
  return (socket) => {
    run.stop();
    const { remote } = run.accepted(socket);
    void runStdioSession(context, socket, remote, options, run.interruption);
  };
}

/** With -k: every client's bytes go to stdout, and stdin goes to the first. */
function serveMany(context: Context, run: ServerRun, options: ListenOptions): (socket: Socket) => void {
  const { input, output } = openStdio(options);
  // The null device, which a shell gives to a command in the background, is no input whose end a client should see.
  let unclaimed = input?.kind === 'device' ? undefined : input;
  const serveClient = async (socket: Socket): Promise<void> => {
    const connection = run.accepted(socket);
    const claimed = unclaimed;
    unclaimed = undefined;
    const ending = await runSession(
      sessionOptions(socket, options, { input: claimed, output }, run.interruption.signal),
    );
    claimed?.close();
    recordOf(socket)?.closed(recordedEnding(ending));
    socket.destroy();
    const totals = { sentBytes: ending.sent?.bytes ?? 0, receivedBytes: ending.received.bytes };
    connection.ended(ending.side === 'output' ? { reason: 'aborted' } : ending, totals);
    if (ending.side === 'output') outputFailed(context, run, ending);
  };
  return (socket) => void serveClient(socket);
}

/** Nothing can be delivered any more: the server ends, quietly when it is stdout's reader that left. */
function outputFailed(context: Context, run: ServerRun, ending: SessionEnding): void {
  if (!isReaderGone(ending)) context.fail('stdout', ending.error);
  run.stop();
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
