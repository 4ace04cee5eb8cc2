import { Option, type Command } from 'commander';
import { dial, type DialOptions } from '../src/endpoint/dial.ts';
import type { Connection } from '../src/endpoint/connection.ts';
import { formatEndpoint, type Endpoint } from '../src/endpoint/endpoint.ts';
import type { ProgramEndpoint } from '../src/endpoint/program.ts';
import { parsePath, parsePort, parseWords } from '../src/endpoint/parse.ts';
import { formatLocal, formatRemote } from '../src/endpoint/serve.ts';
import { oneTarget, parseTargets } from '../src/endpoint/targets.ts';
import { errorCode, TnetError } from '../src/errors.ts';
import { exitCodes } from '../src/exit-codes.ts';
import { describeError } from '../src/report/sentences.ts';
import { splitAtSeparator, takeOptionalValuesAfterEquals } from './arguments.ts';
import { addCheckOptions, type CheckOptions } from './connect-check-options.ts';
import { addStepOptions, type StepOptions } from './connect-steps.ts';
import { addTerminalOptions, impliedTelnetMode, type TerminalFlags } from './connect-terminal-options.ts';
import type { Timing } from './connect-timing.ts';
import { addWaitOptions, isPatient } from './connect-wait-options.ts';
import { createContext, subjectOf, type Context } from './context.ts';
import {
  addUdpOption,
  addWaitReplyOption,
  applyUdp,
  checkWaitReply,
  refuseOverUdp,
  type DatagramFlags,
} from './datagram-options.ts';
import { addExecOptions, readProgram, type ExecFlags } from './exec-options.ts';
import { addOptions, addReportOptions } from './options.ts';
import { addProxyOptions, readProxies, type ProxyFlags } from './connect-proxy.ts';
import { addClientSecureOptions, type ClientSecureFlags } from './secure-options.ts';
import { readFamily } from './server-address.ts';
import { runStdioSession, type SessionFlags } from './session-run.ts';
import { catchInterruption, type Interruption, type RunLimit } from './signals.ts';

interface ConnectOptions
  extends
    CheckOptions,
    SessionFlags,
    StepOptions,
    TerminalFlags,
    DatagramFlags,
    ExecFlags,
    ClientSecureFlags,
    ProxyFlags {
  readonly unix?: string;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly numeric?: boolean;
  readonly source?: string;
  readonly sourcePort?: string;
  readonly timeout?: number;
  readonly timing?: boolean;
}

/** `tnet connect [options] ADDRESS`: nc's and telnet's client. */
export function defineConnect(command: Command): void {
  command.argument('[address...]', 'HOST PORT, HOST:PORT, [V6]:PORT, /path, unix:@name; with -z also many');
  addOptions(command, 'unix', 'ipv4', 'ipv6', 'numeric');
  addUdpOption(command);
  addWaitReplyOption(command);
  command
    .addOption(new Option('-s, --source <address>', 'connect from this address'))
    .addOption(new Option('-p, --source-port <port>', 'connect from this port'));
  addOptions(command, 'connectLimit', 'timeout');
  addWaitOptions(command);
  addCheckOptions(command);
  addOptions(command, 'idle', 'quit', 'halfClose', 'noShutdown');
  addOptions(command, 'receiveOnly', 'sendOnly', 'keepSending', 'crlf', 'crlfDirection');
  addExecOptions(command, 'waitReply');
  addClientSecureOptions(command);
  addProxyOptions(command);
  addTerminalOptions(command);
  addStepOptions(command);
  command.addOption(new Option('--timing', 'report how long each part took'));
  takeOptionalValuesAfterEquals(command, impliedTelnetMode);
  addReportOptions(command).action(runConnect);
}

