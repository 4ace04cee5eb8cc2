import { accessSync, constants, mkdirSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { errorCode, TnetError } from '../../src/errors.ts';

/** The flags of listen for many clients at once. */
export interface ManyFlags {
  readonly broadcast?: boolean;
  readonly chat?: boolean;
  readonly broker?: boolean;
  readonly label?: boolean;
  readonly outputDir?: string;
}

export function addManyOptions(command: Command): Command {
  const stdoutFlags = ['chat', 'broker'];
  return command
    .addOption(
      new Option('--broadcast', 'send stdin to every client (implies -k)')
        .implies({ keepOpen: true })
        .conflicts(['chat', 'broker', 'recvOnly']),
    )
    .addOption(
      new Option('--broker', "send each client's bytes and stdin to all the others (implies -k)")
        .implies({ keepOpen: true })
        .conflicts(['chat', 'sendOnly']),
    )
    .addOption(
      new Option('--chat', 'as --broker, by lines with <user N> before each (implies -k)')
        .implies({ keepOpen: true })
        .conflicts(['broker', 'sendOnly']),
    )
    .addOption(new Option('--label', 'put the client before each line on stdout').conflicts(stdoutFlags))
    .addOption(
      new Option('--output-dir <dir>', "write each client's bytes to a file of its own").conflicts([
        ...stdoutFlags,
        'label',
        'sendOnly',
      ]),
    );
}

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
