import { recordFormatNames } from '../../../src/record/record-format.ts';
import type { TapStyle } from '../../../src/record/tap-format.ts';
import { anyEnd, streams, type Mode, type OptionTable } from '../row.ts';
import { choice, text, toggle, count, file } from '../value-kinds.ts';
import { TnetError } from '../../../src/errors.ts';

const styles: readonly TapStyle[] = ['hex', 'text'];
const everywhere = { connect: ['client'], listen: ['server'], proxy: ['process'] } as const;
const modes: readonly Mode[] = streams;

/** What shows the bytes as they pass. */
export const tap = {
  tap: {
    flags: '--tap [style]',
    help: 'show the bytes on standard output as they pass; --tap=text shows lines of text',
    value: choice(styles),
    alone: 'hex',
    in: { proxy: ['process'] },
    ends: anyEnd,
    excludes: { live: 'both show on standard output' },
    test: 'cli/proxy/recording.test.ts',
  },
} as const satisfies OptionTable;

/** What keeps the bytes. */
export const recording = {
  output: {
    flags: '-o, --output <file>',
    help: 'record what goes both ways in a new file; - is standard output',
    value: text((path) => path, '/nowhere/file', 'file'),
    in: everywhere,
    ends: anyEnd,
    modes,
    test: 'cli/recording.test.ts',
  },
  format: {
    flags: '--format <format>',
    help: 'how -o writes it; default: hex',
    value: choice(recordFormatNames),
    in: everywhere,
    ends: anyEnd,
    modes,
    needs: [{ anyOf: ['output'] }],
    test: 'cli/recording.test.ts',
  },
  append: {
    flags: '--append',
    help: 'with -o: append to what is in the file',
    value: toggle,
    in: everywhere,
    ends: anyEnd,
    modes,
    needs: [{ anyOf: ['output'] }],
    test: 'cli/recording.test.ts',
  },
} as const satisfies OptionTable;

/** What shows the connections. */
export const live = {
  live: {
    flags: '--live',
    help: 'show the connections, their rates and the totals on standard output',
    value: toggle,
    in: { echo: ['server'], proxy: ['process'] },
    ends: anyEnd,
    modes: ['answers', 'workers'],
    test: 'terminal/live.test.ts',
  },
} as const satisfies OptionTable;

/** A recording in place of the clients or of a target. */
export const replay = {
  replay: {
    flags: '--replay <file>',
    help: 'a recording takes the place of the target, or of the clients where LISTEN is -',
    value: file,
    config: true,
    in: { proxy: ['relay'] },
    ends: anyEnd,
    modes: ['replay-clients', 'replay-target'],
    because: { workers: 'which of them gets a connection is not repeatable' },
    test: 'cli/proxy/replay.test.ts',
  },
  pace: {
    flags: '--pace <pace>',
    help: 'replay at the original pace (the default), 10x as fast, or none: at once',
    value: {
      ...text(readPace, 'none'),
      schema: { type: 'string', pattern: '^(original|none|\\d+(\\.\\d+)?[x×])$' },
    },
    config: true,
    in: { proxy: ['relay'] },
    ends: anyEnd,
    modes: ['replay-clients', 'replay-target'],
    needs: [{ anyOf: ['replay'] }],
    test: 'cli/proxy/replay.test.ts',
  },
  connection: {
    flags: '--connection <n>',
    help: 'replay only connection n of the recording',
    value: count(1),
    config: true,
    in: { proxy: ['relay'] },
    ends: anyEnd,
    modes: ['replay-clients', 'replay-target'],
    needs: [{ anyOf: ['replay'] }],
    test: 'cli/proxy/replay.test.ts',
  },
} as const satisfies OptionTable;

/** How many times faster than it was recorded: `original` is 1, `2x` is 2, `none` is Infinity. */
function readPace(written: string): number {
  const factor = Number(/^(\d+(?:\.\d+)?)[x×]$/.exec(written)?.[1]);
  if (written === 'original') return 1;
  if (written === 'none') return Infinity;
  if (factor > 0) return factor;
  throw new TnetError('TNET_E_USAGE', 'a pace is original, none, or a factor such as 10x or 0.5x');
}
