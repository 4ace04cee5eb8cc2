import {
  breakConnection,
  closeConnection,
  type Connection,
  presentedAddresses,
} from '../src/net/connection.ts';
import { unmapAddress } from '../src/address/address.ts';
import { formatEndpoint, type Endpoint } from '../src/address/endpoint.ts';
import type { ProgramEndpoint } from '../src/handlers/program/program.ts';
import { formatRemote } from '../src/serve/serve.ts';
import { TnetError } from '../src/errors.ts';
import { CrlfIn, CrlfOut } from '../src/transform/crlf.ts';
import { subjectOf, type Context } from './context.ts';
import { exitStatus } from './exit-status.ts';
import type { ExecFlags } from './options/exec.ts';
import type { TableFlags } from './options/row.ts';
import type { clients } from './options/table/clients.ts';
import type { lines } from './options/table/session.ts';
import type { tls } from './options/table/tls.ts';
import { recordOf, recordTransforms } from './options/recording.ts';
import { receivesCrlf, sendsCrlf, type SessionFlags } from './session-run.ts';
import { elapsedMs, type ConnectionReport, type ServerRun } from './server-run.ts';
import { endingReason, type Interruption } from './signals.ts';

type ProgramFlags = ExecFlags &
  SessionFlags &
  Pick<TableFlags<typeof lines & typeof clients & typeof tls, 'listen'>, 'delay' | 'keepOpen' | 'tls'>;

/** What a connection is called in the program's environment. */
export interface ConnectionFacts {
  readonly id: number;
  readonly protocol: string;
  /** Where there is no address: the Unix path. */
  readonly path: string;
}

/** Runs a program for one connection until both are done, and reports it. Gives the exit status for it: the program's own,
 * or that of what broke the connection. */
export async function serveProgram(
  context: Context,
  program: ProgramEndpoint,
  client: Connection,
  report: Pick<ConnectionReport, 'ended'>,
  facts: ConnectionFacts,
  flags: ProgramFlags,
  interruption: Interruption,
): Promise<number> {
  // A client that leaves while the program is being started must not be an uncaught error.
  client.on('error', () => undefined);
  const { startProgram } = await import('../src/handlers/program/program.ts');
  const { runProgramSession } = await import('../src/handlers/program/program-session.ts');
  const idleMs = flags.idle;
  try {
    const { input, output, exited, end } = await startProgram(program, describeConnection(client, facts));
    const { signal } = interruption;
    const ending = await runProgramSession({
      ...{ remote: client, input, output, exited, endProgram: end },
      ...{ idleMs, signal, quitMs: flags.quit, halfClose: flags.shutdown },
      ...{ sendOnly: flags.sendOnly, receiveOnly: flags.recvOnly },
      ...(await createTransforms(client, flags)),
    });
    const exit = await exited;
    context.reporter.emit({ event: 'program-ended', id: facts.id, ...exit });
    const error =
      ending.reason === 'timeout'
        ? new TnetError('TNET_E_TIMEOUT', `no byte in either direction for ${idleMs ?? 0} ms`)
        : ending.error;
    const { sentBytes, receivedBytes } = ending;
    report.ended({ reason: ending.reason, error }, { sentBytes, receivedBytes });
    closeConnection(client, error);
    return error ? exitStatus(error) : exit.status;
  } catch (error) {
    report.ended({ reason: 'aborted', error: error as Error }, { sentBytes: 0, receivedBytes: 0 });
    breakConnection(client);
    return exitStatus(error);
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

function describeConnection(client: Connection, facts: ConnectionFacts): Record<string, string> {
  const unmap = (address: string | undefined) => unmapAddress(address ?? facts.path);
  // Behind a proxy the client is who the PROXY header says it is.
  const presented = presentedAddresses(client);
  const port = (number: number | undefined) => (number === undefined ? '' : String(number));
  return {
    TNET_REMOTE_ADDR: presented?.remoteHost ?? unmap(client.remoteAddress),
    TNET_REMOTE_PORT: port(presented?.remotePort ?? client.remotePort),
    TNET_LOCAL_ADDR: unmap(client.localAddress),
    TNET_LOCAL_PORT: port(client.localPort),
    TNET_PROTO: facts.protocol,
    TNET_CONNECTION_ID: String(facts.id),
  };
}

/** `tcp`, `udp`, `unix` or `tls`, for TNET_PROTO. */
function protocolOf(endpoint: Endpoint, client: Connection, { tls }: ProgramFlags): string {
  if (tls) return 'tls';
  if (endpoint.kind !== 'fd') return endpoint.kind;
  return client.remoteAddress === undefined ? 'unix' : 'tcp';
}

/** Serves a client with a program. With -k its status is only reported; without, it is the command's. */
export async function runServerProgram(
  context: Context,
  run: ServerRun,
  program: ProgramEndpoint,
  client: Connection,
  endpoint: Endpoint,
  flags: ProgramFlags,
): Promise<void> {
  const report = run.accepted(client);
  const facts = { id: report.id, protocol: protocolOf(endpoint, client, flags), path: run.address };
  const status = await serveProgram(context, program, client, report, facts, flags, run.interruption);
  if (!flags.keepOpen && run.interruption.status === undefined) context.exit(status);
}

/** Joins an opened connection to a program, whose status is the command's. */
export async function runClientProgram(
  context: Context,
  program: ProgramEndpoint,
  server: Connection,
  endpoint: Endpoint,
  flags: ProgramFlags,
  interruption: Interruption,
): Promise<void> {
  const startedAt = performance.now();
  const name = formatEndpoint(endpoint);
  const remote = formatRemote(server, name);
  const report: Pick<ConnectionReport, 'ended'> = {
    ended(ending, { sentBytes, receivedBytes }) {
      const reason = endingReason(ending.reason, interruption);
      const { error } = ending;
      recordOf(server)?.closed(reason);
      if (error) context.reporter.fail(subjectOf(error, remote), error, 1);
      const durationMs = elapsedMs(startedAt);
      context.reporter.emit({ event: 'ended', id: 1, remote, reason, sentBytes, receivedBytes, durationMs });
    },
  };
  const facts = { id: 1, protocol: protocolOf(endpoint, server, flags), path: name };
  const status = await serveProgram(context, program, server, report, facts, flags, interruption);
  context.exit(interruption.status ?? status);
}
