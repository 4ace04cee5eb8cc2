import { CutOff, type FilesReport } from '../src/handlers/files/files-report.ts';
import { MessageChannel, type ChannelOptions } from '../src/handlers/files/message-channel.ts';
import { leaveInOrder, resetConnection, type Connection } from '../src/net/connection.ts';
import type { EndingReason } from '../src/flow/flow.ts';
import { errorCode } from '../src/errors.ts';
import { elapsedMs, roundMs } from '../src/quantities.ts';
import type { ReceiverMessage, SenderMessage } from '../src/protocol/file-transfer/messages.ts';
import type { Context } from './context.ts';
import { watchTransfer } from './transfer.ts';

/** A connection over which files go. */
export interface FilesRun {
  readonly context: Context;
  readonly connection: Connection;
  readonly id: number;
  readonly remote: string;
  readonly direction: 'sent' | 'received';
  /** Whether --progress was given; undefined: neither it nor --no-progress. */
  readonly progress: boolean | undefined;
  /** How long all files are together, if that is known. */
  readonly totalBytes?: number | undefined;
}

/** How it ended. */
export interface FilesEnding {
  /** Whether every file is there. */
  readonly isWhole: boolean;
  readonly reason: EndingReason;
  /** What ended the connection before its time. */
  readonly error?: Error | undefined;
  readonly subject: string;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly durationMs: number;
  /** Closes the connection, so that the peer sees whether it was cut off. */
  readonly close: () => Promise<void>;
}

/** Moves files over a connection, reports each, and shows the progress. Never rejects for a failure of the transfer. */
export async function runFiles<Message extends SenderMessage | ReceiverMessage>(
  run: FilesRun,
  options: ChannelOptions<Message>,
  move: (channel: MessageChannel<Message>, report: FilesReport) => Promise<boolean>,
): Promise<FilesEnding> {
  const { context, connection, remote, progress, totalBytes } = run;
  const startedAt = performance.now();
  const channel = new MessageChannel(connection, options);
  const { report, coveredBytes } = createReport(run);
  const screen =
    (progress ?? context.reporter.isSeen)
      ? watchTransfer(context, { input: undefined, output: undefined }, progress === true, totalBytes)
      : undefined;
  screen?.started(() => ({ ...movedBy(channel), readBytes: coveredBytes() }));
  let isWhole = false;
  let error: Error | undefined;
  try {
    isWhole = await move(channel, report);
  } catch (cause) {
    error = cause as Error;
  }
  channel.release();
  const reason = endOf(error);
  const moved = movedBy(channel);
  screen?.finish({ reason, sent: { bytes: moved.sentBytes }, receivedBytes: moved.receivedBytes });
  return {
    isWhole,
    reason,
    error: reason === 'aborted' ? undefined : error,
    subject: error instanceof CutOff ? subjectOf(run, error.file) : remote,
    ...moved,
    durationMs: elapsedMs(startedAt),
    close: () => (error ? resetConnection(connection) : leaveInOrder(connection)),
  };
}

function movedBy({ sentBytes, receivedBytes }: { sentBytes: number; receivedBytes: number }) {
  return { sentBytes, receivedBytes };
}

function endOf(error: Error | undefined): EndingReason {
  if (!error) return 'eof';
  if (error.name === 'AbortError') return 'aborted';
  return errorCode(error) === 'TNET_E_TIMEOUT' ? 'timeout' : 'reset';
}

/** A sender's files are called by their paths; a receiver's by their names, after the client that sends them. */
function subjectOf({ direction, remote }: FilesRun, file: string): string {
  if (direction === 'sent') return file;
  return file === '' ? remote : `${remote}: ${file}`;
}

function createReport(run: FilesRun) {
  const { id, remote, direction } = run;
  const { reporter } = run.context;
  let covered = 0;
  const report: FilesReport = {
    started({ name, bytes, fromBytes }) {
      covered += fromBytes;
      reporter.emit({ event: 'file-started', id, remote, direction, name, bytes, fromBytes });
    },
    done({ name, bytes, fromBytes, sha256, durationMs }) {
      const file = { name, bytes, fromBytes, sha256: sha256.toString('hex') };
      reporter.emit({ event: 'file-done', id, remote, direction, ...file, durationMs: roundMs(durationMs) });
    },
    failed: (name, error) => reporter.fail(subjectOf(run, name), error, id),
    covered: (bytes) => void (covered += bytes),
  };
  return { report, coveredBytes: () => covered };
}
