import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { formatLimit, TnetError } from '../../errors.ts';
import { guarded } from '../../net/guard.ts';
import { findNameFault } from '../../protocol/file-transfer/file-name.ts';
import type { ReceiverMessage } from '../../protocol/file-transfer/messages.ts';
import { violation } from '../../protocol/protocol-error.ts';
import { describeError } from '../../report/sentences.ts';
import { FileSender } from './file-sender.ts';
import { NotSent, type FilesReport } from './files-report.ts';
import type { MessageChannel } from './message-channel.ts';

/** A file to be sent. */
export interface SourceFile {
  readonly path: string;
  /** What the receiver is to call it. */
  readonly name: string;
}

/**
 * Sends files one after the other, on a channel on which nothing has been said. A file that cannot be read or is not
 * taken is reported, and the next one follows.
 *
 * @param readyMs how long the receiver may take to say that it is one, in milliseconds
 * @returns whether all of them are there
 * @throws what ended the connection before that: CutOff while a file was sent; ProtocolError; TnetError
 *   TNET_E_TIMEOUT; the signal's reason
 */
export async function sendFiles(
  channel: MessageChannel<ReceiverMessage>,
  files: readonly SourceFile[],
  { report, readyMs }: { readonly report: FilesReport; readonly readyMs: number },
): Promise<boolean> {
  await channel.send({ kind: 'start', files: files.length });
  await hearReady(channel, readyMs);
  let isWhole = true;
  for (const source of files) {
    try {
      await sendFile(channel, source, report);
    } catch (error) {
      if (!(error instanceof NotSent)) throw error;
      isWhole = false;
      report.failed(source.path, error);
    }
  }
  return isWhole;
}

async function hearReady(channel: MessageChannel<ReceiverMessage>, limitMs: number): Promise<void> {
  const expire = () =>
    channel.fail(
      new TnetError(
        'TNET_E_TIMEOUT',
        `the peer did not say that it receives files within ${formatLimit(limitMs)}`,
      ),
    );
  const timer = setTimeout(guarded(expire), limitMs);
  try {
    if ((await channel.next())?.kind === 'ready') return;
  } finally {
    clearTimeout(timer);
  }
  throw violation(
    'file-transfer',
    'cut-short',
    'the peer ended the connection before it was ready to receive files',
  );
}

async function sendFile(
  channel: MessageChannel<ReceiverMessage>,
  { path, name }: SourceFile,
  report: FilesReport,
): Promise<void> {
  let file: FileHandle;
  try {
    file = await open(path);
  } catch (error) {
    // It was there at the start. The receiver has been told how many files come.
    await channel.send({ kind: 'give-up', text: `${name}: ${describeError(error)}` });
    throw new NotSent(describeError(error), error);
  }
  try {
    await new FileSender(channel, { file, name, path }, report).send();
  } finally {
    await file.close();
  }
}

/**
 * Makes sure that the paths are those of files that can be read, each with a name of its own.
 *
 * @returns the files, and how long they are together
 * @throws TnetError TNET_E_USAGE
 */
export async function findSources(
  paths: readonly string[],
): Promise<{ readonly files: readonly SourceFile[]; readonly bytes: number }> {
  const names = new Set<string>();
  let bytes = 0;
  for (const path of paths) {
    const name = basename(path);
    const fault = findNameFault(name);
    if (fault !== undefined) throw usage(path, `no receiver takes a file of this name: ${fault}`);
    if (names.has(name)) throw usage(path, `two files would have the name ${name}`);
    names.add(name);
    bytes += await measure(path);
  }
  return { files: paths.map((path) => ({ path, name: basename(path) })), bytes };
}

async function measure(path: string): Promise<number> {
  let file: FileHandle | undefined;
  try {
    // A FIFO would wait for its writer.
    file = await open(path, constants.O_RDONLY | ((constants.O_NONBLOCK as number | undefined) ?? 0));
    const found = await file.stat();
    if (!found.isFile()) throw usage(path, 'it is not a regular file');
    return found.size;
  } catch (error) {
    throw error instanceof TnetError ? error : usage(path, describeError(error), error);
  } finally {
    await file?.close();
  }
}

function usage(subject: string, message: string, cause?: unknown): TnetError {
  return new TnetError('TNET_E_USAGE', message, { subject, cause });
}
