import type { Recording } from '../../src/record/recording.ts';
import type { Context } from '../context.ts';
import type { ProxyOptions } from './options.ts';
import { openRecording, openTap, type Tap } from '../options/recording.ts';

/** Where the bytes of a proxy's connections are recorded and shown. */
export interface ProxyViews {
  readonly recordings: readonly Recording[];
  /** Ends what has to be given back. Recordings in files need nothing. */
  close(): Promise<void>;
}

/** What standard output carries, when it carries something. */
function nameOutputUse({ tap, live }: ProxyOptions): string | undefined {
  if (tap !== undefined) return 'the tap';
  return live ? 'the live view' : undefined;
}

/**
 * Opens what -o and --tap ask for.
 *
 * @throws TnetError TNET_E_USAGE
 */
export async function openViews(context: Context, options: ProxyOptions): Promise<ProxyViews> {
  const file = await openRecording(context, options, nameOutputUse(options));
  const tap: Tap | undefined = options.tap && (await openTap(context, options.tap));
  return {
    recordings: [file, tap?.recording].filter((recording) => recording !== undefined),
    close: () => tap?.close() ?? Promise.resolve(),
  };
}
