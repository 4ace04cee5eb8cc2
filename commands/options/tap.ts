import { openOutput } from '../../src/dial/stdio.ts';
import { errorCode } from '../../src/errors.ts';
import type { Recording } from '../../src/record/recording.ts';
import type { TapStyle } from '../../src/record/tap-format.ts';
import { wantsColor } from '../../src/report/paint.ts';
import { describeError } from '../../src/report/sentences.ts';
import type { Context } from '../context.ts';

/** How long a reader that takes nothing is waited for at the end. */
const patienceMs = 2_000;

/** A recording on standard output, for people. */
export interface Tap {
  readonly recording: Recording;
  /** Waits until all has been shown, within a bound, and gives standard output back. */
  close(): Promise<void>;
}

/** Opens a tap on stdout. When nobody reads it any more, that is said once, and connections go on without it. */
export async function openTap({ reporter }: Context, style: TapStyle): Promise<Tap> {
  const [{ Recording }, { RecordSink }, { createTapFormat }, { loadTapPaint }] = await Promise.all([
    import('../../src/record/recording.ts'),
    import('../../src/record/record-file.ts'),
    import('../../src/record/tap-format.ts'),
    import('../../src/report/paint.ts'),
  ]);
  const paint = await loadTapPaint(wantsColor(process.argv.slice(2), 1));
  const output = openOutput(1);
  const sink = new RecordSink(output.stream, (error) => {
    const reason = errorCode(error) === 'EPIPE' ? 'nobody reads the tap any more' : describeError(error);
    reporter.emit({ event: 'warning', message: `${reason}: connections go on without it` });
  });
  const recording = new Recording(sink, createTapFormat(style, paint));
  return {
    recording,
    async close() {
      await Promise.race([
        recording.flush(),
        new Promise((resolve) => setTimeout(resolve, patienceMs).unref()),
      ]);
      output.close();
    },
  };
}
