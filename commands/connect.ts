import { Option, type Command } from 'commander';
import { dial } from '../src/endpoint/dial.ts';
import { formatEndpoint, type Endpoint } from '../src/endpoint/endpoint.ts';
import { parsePath, parsePort, parseWords } from '../src/endpoint/parse.ts';
import { formatLocal, formatRemote } from '../src/endpoint/serve.ts';
import { errorCode, TnetError } from '../src/errors.ts';
import type { Socket } from '../src/net/index.ts';
import { describeError } from '../src/report/sentences.ts';
import { createContext, subjectOf, type Context, type ReportOptions } from './context.ts';
import { addOptions, addReportOptions } from './options.ts';
import { readFamily } from './server-address.ts';
import { runStdioSession, type SessionFlags } from './session-run.ts';
import { catchInterruption, type Interruption } from './signals.ts';

interface ConnectOptions extends ReportOptions, SessionFlags {
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
  command
    .addOption(new Option('-s, --source <address>', 'connect from this address'))
    .addOption(new Option('-p, --source-port <port>', 'connect from this port'));
  addOptions(command, 'connectLimit', 'idle', 'quit', 'halfClose', 'noShutdown');
  addOptions(command, 'receiveOnly', 'sendOnly', 'keepSending', 'crlf');
  addReportOptions(command).action(runConnect);
}

async function runConnect(words: string[], options: ConnectOptions, command: Command): Promise<void> {
  const context = createContext(command, options);
  const endpoint = readTarget(words, options);
  const localPort = options.sourcePort === undefined ? undefined : parsePort(options.sourcePort);
  using interruption = catchInterruption();
  const socket = await open(context, endpoint, options, localPort, interruption);
  if (!socket) return;
  const remote = formatRemote(socket, formatEndpoint(endpoint));
  const local = formatLocal(socket, formatEndpoint(endpoint));
  context.reporter.emit({ event: 'connected', id: 1, local, remote });
  await runStdioSession(context, socket, remote, options, interruption);
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

/** The connection, or undefined when there is none: then the failure is reported and the exit status set. */
async function open(
  context: Context,
  endpoint: Endpoint,
  options: ConnectOptions,
  localPort: number | undefined,
  interruption: Interruption,
): Promise<Socket | undefined> {
  const { reporter } = context;
  try {
    return await dial(endpoint, {
      family: readFamily(options),
      numericOnly: options.numeric,
      localAddress: options.source,
      localPort,
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
