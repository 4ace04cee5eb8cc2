import { readFileSync } from 'node:fs';
import { errorCode, TnetError } from '../../src/errors.ts';
import { builtInQuotes, readQuotes } from '../../src/protocol/small-services/services.ts';

/**
 * The quotes of qotd: those of the file, or the built-in ones.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function loadQuotes(file: string | undefined): readonly Buffer[] {
  if (file === undefined) return builtInQuotes;
  try {
    return readQuotes(readFileSync(file, 'utf8'));
  } catch (error) {
    const code = errorCode(error);
    const message = code === undefined ? (error as Error).message : `it cannot be read (${code})`;
    throw new TnetError('TNET_E_USAGE', message, { subject: file, cause: error });
  }
}
