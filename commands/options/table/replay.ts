import { TnetError } from '../../../src/errors.ts';
import { anyEnd } from '../modes.ts';
import type { OptionTable } from '../row.ts';
import { count } from '../quantity-kinds.ts';
import { file, text } from '../value-kinds.ts';

/** Recordings in the place of clients or of a target. */
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
  throw new TnetError('TNET_E_USAGE', 'A pace is original, none, or a factor such as 10x or 0.5x.');
}
