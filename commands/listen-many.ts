import { accessSync, constants, mkdirSync } from 'node:fs';
import { Option, type Command } from 'commander';
import type { ClientFile } from '../src/endpoint/client-file.ts';
import { breakConnection, type Connection } from '../src/endpoint/connection.ts';
import { errorCode, TnetError } from '../src/errors.ts';
import type { Room, RoomOptions, Seat } from '../src/flow/rooms.ts';
import { runSession, type SessionEnding } from '../src/flow/session.ts';
import { Socket } from '../src/net/index.ts';
import { releasePlace } from '../src/net/places.ts';
import type { Context } from './context.ts';
import type { ConnectionReport, ServerRun } from './server-run.ts';
import { isReaderGone, openStdio, sessionOptions, type SessionFlags, type Stdio } from './session-run.ts';

/** The flags of listen for many clients at once. */
export interface ManyFlags {
  readonly broadcast?: boolean;
  readonly chat?: boolean;
  readonly broker?: boolean;
  readonly label?: boolean;
  readonly outputDir?: string;
}

export function addManyOptions(command: Command): Command {
  const stdoutFlags = ['chat', 'broker'];
  return command
    .addOption(
      new Option('--broadcast', 'send stdin to every client (implies -k)')
        .implies({ keepOpen: true })
        .conflicts(['chat', 'broker', 'recvOnly']),
    )
    .addOption(
      new Option('--broker', "send each client's bytes and stdin to all the others (implies -k)")
        .implies({ keepOpen: true })
        .conflicts(['chat', 'sendOnly']),
    )
    .addOption(
      new Option('--chat', 'as --broker, by lines with <user N> before each (implies -k)')
        .implies({ keepOpen: true })
        .conflicts(['broker', 'sendOnly']),
    )
    .addOption(new Option('--label', 'put the client before each line on stdout').conflicts(stdoutFlags))
    .addOption(
      new Option('--output-dir <dir>', "write each client's bytes to a file of its own").conflicts([
        ...stdoutFlags,
        'label',
        'sendOnly',
      ]),
    );
}

/**
 * Makes sure that files can be created in --output-dir, which is created if need be.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function prepareOutputDir({ outputDir }: ManyFlags): void {
  if (outputDir === undefined) return;
  try {
    mkdirSync(outputDir, { recursive: true });
    accessSync(outputDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    const message = `no files can be created there (${errorCode(error) ?? 'ERROR'})`;
    throw new TnetError('TNET_E_USAGE', message, { subject: outputDir, cause: error });
  }
}

/** With -k: serves every client in a session of its own, in the room that the flags ask for. */
export async function serveMany(
  context: Context,
  run: ServerRun,
  flags: SessionFlags & ManyFlags & { readonly maxConnections?: number },
): Promise<(client: Connection) => void> {
  const stdio = openStdio(flags, { isServer: true });
  const room = await openRoom(context, flags, stdio, run.interruption.signal);
  const createOutput = await openOutputs(flags);
  const createLabel = await loadLabel(flags);
  const halfClosed = new HalfClosedClients(flags.maxConnections);

  async function serve(client: Connection, connection: ConnectionReport): Promise<void> {
    const { id, remote } = connection;
    let file: ClientFile | undefined;
    try {
      file = createOutput?.(id, client);
    } catch (error) {
      refuse(context, client, connection, error);
      return;
    }
    const seat = room.join(id, remote);
    const overrun = watchOverrun(seat, client);
    const stop = new AbortController();
    const signal = AbortSignal.any([run.interruption.signal, stop.signal]);
    const options = sessionOptions(client, flags, stdio, signal);
    const label = createLabel?.(connection);
    const ending = await runSession({
      ...options,
      input: seat.input,
      output: file?.stream ?? seat.output,
      receiveTransforms: [
        ...(options.receiveTransforms ?? []),
        ...seat.receiveTransforms,
        ...(label ? [label] : []),
      ],
      onReceived() {
        halfClosed.add(client, stop);
        seat.clientEnded?.();
      },
      onSendingOn: () => context.reporter.emit({ event: 'sending-on', id, remote }),
    });
    halfClosed.delete(client);
    seat.leave();
    file?.stream.end();
    const totals = { sentBytes: ending.sent?.bytes ?? 0, receivedBytes: ending.receivedBytes };
    if (overrun.error) connection.ended({ reason: 'limit', error: overrun.error }, totals);
    else connection.ended(ending.side === 'output' ? { reason: 'aborted' } : ending, totals);
    if (ending.side !== 'output') {
      client.destroy();
      return;
    }
    breakConnection(client);
    if (file) context.fail(file.path, ending.error);
    else outputFailed(context, run, ending);
  }

  return (client) => void serve(client, run.accepted(client));
}

