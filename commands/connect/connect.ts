import { type Connection, formatRemote, nameClient } from '../../src/net/connection.ts';
import { formatTargetEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { isIP } from '../../src/address/ip.ts';
import { findService } from '../../src/address/service-names.ts';
import { parsePath, parsePort, parseWords } from '../../src/address/parse.ts';
import { parseTargets } from '../../src/address/targets.ts';
import { errorCode, TnetError } from '../../src/errors.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import { readCount } from '../../src/quantities.ts';
import { splitAtSeparator } from '../options/arguments.ts';
import { connectLayout, type ConnectOptions, hasCondition, isPatient } from './options.ts';
import {
  hintAtHalfClose,
  checkSides,
  openConnection,
  readDialOptions,
  type ClientRun,
} from './dial-options.ts';
import { givenOptions, type Called, type CommandDefinition } from '../options/called.ts';
import { endOf, checkOptions, factsOf } from '../options/check.ts';
import type { Goals } from './goals.ts';
import type { Sources } from './send-files.ts';
import { createContext, type Context } from '../context.ts';
import { applyUdp } from '../options/server-address.ts';
import { readProgram } from '../options/exec.ts';
import { createRecorder } from '../options/recording.ts';
import { readRunLimit, catchInterruption, type Interruption } from '../signals.ts';
import { fitToEnd, isPlainSession, openStdio, runClientSession, type StdioEnding } from '../session-run.ts';
import { awaitStatus, hangUpOnAbort, localEndOf } from '../../src/net/local-end.ts';

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

async function runConnect(operands: string[], flags: ConnectOptions, command: Called): Promise<void> {
  const [options, given] = readCheckCount(flags, givenOptions(command));
  const context = createContext(command, options);
  const { words, commandLine } = splitAtSeparator(operands, command);
  const isCheck = wantsCheck(words, options, commandLine);
  const modes = {
    ...(commandLine && { then: 'a command after --' }),
    ...(isCheck && !options.check && !hasCondition(options) && { several: 'several addresses' }),
  };
  const asked = { given, modes };
  // A wrong option may be the reason why an address cannot be read.
  const datagram =
    options.udp && options.unix !== undefined
      ? 'unix-dgram'
      : options.udp === true || words.some((word) => word.startsWith('udp://'))
        ? 'udp'
        : undefined;
  checkOptions('connect', connectLayout, {
    ...asked,
    ...(datagram && { ends: { client: [endOf(datagram)] } }),
  });
  const goals = isCheck ? (await import('./goals.ts')).readGoals(words, options) : undefined;
  const targets = goals?.targets;
  const endpoint = targets ? undefined : applyUdp(readTarget(words, options), options);
  const kinds = Array.from(targets ?? [endpoint], (one) => one?.kind ?? '');
  checkOptions('connect', connectLayout, {
    ...asked,
    ends: { client: kinds.map(endOf) },
    facts: factsOf('client', kinds),
  });
  checkSides(targets ?? (endpoint ? [endpoint] : []), options);
  const program = await readProgram(options);
  const sources = options.sendFile && (await (await import('./send-files.ts')).readSources(options));
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
  const names = goals?.names;
  const run = { context, options, localPort, hasOwnLimit, interruption, timing, ...(names && { names }) };
  if (goals) await checkThenRun(run, goals, options, commandLine);
  if (!endpoint) return;
  const socket = await openConnection(run, endpoint);
  if (socket) {
    recorder?.open(socket, { id: 1, role: 'dialled', server: formatTargetEndpoint(endpoint) });
    const fitted = fitToEnd(endpoint, options);
    await converse(run, endpoint, socket, { options: fitted, program, sources });
  }
  await timing?.finished();
}

/** The session on an open connection. */
async function converse(
  { context, interruption, timing }: ClientRun,
  endpoint: Endpoint,
  socket: Connection,
  {
    options,
    program,
    sources,
  }: { options: ConnectOptions; program: Awaited<ReturnType<typeof readProgram>>; sources?: Sources },
): Promise<void> {
  const remote = formatRemote(socket, formatTargetEndpoint(endpoint));
  const local = nameClient(socket, endpoint);
  context.reporter.emit({ event: 'connected', id: 1, ...(local !== undefined && { local }), remote });
  timing?.connected(remote);
  if (endpoint.kind === 'udp' || endpoint.kind === 'unix-dgram' || endpoint.kind === 'unix-seqpacket') {
    const { watchDatagrams } = await import('../../src/serve/watch-datagrams.ts');
    watchDatagrams(socket, remote, { emit: (event) => context.reporter.emit(event) });
  }
  if (program) {
    const { runClientProgram } = await import('../program-run.ts');
    return runClientProgram({ context, program, flags: options }, socket, endpoint, interruption);
  }
  if (sources) {
    const { runSendFiles } = await import('./send-files.ts');
    return runSendFiles({ context, interruption }, { connection: socket, remote }, sources, options);
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
  if (endpoint.kind === 'exec' || endpoint.kind === 'pty')
    await takeStatus(context, socket, ending, interruption);
  if (ending.isUnanswered && !options.sendOnly) await hintAtHalfClose(context, options, endpoint);
}

/** A program's own exit status is the command's, unless its connection failed in another way than by its end. */
async function takeStatus(
  context: Context,
  program: Connection,
  { failure }: StdioEnding,
  { signal, status: interrupted }: Interruption,
): Promise<void> {
  hangUpOnAbort(program, signal);
  const exit = await localEndOf(program)?.exited;
  if (exit) context.reporter.emit({ event: 'program-ended', id: 1, ...exit });
  const status = await awaitStatus(program);
  if (interrupted !== undefined || status === 0) return;
  if (!failure || errorCode(failure) === 'TNET_E_UNSENT') context.exit(status);
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
  if (options.check || commandLine !== undefined || hasCondition(options)) return true;
  return isPatient(options) && words.length > 1 && parseTargets(words).count > 1;
}

/**
 * With -z, -c is a number: a check runs no program, and `-z -c 5` is what `echo --ping -c 5` is.
 *
 * @throws TnetError TNET_E_USAGE
 */
function readCheckCount(
  options: ConnectOptions,
  given: ReadonlySet<string>,
): readonly [ConnectOptions, ReadonlySet<string>] {
  const { check, shExec, ...rest } = options;
  if (!check || shExec === undefined) return [options, given];
  if (rest.count !== undefined)
    throw new TnetError('TNET_E_USAGE', 'with -z, -c and --count are the same: give one of them');
  const others = [...given].filter((name) => name !== 'shExec');
  return [{ ...rest, check, count: readTries(shExec) }, new Set([...others, 'count'])];
}

function readTries(word: string): number {
  try {
    return readCount(word, 1);
  } catch (error) {
    throw new TnetError('TNET_E_USAGE', `with -z it is a number of tries: ${(error as Error).message}`, {
      subject: '-c',
    });
  }
}

async function checkThenRun(
  run: ClientRun,
  goals: Goals,
  options: ConnectOptions,
  commandLine: readonly string[] | undefined,
): Promise<void> {
  const { context, interruption } = run;
  if (commandLine?.length === 0) throw new TnetError('TNET_E_USAGE', 'no command follows the --');
  const { runCheck } = await import('./check.ts');
  const { createLook, createProof } = await import('./look.ts');
  const statuses = new Map<Endpoint, number>();
  const status = await runCheck({
    context,
    goals,
    options,
    wantsAll: commandLine !== undefined || isPatient(options) || hasCondition(options),
    interruption,
    statuses,
    look: createLook(run, goals, options),
    readDialOptions: async (endpoint) => ({
      ...(await readDialOptions(run, endpoint)),
      prove: createProof(endpoint, { run, goals, options, statuses }),
    }),
  });
  context.exit(status);
  if (status !== exitCodes.ok || commandLine === undefined) return;
  interruption[Symbol.dispose]();
  const { runThen } = await import('./ready.ts');
  await runThen(context, commandLine);
}
