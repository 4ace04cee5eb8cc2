import { TnetError } from '../src/errors.ts';
import type { Recording } from '../src/record/recording.ts';
import type { Context } from './context.ts';
import type { ProxyOptions } from './proxy-options.ts';
import { openRecording } from './recording-options.ts';
import { openTap, type Tap } from './tap-options.ts';

/** Where the bytes of a proxy's connections are recorded and shown. */
export interface ProxyViews {
  readonly recordings: readonly Recording[];
  /** Ends what has to be given back. Recordings in files need nothing. */
  close(): Promise<void>;
}

/**
 * Opens what -o and --tap ask for.
 *
 * @throws TnetError TNET_E_USAGE
 */
export async function openViews(context: Context, options: ProxyOptions): Promise<ProxyViews> {
  if (options.format !== undefined && options.output === undefined) {
    throw new TnetError('TNET_E_USAGE', 'makes sense only with --output', { subject: '--format' });
  }
  if (options.tap !== undefined && options.live) {
    throw new TnetError('TNET_E_USAGE', 'makes no sense with --tap: both show on standard output', {
      subject: '--live',
    });
  }
  const file = await openRecording(context, options);
  const tap: Tap | undefined = options.tap && (await openTap(context, options.tap));
  return {
    recordings: [file, tap?.recording].filter((recording) => recording !== undefined),
    close: () => tap?.close() ?? Promise.resolve(),
  };
}