/**
 * Clients that have ended their side. They may only have half-closed, and are sent to as long as they are there; or
 * have left. Their places are for the next ones, but no more than `most` are kept beside those: the oldest has to go.
 */
class HalfClosedClients {
  readonly #most: number;
  readonly #clients = new Map<Connection, AbortController>();

  constructor(most = Infinity) {
    this.#most = most;
  }

  add(client: Connection, stop: AbortController): void {
    if (client instanceof Socket) releasePlace(client);
    this.#clients.set(client, stop);
    const [oldest] = this.#clients.values();
    if (this.#clients.size > this.#most) oldest?.abort();
  }

  delete(client: Connection): void {
    this.#clients.delete(client);
  }
}

/** Nothing that the client sends could be kept: it must not take a clean end for a delivery. */
function refuse(context: Context, client: Connection, connection: ConnectionReport, error: unknown): void {
  client.on('error', () => undefined);
  context.fail((error as NodeJS.ErrnoException).path ?? connection.remote, error);
  connection.ended({ reason: 'aborted' }, { sentBytes: 0, receivedBytes: 0 });
  breakConnection(client);
}

async function loadLabel({ label }: ManyFlags) {
  if (!label) return undefined;
  const { LineLabel } = await import('../src/transform/line-label.ts');
  return ({ id, remote }: ConnectionReport) => new LineLabel(`[${id} ${remote}] `);
}

async function openOutputs({ outputDir }: ManyFlags) {
  if (outputDir === undefined) return undefined;
  const { createClientFile } = await import('../src/endpoint/client-file.ts');
  return (id: number, client: Connection) => createClientFile(outputDir, id, client);
}

async function openRoom(
  context: Context,
  flags: ManyFlags,
  { input, output }: Stdio,
  signal: AbortSignal,
): Promise<Room> {
  const ends = { input: input?.stream, output: output?.stream };
  if (!flags.broadcast && !flags.broker && !flags.chat) return createPlainRoom(ends, () => input?.close());
  const options: RoomOptions = {
    ...ends,
    signal,
    onInputEnded({ error }) {
      if (error) context.fail('stdin', error);
      input?.close();
    },
  };
  const rooms = await import('../src/flow/rooms.ts');
  if (flags.broadcast) return rooms.createBroadcastRoom(options);
  return flags.broker ? rooms.createBrokerRoom(options) : rooms.createChatRoom(options);
}

/** The first client gets the input; the output gets what comes from all of them. */
function createPlainRoom(ends: Pick<Seat, 'input' | 'output'>, closeInput: () => void): Room {
  let unclaimed = ends.input;
  return {
    join() {
      const input = unclaimed;
      unclaimed = undefined;
      const leave = () => (input ? closeInput() : undefined);
      return { input, output: ends.output, receiveTransforms: [], leave };
    },
  };
}

/** A client that is too slow for the others is broken off: waiting for it to take the rest is what must not be. */
function watchOverrun({ branch }: Seat, client: Connection): { error?: Error } {
  const overrun: { error?: Error } = {};
  branch?.once('error', (error: Error) => {
    overrun.error = error;
    breakConnection(client);
  });
  return overrun;
}

/** Nothing can be delivered any more: the server ends, quietly when it is stdout's reader that left. */
function outputFailed(context: Context, run: ServerRun, ending: SessionEnding): void {
  if (!isReaderGone(ending)) context.fail('stdout', ending.error);
  run.stop();
}
