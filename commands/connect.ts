import { Option, type Command } from 'commander';
import { dial, type DialOptions } from '../src/endpoint/dial.ts';
import type { Connection } from '../src/endpoint/connection.ts';
import { formatEndpoint, type Endpoint } from '../src/endpoint/endpoint.ts';
import { parsePath, parsePort, parseWords } from '../src/endpoint/parse.ts';
import { formatLocal, formatRemote } from '../src/endpoint/serve.ts';
import { errorCode, TnetError } from '../src/errors.ts';
import { describeError } from '../src/report/sentences.ts';
import { createContext, subjectOf, type Context, type ReportOptions } from './context.ts';
import {
  addUdpOption,
  addWaitReplyOption,
  applyUdp,
  checkWaitReply,
  type DatagramFlags,
} from './datagram-options.ts';
import { addExecOptions, readProgram, type ExecFlags } from './exec-options.ts';
import { addOptions, addReportOptions } from './options.ts';
import { addProxyOptions, readProxies, type ProxyFlags } from './connect-proxy.ts';
import { addRecordingOptions, createRecorder, type RecordingFlags } from './recording-options.ts';
import { addClientSecureOptions, type ClientSecureFlags } from './secure-options.ts';
import { addSocketOptions, readTuner, type SocketFlags } from './socket-options.ts';
import { readFamily } from './server-address.ts';
import { runStdioSession, type SessionFlags } from './session-run.ts';
import { catchInterruption, type Interruption } from './signals.ts';

interface ConnectOptions
  extends
    ReportOptions,
    SessionFlags,
    DatagramFlags,
    ExecFlags,
    ClientSecureFlags,
    ProxyFlags,
    RecordingFlags,
    SocketFlags {
  readonly unix?: string;
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly numeric?: boolean;
  readonly source?: string;
  readonly sourcePort?: string;
  readonly waitConnect: number;
}

/** `tnet connect [options] ADDRESS`: nc's and telnet's client. */
export function defineConnect(command: Command): void {
  command.argument('[address...]', 'HOST PORT, HOST:PORT, [V6]:PORT, /path, unix:@name');
  addOptions(command, 'unix', 'ipv4', 'ipv6', 'numeric');
  addUdpOption(command);
  addWaitReplyOption(command);
  command
    .addOption(new Option('-s, --source <address>', 'connect from this address'))
    .addOption(new Option('-p, --source-port <port>', 'connect from this port'));
  addOptions(command, 'connectLimit', 'idle', 'quit', 'halfClose', 'noShutdown');
  addOptions(command, 'receiveOnly', 'sendOnly', 'keepSending', 'crlf');
  addExecOptions(command, 'waitReply');
  addClientSecureOptions(command);
  addProxyOptions(command);
  addRecordingOptions(command);
  addSocketOptions(command);
  addReportOptions(command).action(runConnect);
}

async function runConnect(words: string[], options: ConnectOptions, command: Command): Promise<void> {
  const context = createContext(command, options);
  const endpoint = applyUdp(readTarget(words, options), options);
  const program = await readProgram(options);
  checkWaitReply(endpoint, options);
  const localPort = options.sourcePort === undefined ? undefined : parsePort(options.sourcePort);
  const way = await readWay(context, endpoint, options);
  const recorder = await createRecorder(context, options);
  using interruption = catchInterruption();
  const socket = await open(context, endpoint, options, { ...way, localPort }, interruption);
  if (!socket) return;
  const remote = formatRemote(socket, formatEndpoint(endpoint));
  const local = formatLocal(socket, formatEndpoint(endpoint));
  recorder?.open(socket, 1, 'dialled', formatEndpoint(endpoint));
  context.reporter.emit({ event: 'connected', id: 1, local, remote });
  if (endpoint.kind === 'udp') {
    const { reportDatagrams } = await import('./datagram-report.ts');
    reportDatagrams(context, socket, remote);
  }
  if (program) {
    const { runClientProgram } = await import('./program-run.ts');
    await runClientProgram(context, program, socket, endpoint, options, interruption);
  } else await runStdioSession(context, socket, remote, options, interruption);
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
    tune: await readTuner(options, [endpoint]),
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

/** The connection, or undefined when there is none: then the failure is reported and the exit status set. */
async function open(
  context: Context,
  endpoint: Endpoint,
  options: ConnectOptions,
  way: DialOptions,
  interruption: Interruption,
): Promise<Connection | undefined> {
  const { reporter } = context;
  try {
    return await openConnection(endpoint, {
      ...way,
      family: readFamily(options),
      numericOnly: options.numeric,
      localAddress: options.source,
      timeoutMs: options.waitConnect,
      signal: interruption.signal,
      onAttempt: (address) => reporter.emit({ event: 'attempt', address }),
      onAttemptFailed(address, error) {
        const code = errorCode(error) ?? 'ERROR';
        reporter.emit({ event: 'attempt-failed', address, code, message: describeError(error) });
      },
    });
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
