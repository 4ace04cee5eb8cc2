import type { ClientFile } from '../../src/handlers/rooms/client-file.ts';
import {
  breakConnection,
  closeConnection,
  cutDeliveryMs,
  resetConnection,
  type Connection,
} from '../../src/net/connection.ts';
import { HalfClosedClients } from '../../src/handlers/rooms/half-closed.ts';
import { createPlainRoom, type Room, type RoomOptions, type Seat } from '../../src/handlers/rooms/rooms.ts';
import { runSession, type SessionEnding } from '../../src/flow/session.ts';
import type { Context } from '../context.ts';
import type { ManyFlags } from './many-options.ts';
import type { ConnectionReport, ServerRun } from '../server-run.ts';
import { isReaderGone, openStdio, sessionOptions, type SessionFlags, type Stdio } from '../session-run.ts';

/** With -k: serves every client in a session of its own, in the room that the flags ask for. */
export async function serveMany(
  context: Context,
  run: ServerRun,
  flags: SessionFlags & ManyFlags & { readonly maxConnections?: number },
): Promise<(client: Connection) => Promise<void>> {
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
    const seat = room.join(id, remote, client);
    const overrun = watchOverrun(seat, client);
    const stop = new AbortController();
    const options = sessionOptions(client, flags, stdio, stop.signal);
    const label = createLabel?.(connection);
    const ending = await runSession({
      ...options,
      cutSignal: run.interruption.signal,
      input: seat.input,
      output: file?.stream ?? seat.output,
      receiveTransforms: [
        ...(options.receiveTransforms ?? []),
        ...seat.receiveTransforms,
        ...(label ? [label] : []),
      ],
      onReceived() {
        halfClosed.add(client, stop);
        seat.claim?.peerEnded();
        seat.clientEnded?.();
      },
      onSendingOn: () => context.reporter.emit({ event: 'sending-on', id, remote }),
    });
    const isCut = run.interruption.signal.aborted;
    const hasTakenNothing = seat.claim?.leave(ending.reason === 'reset') === true;
    halfClosed.delete(client);
    seat.leave();
    file?.stream.end();
    const totals = { sentBytes: ending.sent?.bytes ?? 0, receivedBytes: ending.receivedBytes };
    // Who only looked whether somebody listens may break off as it likes: nothing is lost.
    const hasOnlyLooked = hasTakenNothing && ending.receivedBytes === 0;
    if (hasOnlyLooked) connection.ended({ reason: ending.reason }, { ...totals, sentBytes: 0 });
    else if (overrun.error) connection.ended({ reason: 'limit', error: overrun.error }, totals);
    else connection.ended(ending.side === 'output' || isCut ? { reason: 'aborted' } : ending, totals);
    if (isCut) return resetConnection(client, cutDeliveryMs);
    if (ending.side !== 'output') {
      closeConnection(client, overrun.error ?? ending.error);
      return;
    }
    // What was sent to a reader that has everything is delivered.
    if (ending.isCut) breakConnection(client);
    else closeConnection(client);
    if (file) context.fail(file.path, ending.error);
    else outputFailed(context, run, ending, stdio);
  }

  let served = 0;
  // A server that could not be bound, or that nobody came to in time, does not wait for the end of its input.
  const closeInput = () => {
    if (served === 0 && !stdio.input?.stream.destroyed) stdio.input?.close();
  };
  run.stopping.addEventListener('abort', closeInput, { once: true });
  return (client) => {
    served++;
    return serve(client, run.accepted(client)).finally(() => served--);
  };
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
  const [{ LineLabel }, { escapeText }] = await Promise.all([
    import('../../src/transform/lines.ts'),
    import('../../src/transform/escape-controls.ts'),
  ]);
  return ({ id, remote }: ConnectionReport) => new LineLabel(`[${id} ${escapeText(remote)}] `);
}

async function openOutputs({ outputDir }: ManyFlags) {
  if (outputDir === undefined) return undefined;
  const { createClientFile } = await import('../../src/handlers/rooms/client-file.ts');
  return (id: number, client: Connection) => createClientFile(outputDir, id, client);
}

async function openRoom(
  context: Context,
  flags: ManyFlags,
  { input, output }: Stdio,
  signal: AbortSignal,
): Promise<Room> {
  const ends = { input: input?.stream, output: output?.stream };
  if (!flags.broadcast && !flags.broker && !flags.chat)
    return createPlainRoom(ends, signal, () => input?.close());
  const options: RoomOptions = {
    ...ends,
    signal,
    onInputEnded({ error }) {
      if (error) context.fail('stdin', error);
      input?.close();
    },
  };
  const rooms = await import('../../src/handlers/rooms/rooms.ts');
  if (flags.broadcast) return rooms.createBroadcastRoom(options);
  return flags.broker ? rooms.createBrokerRoom(options) : rooms.createChatRoom(options);
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
function outputFailed(context: Context, run: ServerRun, ending: SessionEnding, { input }: Stdio): void {
  if (!isReaderGone(ending)) context.fail('stdout', ending.error);
  run.stop();
  if (!input?.stream.destroyed) input?.close();
}
