import type { ClientFile } from '../../src/handlers/rooms/client-file.ts';
import {
  breakConnection,
  closeConnection,
  cutDeliveryMs,
  resetConnection,
  type Connection,
} from '../../src/net/connection.ts';
import {
  createPlainRoom,
  HalfClosedClients,
  type Room,
  type RoomOptions,
  type Seat,
} from '../../src/handlers/rooms/rooms.ts';
import { nameSource } from '../../src/serve/greeting/greeting.ts';
import type { ConnectionEnding } from '../../src/serve/ledger.ts';
import type { Greeted, Handler, HandlerEnding } from '../../src/serve/service.ts';
import { runSession, type SessionEnding } from '../../src/flow/session.ts';
import type { Context } from '../context.ts';
import type { ManyFlags } from './options.ts';
import { recordOf, type Recorder } from '../options/recording.ts';
import type { ServerRun } from '../server-run.ts';
import { isReaderGone, openStdio, sessionOptions, type StreamFlags, type Stdio } from '../session-run.ts';

/**
 * With -k: serves every client in a session of its own, in the room that the flags ask for. Everything else is the
 * server's work.
 */
export async function createRoomHandler(
  context: Context,
  run: ServerRun,
  flags: StreamFlags & ManyFlags & { readonly maxConnections?: number },
  { recorder, name }: { readonly recorder: Recorder | undefined; readonly name: string },
): Promise<Handler> {
  const stdio = await openTypedStdio(context, run, flags, name);
  const room = await openRoom(context, flags, stdio, run);
  const createOutput = await openOutputs(flags);
  const createLabel = await loadLabel(flags);
  const halfClosed = new HalfClosedClients(flags.maxConnections);

  async function serve({ client, greeting: { header }, listener, entry }: Greeted): Promise<HandlerEnding> {
    const { id, remote } = entry;
    const name = nameSource(header, remote);
    recorder?.open(client, { id, role: 'accepted', server: listener, header });
    let file: ClientFile | undefined;
    try {
      file = createOutput?.(id, client);
    } catch (error) {
      return refuse(context, client, remote, error);
    }
    const seat = room.join(id, name, client);
    const overrun = watchOverrun(seat, client);
    const [stop, cut] = [new AbortController(), new AbortController()];
    entry.breakOff = () => cut.abort();
    const options = sessionOptions(client, flags, stdio, stop.signal);
    const label = createLabel?.(id, name);
    const ending = await runSession({
      ...options,
      cutSignal: cut.signal,
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
    const isCut = cut.signal.aborted;
    const hasTakenNothing = seat.claim?.leave(ending.reason === 'reset') === true;
    halfClosed.delete(client);
    seat.leave();
    file?.stream.end();
    // A client that only checked whether a server listens may break off at any time: nothing is lost.
    const hasOnlyLooked = hasTakenNothing && ending.receivedBytes === 0;
    const sentBytes = hasOnlyLooked ? 0 : (ending.sent?.bytes ?? 0);
    entry.moved = () => ({ sentBytes, receivedBytes: ending.receivedBytes });
    const { reason, error } = describe(ending, { hasOnlyLooked, overrun: overrun.error, isCut });
    recordOf(client)?.closed(reason);
    async function close() {
      if (isCut) {
        await resetConnection(client, cutDeliveryMs);
        return;
      }
      if (ending.side !== 'output') {
        closeConnection(client, overrun.error ?? ending.error);
        return;
      }
      // What was sent to a reader that has everything counts as delivered.
      if (ending.isCut) breakConnection(client);
      else closeConnection(client);
      if (file) context.fail(file.path, ending.error);
      else outputFailed(context, run, ending, stdio);
    }
    return { reason, error, close, failed: isCut };
  }

  let served = 0;
  // A server that could not be bound, or that had no client in time, does not wait for the end of its input.
  const closeInput = () => {
    if (served === 0 && !stdio.input?.stream.destroyed) stdio.input?.close();
  };
  run.stopping.addEventListener('abort', closeInput, { once: true });
  return (greeted) => {
    served++;
    return serve(greeted).finally(() => served--);
  };
}

/** What is typed at a terminal is edited here: what clients send must not tear the line. */
async function openTypedStdio(
  context: Context,
  { interruption }: ServerRun,
  flags: StreamFlags,
  name: string,
): Promise<Stdio> {
  const stdio = openStdio(flags, { isServer: true });
  if (stdio.input?.kind !== 'terminal') return stdio;
  const { editInput } = await import('../connect/typed-lines.ts');
  return editInput({ context, stdio, flags, name }, interruption.signal);
}

/** How a session's end is reported: a local end, or ours, is not the client's. */
function describe(
  { reason, error, side }: SessionEnding,
  { hasOnlyLooked, overrun, isCut }: { hasOnlyLooked: boolean; overrun: Error | undefined; isCut: boolean },
): ConnectionEnding {
  if (hasOnlyLooked) return { reason };
  if (overrun) return { reason: 'limit', error: overrun };
  return side === 'output' || isCut ? { reason: 'aborted' } : { reason, error };
}

/** Nothing that the client sends could be kept: it must not mistake a clean end for delivery. */
function refuse(context: Context, client: Connection, remote: string, error: unknown): HandlerEnding {
  client.on('error', () => undefined);
  context.fail((error as NodeJS.ErrnoException).path ?? remote, error);
  recordOf(client)?.closed('aborted');
  return { reason: 'aborted', failed: true, close: () => breakConnection(client) };
}

async function loadLabel({ label }: ManyFlags) {
  if (!label) return undefined;
  const [{ LineLabel }, { escapeText }] = await Promise.all([
    import('../../src/transform/lines.ts'),
    import('../../src/transform/escape-controls.ts'),
  ]);
  return (id: number, name: string) => new LineLabel(`[${id} ${escapeText(name)}] `);
}

async function openOutputs({ outputDir }: ManyFlags) {
  if (outputDir === undefined) return undefined;
  const { createClientFile } = await import('../../src/handlers/rooms/client-file.ts');
  return (id: number, client: Connection) => createClientFile(outputDir, id, client);
}

async function openRoom(context: Context, flags: ManyFlags, stdio: Stdio, run: ServerRun): Promise<Room> {
  const { input, output } = stdio;
  const { signal } = run.host;
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
    onOutputFailed: (ending) => outputFailed(context, run, { ...ending, side: 'output' }, stdio),
  };
  const rooms = await import('../../src/handlers/rooms/rooms.ts');
  if (flags.broadcast) return rooms.createBroadcastRoom(options);
  return flags.broker ? rooms.createBrokerRoom(options) : rooms.createChatRoom(options);
}

/** A client that is too slow for the others is broken off: nothing must wait for it to take the rest. */
function watchOverrun({ branch }: Seat, client: Connection): { error?: Error } {
  const overrun: { error?: Error } = {};
  branch?.once('error', (error: Error) => {
    overrun.error = error;
    breakConnection(client);
  });
  return overrun;
}

/** Nothing can be delivered any more: the server ends, quietly when it is stdout's reader that left. */
function outputFailed(
  context: Context,
  run: ServerRun,
  ending: Pick<SessionEnding, 'side' | 'error'>,
  { input }: Stdio,
): void {
  if (!isReaderGone(ending)) context.fail('stdout', ending.error);
  run.stop();
  if (!input?.stream.destroyed) input?.close();
}