async function runConnect(operands: string[], options: ConnectOptions, command: Command): Promise<void> {
  const context = createContext(command, options);
  const { words, commandLine } = splitAtSeparator(operands, command);
  const localPort = options.sourcePort === undefined ? undefined : parsePort(options.sourcePort);
  using interruption = catchInterruption(readRunLimit(context, options));
  const hasOwnLimit = command.getOptionValueSource('waitConnect') === 'cli';
  const timing = options.timing
    ? new (await import('./connect-timing.ts')).Timing(context.reporter)
    : undefined;
  const program = await readProgram(options);
  const call: Call = { context, options, localPort, hasOwnLimit, interruption, timing, program };
  if (wantsCheck(words, options, commandLine)) {
    await checkThenRun(call, words, commandLine);
    return;
  }
  const endpoint = applyUdp(readTarget(words, options), options);
  checkWaitReply(endpoint, options);
  refuseOverUdp(endpoint, isPatient(options) ? { ...options, retry: true } : options);
  const socket = await open(call, endpoint);
  if (socket) await converse(call, endpoint, socket);
  call.timing?.finished();
}

/** The session on an open connection. */
async function converse(call: Call, endpoint: Endpoint, socket: Connection): Promise<void> {
  const { context, options, interruption, timing, program } = call;
  const remote = formatRemote(socket, formatEndpoint(endpoint));
  const local = formatLocal(socket, formatEndpoint(endpoint));
  context.reporter.emit({ event: 'connected', id: 1, local, remote });
  timing?.connected(endpoint, remote);
  if (endpoint.kind === 'udp') {
    const { reportDatagrams } = await import('./datagram-report.ts');
    reportDatagrams(context, socket, remote);
  }
  if (program) {
    const { runClientProgram } = await import('./program-run.ts');
    await runClientProgram(context, program, socket, endpoint, options, interruption);
    return;
  }
  if (isPlain(options)) return runStdioSession(context, socket, remote, options, interruption);
  const { prepareSession } = await import('./connect-session.ts');
  const parts = await prepareSession({ context, socket, remote, options, interruption, timing });
  await runStdioSession(context, socket, remote, options, interruption, parts);
}

/** Whether nothing stands between stdin, stdout and the connection but what every session has. */
function isPlain({ telnet, raw, delay, expect, send, timing }: ConnectOptions): boolean {
  return ![telnet, raw, delay, expect, send, timing].some((flag) => flag !== undefined);
}

/** What every connection of a run is opened with. */
interface Call {
  readonly context: Context;
  readonly options: ConnectOptions;
  readonly localPort: number | undefined;
  /** Whether -w was given. */
  readonly hasOwnLimit: boolean;
  readonly interruption: Interruption;
  readonly timing: Timing | undefined;
  /** What -e or -c runs. */
  readonly program: ProgramEndpoint | undefined;
}

function readRunLimit(context: Context, { timeout }: ConnectOptions): RunLimit | undefined {
  if (timeout === undefined) return undefined;
  const onTimeout = () =>
    context.reporter.fail(`--timeout`, new TnetError('TNET_E_TIMEOUT', `the run took ${timeout} ms`));
  return { timeoutMs: timeout, onTimeout };
}

function readTarget(words: readonly string[], options: ConnectOptions): Endpoint {
  if (options.unix !== undefined) {
    if (words.length > 0) throw new TnetError('TNET_E_USAGE', 'name one address: as words or with -U');
    return parsePath(options.unix);
  }
  if (words.length === 0)
    throw new TnetError('TNET_E_USAGE', 'name an address to connect to: HOST PORT, or -U PATH');
  return parseWords(words);
}

/** What the connection goes through: proxies, a PROXY header, TLS. Files are read before any socket opens. */
async function readWay(context: Context, endpoint: Endpoint, options: ConnectOptions): Promise<DialOptions> {
  const { reporter } = context;
  const isSecure = options.tls || endpoint.kind === 'tls';
  return {
    proxies: readProxies(options),
    sendProxyHeader: options.sendProxy,
    onHop: (proxy, target) => reporter.emit({ event: 'proxied', proxy, target }),
    secure: isSecure
      ? (await import('./secure-run.ts')).readClientSecure(
          options,
          endpoint,
          formatEndpoint(endpoint),
          reporter,
        )
      : undefined,
  };
}

