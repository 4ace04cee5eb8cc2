import { TnetError } from '../../../errors.ts';
import { count, text, type SettingTable, type ValuesOf } from './setting.ts';

const pacePattern = 'original|none|\\d+(\\.\\d+)?[x×]';

/** Recordings in the place of clients or of a target. */
export const replaySettings = {
  replay: text(
    '--replay <file>',
    'a recording takes the place of the target, or of the clients where LISTEN is -',
    (file) => file,
  ),
  pace: {
    ...text(
      '--pace <pace>',
      'replay at the original pace (the default), 10x as fast, or none: at once',
      readPace,
    ),
    schema: { type: 'string', pattern: `^(${pacePattern})$` },
  },
  connection: count('--connection <n>', 'replay only connection n of the recording', 1),
} as const satisfies SettingTable;

export type ReplayValues = ValuesOf<typeof replaySettings>;

/** How many times faster than it was recorded: `original` is 1, `2x` is 2, `none` is Infinity. */
export function readPace(text: string): number {
  const factor = Number(/^(\d+(?:\.\d+)?)[x×]$/.exec(text)?.[1]);
  if (text === 'original') return 1;
  if (text === 'none') return Infinity;
  if (factor > 0) return factor;
  throw new TnetError('TNET_E_USAGE', 'A pace is original, none, or a factor such as 10x or 0.5x.');
}
