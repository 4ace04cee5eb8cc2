import { readFile } from 'node:fs/promises';
import { errorCode, TnetError } from '../errors.ts';
import { isPcapng, readPcapng } from './read-pcapng.ts';
import { readHexLines, readJsonLines } from './read-text.ts';
import { ScriptBuilder, type Script } from './script.ts';

/**
 * Reads a recording that tnet has made as json, pcapng or hex, told by what is in it, into memory. One that was cut
 * off in the middle counts up to there.
 *
 * @throws TnetError TNET_E_RECORDING for a file that cannot be read, is damaged, or is no such recording
 */
export async function readRecording(path: string): Promise<readonly Script[]> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const message = `cannot be read (${errorCode(error) ?? 'unknown'})`;
    throw new TnetError('TNET_E_RECORDING', message, { subject: path, cause: error });
  }
  return parseRecording(bytes, path);
}

/** As readRecording(), of bytes that have been read. */
export function parseRecording(bytes: Buffer, subject: string): readonly Script[] {
  const builder = new ScriptBuilder(subject);
  if (isPcapng(bytes)) readPcapng(bytes, builder);
  else if (bytes[0] === '{'.charCodeAt(0)) readJsonLines(bytes.toString('utf8'), builder);
  else if (/^\d{4}-\d\d-\d\dT\S+Z \d+ [<>=] /.test(bytes.toString('latin1', 0, 60)))
    readHexLines(bytes.toString('latin1'), builder);
  else builder.fail('it is no json, pcapng or hex recording of tnet');
  if (builder.scripts.length === 0) builder.fail('it has no connection in it');
  return builder.scripts;
}
