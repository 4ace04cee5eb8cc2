import { type Connection, formatRemote, nameClient } from '../../src/net/connection.ts';
import { formatTargetEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { isIP } from '../../src/address/ip.ts';
import { findService } from '../../src/address/service-names.ts';
import { parsePath, parsePort, parseWords } from '../../src/address/parse.ts';
import { oneTarget, parseTargets, type Targets } from '../../src/address/targets.ts';
import { TnetError } from '../../src/errors.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import { splitAtSeparator } from '../options/arguments.ts';
import { connectLayout, type ConnectOptions, isPatient } from './options.ts';
import {
  hintAtHalfClose,
  checkSides,
  openConnection,
  readDialOptions,
  type ClientRun,
} from './dial-options.ts';
import { givenOptions, type Called, type CommandDefinition } from '../options/called.ts';
import { endOf, checkOptions, factsOf } from '../options/check.ts';
import { readSteps } from './dialogue.ts';
import type { runSteps } from './ready.ts';
import { createContext } from '../context.ts';
import { applyUdp } from '../options/server-address.ts';
import { readProgram } from '../options/exec.ts';
import { createRecorder } from '../options/recording.ts';
import { readRunLimit, catchInterruption } from '../signals.ts';
import { isPlainSession, openStdio, runClientSession } from '../session-run.ts';

/** `tnet connect [options] ADDRESS`: nc's and telnet's client. */
export const connectCommand: CommandDefinition = {
  help: {
    usage: '[options] HOST PORT | HOST:PORT | /path | tls://HOST:PORT',
    purpose: [
      'Connects to a server: standard input is sent, and what the server sends is',
      'written to standard output, to the last byte. What nc and telnet are used for.',
    ],
    examples: [
      [
        'send a request and print the answer',
        "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | tnet connect example.com 80",
      ],
      ['talk TLS, with the certificate checked and shown', 'tnet connect -v --tls example.com 443'],
      ['see which ports accept connections', 'tnet connect -zv example.com 22,80,443,8000-8010'],
    ],
    mostUsed: ['waitConnect', 'tls', 'check', 'udp', 'quit', 'verbose'],
  },
  operands: [['[address...]', 'HOST PORT, HOST:PORT, [V6]:PORT, /path, unix:@name; with -z also many']],
  layout: connectLayout,
  run: runConnect,
};

async function runConnect(operands: string[], options: ConnectOptions, command: Called): Promise<void> {
  const context = createContext(command, options);
  const { words, commandLine } = splitAtSeparator(operands, command);
  const isCheck = wantsCheck(words, options, commandLine);
  const modes = {
    ...(commandLine && { then: 'a command after --' }),
    ...(isCheck && !options.check && { several: 'several addresses' }),
  };
  const asked = { given: givenOptions(command), modes };
  // A wrong option may be the reason why an address cannot be read.
  const isDatagram = options.udp === true || words.some((word) => word.startsWith('udp://'));
  checkOptions('connect', connectLayout, {
    ...asked,
    ...(isDatagram && { ends: { client: [endOf('udp')] } }),
  });
  if (isCheck && isDatagram)
    throw new TnetError('TNET_E_USAGE', '-z and --wait check connections, and UDP has none');
  const targets = isCheck ? readTargets(words, options) : undefined;
  const endpoint = targets ? undefined : applyUdp(readTarget(words, options), options);
  const kinds = Array.from(targets ?? [endpoint], (one) => one?.kind ?? '');
  checkOptions('connect', connectLayout, {
    ...asked,
    ends: { client: kinds.map(endOf) },
    facts: factsOf('client', kinds),
  });
  checkSides(targets ?? (endpoint ? [endpoint] : []), options);
  const program = await readProgram(options);
  const localPort =
    options.sourcePort === undefined ? undefined : readSourcePort(options.sourcePort, endpoint);
  const hasOwnLimit = command.getOptionValueSource('waitConnect') === 'cli';
  const timing = options.timing ? new (await import('./timing.ts')).Timing(context.reporter) : undefined;
  using interruption = catchInterruption(readRunLimit(context, options));
  const recorder = await createRecorder(
    context,
    options,
    program || options.sendOnly ? undefined : "the peer's bytes",
  );
  const run = { context, options, localPort, hasOwnLimit, interruption, timing };
  if (targets) await checkThenRun(run, targets, options, commandLine);
  if (!endpoint) return;
  const socket = await openConnection(run, endpoint);
  if (socket) {
    recorder?.open(socket, { id: 1, role: 'dialled', server: formatTargetEndpoint(endpoint) });
    await converse(run, endpoint, socket, { options, program });
  }
  await timing?.finished();
}

/** The session on an open connection. */
async function converse(
  { context, interruption, timing }: ClientRun,
  endpoint: Endpoint,
  socket: Connection,
  { options, program }: { options: ConnectOptions; program: Awaited<ReturnType<typeof readProgram>> },
): Promise<void> {
  const remote = formatRemote(socket, formatTargetEndpoint(endpoint));
  const local = nameClient(socket, endpoint);
  context.reporter.emit({ event: 'connected', id: 1, ...(local !== undefined && { local }), remote });
  timing?.connected(remote);
  if (endpoint.kind === 'udp') {
    const { watchDatagrams } = await import('../../src/serve/datagram-listener.ts');
    watchDatagrams(socket, remote, { emit: (event) => context.reporter.emit(event) });
  }
  if (program) {
    const { runClientProgram } = await import('../program-run.ts');
    return runClientProgram({ context, program, flags: options }, socket, endpoint, interruption);
  }
  const stdio = openStdio(options);
  let prepared;
  if (!isPlainSession(options) || stdio.input?.kind === 'terminal') {
    const { prepareSession } = await import('./session.ts');
    const name = formatTargetEndpoint(endpoint);
    prepared = await prepareSession({ context, socket, remote, name, stdio, options, interruption, timing });
  }
  const session = { context, socket, id: 1, remote, flags: options, interruption, stdio, prepared };
  const ending = await runClientSession(session);
  if (ending.isUnanswered && !options.sendOnly) await hintAtHalfClose(context, options, endpoint);
}

function readSourcePort(text: string, endpoint: Endpoint | undefined): number {
  return parsePort(text, endpoint?.kind === 'udp' ? 'udp' : 'tcp');
}

function readTarget(words: readonly string[], options: ConnectOptions): Endpoint {
  if (options.unix !== undefined) {
    if (words.length > 0) throw new TnetError('TNET_E_USAGE', 'name one address: as words or with -U');
    return parsePath(options.unix);
  }
  if (words.length === 0)
    throw new TnetError('TNET_E_USAGE', 'name an address to connect to: HOST PORT, or -U PATH');
  return parseWords(addTelnetPort(words, options), options.udp ? 'udp' : 'tcp');
}

/** A host without a port gets telnet's: `-t HOST`. A word that is a port of this machine stays one. */
function addTelnetPort(words: readonly string[], { telnet }: ConnectOptions): readonly string[] {
  const [host = '', ...more] = words;
  const isHost = /^(?![\d]+$)[^:/@]+$/.test(host) || isIP(host) === 6;
  if (telnet === undefined || more.length > 0 || !isHost || host === '-') return words;
  return findService(host) === undefined ? [host, '23'] : words;
}

/** Whether no session follows: only a check, or a command once the addresses accept. */
function wantsCheck(
  words: readonly string[],
  options: ConnectOptions,
  commandLine: readonly string[] | undefined,
): boolean {
  if (options.check || commandLine !== undefined) return true;
  return isPatient(options) && words.length > 1 && parseTargets(words).count > 1;
}

/** @throws TnetError TNET_E_ADDRESS, TNET_E_USAGE */
function readTargets(words: readonly string[], options: ConnectOptions): Targets {
  if (options.unix === undefined && words.length > 0) return parseTargets(words);
  return oneTarget(readTarget(words, options));
}

async function checkThenRun(
  run: ClientRun,
  targets: Targets,
  options: ConnectOptions,
  commandLine: readonly string[] | undefined,
): Promise<void> {
  const { context, interruption } = run;
  if (commandLine?.length === 0) throw new TnetError('TNET_E_USAGE', 'no command follows the --');
  const { runCheck } = await import('./check.ts');
  const steps = readSteps(options);
  const status = await runCheck({
    context,
    targets,
    options,
    wantsAll: commandLine !== undefined || isPatient(options),
    interruption,
    readDialOptions: async (endpoint) => ({
      ...(await readDialOptions(run, endpoint)),
      // Without steps, a server that accepts is ready.
      prove:
        steps &&
        ((socket, timeoutMs) =>
          showReady(socket, { steps, options, timeoutMs, signal: interruption.signal })),
    }),
  });
  context.exit(status);
  if (status !== exitCodes.ok || commandLine === undefined) return;
  interruption[Symbol.dispose]();
  const { runThen } = await import('./ready.ts');
  await runThen(context, commandLine);
}

async function showReady(socket: Connection, how: Parameters<typeof runSteps>[1]): Promise<void> {
  const { runSteps } = await import('./ready.ts');
  await runSteps(socket, how);
}
