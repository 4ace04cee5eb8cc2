import { accessSync, constants, mkdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClientFile } from '../../src/handlers/rooms/client-file.ts';
import {
  breakConnection,
  closeConnection,
  cutDeliveryMs,
  resetConnection,
  type Connection,
} from '../../src/net/connection.ts';
import { errorCode, TnetError } from '../../src/errors.ts';
import { InputOffer } from '../../src/handlers/rooms/input-offer.ts';
import type { Room, RoomOptions, Seat } from '../../src/handlers/rooms/rooms.ts';
import { runSession, type SessionEnding } from '../../src/flow/session.ts';
import { Socket } from '../../src/net/index.ts';
import { releasePlace } from '../../src/net/places.ts';
import { waitAcknowledged } from '../../src/net/tuning.ts';
import type { Context } from '../context.ts';
import type { TableFlags } from '../options/row.ts';
import type { rooms } from '../options/table/clients.ts';
import type { ConnectionReport, ServerRun } from '../server-run.ts';
import { isReaderGone, openStdio, sessionOptions, type SessionFlags, type Stdio } from '../session-run.ts';

/** The flags of listen for many clients at once. */
export type ManyFlags = TableFlags<typeof rooms, 'listen'>;

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

  return (client) => serve(client, run.accepted(client));
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
  const [{ LineLabel }, { escapeText }] = await Promise.all([
    import('../../src/transform/line-label.ts'),
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

/** The first client that takes it gets the input; the output gets what comes from all of them. */
function createPlainRoom(
  { input, output }: Pick<Seat, 'input' | 'output'>,
  signal: AbortSignal,
  close: () => void,
): Room {
  const offer = input && new InputOffer(input);
  const closeInput = () => (input?.destroyed ? undefined : close());
  // A server that is to end does not wait for what nobody has taken.
  signal.addEventListener('abort', () => (offer?.isTaken ? undefined : closeInput()), { once: true });
  return {
    join(_id, _remote, client) {
      // A peer of UDP has no end by which it could be told that it only looks.
      const claim = client instanceof Socket ? offer?.offer(watchTaking(client)) : undefined;
      const claimed = client instanceof Socket ? claim?.stream : offer?.takeWhole();
      const leave = () => {
        if (claimed && offer?.isTakenBy(claimed)) closeInput();
      };
      return { input: claimed, output, receiveTransforms: [], claim, leave };
    },
  };
}

/** What waits until the client's system has what is written from now on. False: it is gone. */
function watchTaking(client: Socket): () => Promise<boolean> {
  const { bytesWritten } = client;
  return async () => {
    for (let waitMs = 1; client.bytesWritten === bytesWritten; waitMs = Math.min(waitMs * 2, 50)) {
      if (client.destroyed) return false;
      await delay(waitMs);
    }
    const answer = await waitAcknowledged(client);
    return answer === 'acknowledged' || answer === 'unknown';
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
function outputFailed(context: Context, run: ServerRun, ending: SessionEnding, { input }: Stdio): void {
  if (!isReaderGone(ending)) context.fail('stdout', ending.error);
  run.stop();
  if (!input?.stream.destroyed) input?.close();
}
