import { receiveFiles } from '../../src/handlers/files/receive-files.ts';
import { ReceiveFolder } from '../../src/handlers/files/receive-folder.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import type { Handler } from '../../src/serve/service.ts';
import type { Context } from '../context.ts';
import { runFiles } from '../files-run.ts';
import { exitStatus } from '../output.ts';
import type { Interruption } from '../signals.ts';
import type { ListenOptions } from './options.ts';

/**
 * Receives the files of each client in the folder of --receive. Without -k, the status of the command says whether
 * all are there.
 *
 * @throws TnetError TNET_E_USAGE
 */
export async function createReceiveHandler(
  context: Context,
  interruption: Interruption,
  options: ListenOptions,
): Promise<Handler> {
  const { receive = '', overwrite, maxSize, keepOpen, progress } = options;
  const folder = await ReceiveFolder.open(receive, { overwrite, maxBytes: maxSize });
  return async ({ client, greeting, entry }) => {
    const { id, remote } = entry;
    const { files: start } = greeting;
    if (!start) throw new Error('a client that sends files was not greeted');
    const stop = new AbortController();
    entry.breakOff = () => stop.abort();
    const ending = await runFiles(
      {
        ...{ context, connection: client, id, remote, direction: 'received' },
        progress: keepOpen ? false : progress,
      },
      { decoder: start.decoder, first: start.messages, signal: stop.signal, idleMs: options.idle },
      (channel, report) => {
        entry.moved = () => ({ sentBytes: channel.sentBytes, receivedBytes: channel.receivedBytes });
        return receiveFiles(channel, folder, start.files, report);
      },
    );
    const { isWhole, reason, error, subject, close } = ending;
    if (!keepOpen && interruption.status === undefined)
      context.exit(error ? exitStatus(error) : isWhole ? exitCodes.ok : exitCodes.failed);
    return { reason, error, subject, failed: !isWhole, close };
  };
}