/** Whether no session follows: only a check, or a command after the addresses are there. */
function wantsCheck(
  words: readonly string[],
  options: ConnectOptions,
  commandLine: readonly string[] | undefined,
): boolean {
  if (options.check || commandLine !== undefined) return true;
  return isPatient(options) && words.length > 1 && parseTargets(words).count > 1;
}

async function checkThenRun(
  call: Call,
  words: readonly string[],
  commandLine: readonly string[] | undefined,
): Promise<void> {
  const { context, options, interruption, hasOwnLimit } = call;
  if (commandLine?.length === 0) throw new TnetError('TNET_E_USAGE', 'no command follows the --');
  const targets =
    options.unix === undefined && words.length > 0
      ? parseTargets(words)
      : oneTarget(readTarget(words, options));
  if (options.udp || words.some((word) => word.startsWith('udp://'))) {
    refuseOverUdp({ kind: 'udp', port: 0 }, { check: true });
  }
  const { runCheck } = await import('./connect-check.ts');
  const wantsAll = commandLine !== undefined || isPatient(options);
  const status = await runCheck({
    context,
    targets,
    options,
    wantsAll,
    hasOwnLimit,
    interruption,
    open: (endpoint, limits) => callOnce(call, endpoint, limits),
  });
  context.exit(status);
  if (status !== exitCodes.ok || commandLine === undefined) return;
  interruption[Symbol.dispose]();
  const { runThen } = await import('./connect-then.ts');
  await runThen(context, commandLine);
}

/** The connection, or undefined when there is none: then the failure is reported and the exit status set. */
async function open(call: Call, endpoint: Endpoint): Promise<Connection | undefined> {
  const { context, options, interruption, hasOwnLimit } = call;
  try {
    if (!isPatient(options)) return await callOnce(call, endpoint, { timeoutMs: options.waitConnect });
    const { waitForServer } = await import('./connect-wait.ts');
    return await waitForServer(context, endpoint, options, hasOwnLimit, interruption.signal, (timeoutMs) =>
      callOnce(call, endpoint, { timeoutMs }),
    );
  } catch (error) {
    if (interruption.status !== undefined) context.exit(interruption.status);
    else context.fail(subjectOf(error, formatEndpoint(endpoint)), error);
    return undefined;
  }
}

async function openConnection(endpoint: Endpoint, options: DialOptions): Promise<Connection> {
  if (endpoint.kind !== 'udp') return dial(endpoint, options);
  const { dialDatagram } = await import('../src/endpoint/dial-datagram.ts');
  return dialDatagram(endpoint, options);
}

/** One attempt to connect, at all addresses of the host. */
async function callOnce(
  { context, options, localPort, interruption, timing }: Call,
  endpoint: Endpoint,
  limits: Pick<DialOptions, 'timeoutMs' | 'lookup'>,
): Promise<Connection> {
  const { reporter } = context;
  // A check or a wait says of itself how each try ended.
  const isTold = options.verbose > 1 || !(options.check ?? isPatient(options));
  timing?.tryStarted();
  return openConnection(endpoint, {
    ...(await readWay(context, endpoint, options)),
    ...limits,
    family: readFamily(options),
    numericOnly: options.numeric,
    localAddress: options.source,
    localPort,
    signal: interruption.signal,
    onLookup: () => timing?.lookedUp(endpoint),
    onAttempt(address) {
      timing?.attemptStarted(address);
      if (isTold) reporter.emit({ event: 'attempt', address });
    },
    onAttemptFailed(address, error) {
      timing?.attemptFailed(address, error);
      if (!isTold) return;
      const code = errorCode(error) ?? 'ERROR';
      reporter.emit({ event: 'attempt-failed', address, code, message: describeError(error) });
    },
  });
}
