import { accessSync, constants, mkdirSync } from 'node:fs';
import type { TableFlags } from '../options/row.ts';
import type { rooms } from '../options/table/clients.ts';
import { errorCode, TnetError } from '../../src/errors.ts';

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
