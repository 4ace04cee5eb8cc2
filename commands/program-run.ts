import { breakConnection, closeConnection, type Connection, formatRemote } from '../src/net/connection.ts';
import { formatEndpoint, type Endpoint } from '../src/address/endpoint.ts';
import type { ProgramEndpoint } from '../src/dial/local/program.ts';
import { describeConnection, protocolOf, type ConnectionFacts } from '../src/handlers/program/environment.ts';
import type { EndingReason } from '../src/flow/flow.ts';
import { Socket } from '../src/net/index.ts';
import { elapsedMs } from '../src/quantities.ts';
import type { Handler } from '../src/serve/service.ts';
import { idleError } from '../src/errors.ts';
import { CrlfIn, CrlfOut } from '../src/transform/crlf.ts';
import { subjectOf, type Context } from './context.ts';
import { exitStatus } from './output.ts';
import type { ExecFlags } from './options/exec.ts';
import type { TableFlags } from './options/row.ts';
import type { clients } from './options/table/clients.ts';
import type { lines } from './options/table/session.ts';
import type { tls } from './options/table/tls.ts';
import { recordOf, recordTransforms, type Recorder } from './options/recording.ts';
import { receivesCrlf, sendsCrlf, type SessionFlags } from './session-run.ts';
import { endingReason, type Interruption } from './signals.ts';

type ProgramFlags = ExecFlags &
  SessionFlags &
  Pick<TableFlags<typeof lines & typeof clients & typeof tls, 'listen'>, 'delay' | 'keepOpen' | 'tls'>;

/** Which program is run, and how. */
export interface ProgramJob {
  readonly context: Context;
  readonly program: ProgramEndpoint;
  readonly flags: ProgramFlags;
}

/** How a program and its connection ended. */
interface ProgramOutcome {
  readonly reason: EndingReason;
  readonly error?: Error | undefined;
  /** The program's own, or that of the error that broke the connection. */
  readonly status: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly close: () => void;
}

/** Runs a program for one connection until both are done. `signal` ends it. */
async function runForConnection(
  client: Connection,
  facts: ConnectionFacts,
  { context, program, flags }: ProgramJob,
  signal: AbortSignal,
): Promise<ProgramOutcome> {
  // A client that leaves while the program is being started must not be an uncaught error.
  client.on('error', () => undefined);
  const { startProgram } = await import('../src/dial/local/program.ts');
  const { runProgramSession } = await import('../src/handlers/program/program-session.ts');
  const idleMs = flags.idle;
  try {
    const environment = { ...describeConnection(client, facts), ...(await describeSecurity(client)) };
    const { input, output, exited, end } = await startProgram(program, environment);
    const ending = await runProgramSession({
      ...{ remote: client, input, output, exited, endProgram: end },
      ...{ idleMs, signal, quitMs: flags.quit, halfClose: flags.shutdown },
      ...{ sendOnly: flags.sendOnly, receiveOnly: flags.recvOnly },
      ...(await createTransforms(client, flags)),
    });
    const exit = await exited;
    context.reporter.emit({ event: 'program-ended', id: facts.id, ...exit });
    const { reason, sentBytes, receivedBytes } = ending;
    const error = reason === 'timeout' ? idleError(idleMs ?? 0) : ending.error;
    const status = error ? exitStatus(error) : exit.status;
    return { reason, error, status, sentBytes, receivedBytes, close: () => closeConnection(client, error) };
  } catch (cause) {
    const error = cause as Error;
    const nothing = { sentBytes: 0, receivedBytes: 0 };
    const close = () => breakConnection(client);
    return { reason: 'aborted', error, status: exitStatus(error), ...nothing, close };
  }
}

/** What the flags put between the program and the connection, with the recording next to the connection. */
async function createTransforms(client: Connection, flags: ProgramFlags) {
  const recorded = recordTransforms(client);
  const delay =
    flags.delay === undefined || flags.delay === 0
      ? []
      : [new (await import('../src/transform/lines.ts')).LineDelay(flags.delay)];
  return {
    sendTransforms: [...delay, ...(sendsCrlf(flags) ? [new CrlfOut()] : []), ...recorded.sendTransforms],
    receiveTransforms: [...recorded.receiveTransforms, ...(receivesCrlf(flags) ? [new CrlfIn()] : [])],
  };
}

async function describeSecurity(client: Connection): Promise<Record<string, string>> {
  const layer = client instanceof Socket ? client.secureLayer : undefined;
  return layer ? (await import('../src/handlers/program/tls-environment.ts')).describeTls(layer) : {};
}

/** What a server does besides running the program. */
export interface ProgramServer {
  readonly endpoint: Endpoint;
  readonly recorder: Recorder | undefined;
  /** Undefined: another process gets the signal to end, and the status to end with. */
  readonly interruption: Interruption | undefined;
  /** Called with each client. */
  readonly onClient?: (() => void) | undefined;
}

/** Serves clients with a program each. With -k its status is only reported; without, it is the command's. */
export function createProgramHandler(job: ProgramJob, server: ProgramServer): Handler {
  const { context, flags } = job;
  const { endpoint, recorder, interruption, onClient } = server;
  return async ({ client, greeting: { header }, listener, entry }) => {
    onClient?.();
    const { id } = entry;
    recorder?.open(client, { id, role: 'accepted', server: listener, header });
    const stop = new AbortController();
    entry.breakOff = () => stop.abort();
    // It ends in order: what has been read is delivered, and the program is asked to end.
    entry.endsInOrder = true;
    const facts = { id, protocol: protocolOf(endpoint, client, flags.tls), path: listener, header };
    const outcome = await runForConnection(client, facts, job, stop.signal);
    const { error, status, sentBytes, receivedBytes, close } = outcome;
    entry.moved = () => ({ sentBytes, receivedBytes });
    const reason = stop.signal.aborted ? cutReason(outcome.reason, interruption) : outcome.reason;
    recordOf(client)?.closed(reason);
    if (!flags.keepOpen && interruption?.status === undefined) context.exit(status);
    return { reason, error, close };
  };
}

function cutReason(reason: EndingReason, interruption: Interruption | undefined): EndingReason {
  if (interruption) return endingReason(reason, interruption);
  return reason === 'eof' ? 'aborted' : reason;
}

/** Joins an opened connection to a program, whose status is the command's. */
export async function runClientProgram(
  job: ProgramJob,
  server: Connection,
  endpoint: Endpoint,
  interruption: Interruption,
): Promise<void> {
  const { context, flags } = job;
  const startedAt = performance.now();
  const path = formatEndpoint(endpoint);
  const remote = formatRemote(server, path);
  const facts = { id: 1, protocol: protocolOf(endpoint, server, flags.tls), path };
  const outcome = await runForConnection(server, facts, job, interruption.signal);
  const { error, status, sentBytes, receivedBytes } = outcome;
  const reason = endingReason(outcome.reason, interruption);
  recordOf(server)?.closed(reason);
  if (error) context.reporter.fail(subjectOf(error, remote), error, 1);
  const durationMs = elapsedMs(startedAt);
  context.reporter.emit({ event: 'ended', id: 1, remote, reason, sentBytes, receivedBytes, durationMs });
  outcome.close();
  context.exit(interruption.status ?? status);
}
