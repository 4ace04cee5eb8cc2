import { recordFormatNames } from '../../../src/record/record-format.ts';
import type { TapStyle } from '../../../src/record/tap-format.ts';
import { anyEnd, sessions, type Mode } from '../modes.ts';
import type { OptionTable } from '../row.ts';
import { choice, text, toggle } from '../value-kinds.ts';

const styles: readonly TapStyle[] = ['hex', 'text'];
const everywhere = { connect: ['client'], listen: ['server'], proxy: ['process'] } as const;
const modes: readonly Mode[] = sessions;

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
    help: 'with -o: go on behind what is in the file',
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
    modes: ['answers'],
    test: 'terminal/live.test.ts',
  },
} as const satisfies OptionTable;
