import type { Connection } from '../../src/net/connection.ts';
import { findSources, sendFiles } from '../../src/handlers/files/send-files.ts';
import { createReceiverDecoder } from '../../src/protocol/file-transfer/decode.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import type { Context } from '../context.ts';
import { runFiles } from '../files-run.ts';
import { endingReason, type Interruption } from '../signals.ts';
import type { ConnectOptions } from './options.ts';

export type Sources = Awaited<ReturnType<typeof findSources>>;

/** The files of --send-file, before anything is connected. @throws TnetError TNET_E_USAGE */
export async function readSources({ sendFile }: ConnectOptions): Promise<Sources | undefined> {
  return sendFile && findSources(sendFile);
}

/** Sends the files of --send-file on an open connection, reports the end, and closes the connection. */
export async function runSendFiles(
  { context, interruption }: { readonly context: Context; readonly interruption: Interruption },
  { connection, remote }: { readonly connection: Connection; readonly remote: string },
  { files, bytes }: Sources,
  options: ConnectOptions,
): Promise<void> {
  const ending = await runFiles(
    {
      ...{ context, connection, id: 1, remote, direction: 'sent' },
      ...{ progress: options.progress, totalBytes: bytes },
    },
    { decoder: createReceiverDecoder(), signal: interruption.signal, idleMs: options.idle },
    (channel, report) => sendFiles(channel, files, { report, readyMs: options.waitConnect }),
  );
  const { isWhole, error, subject, sentBytes, receivedBytes, durationMs, close } = ending;
  if (error) context.fail(subject, error);
  else if (!isWhole) context.exit(exitCodes.failed);
  const reason = endingReason(ending.reason, interruption);
  context.reporter.emit({ event: 'ended', id: 1, remote, reason, sentBytes, receivedBytes, durationMs });
  if (interruption.status !== undefined) context.exit(interruption.status);
  await close();
}
