import { anyEnd, anySession, streams, type OptionTable } from '../row.ts';
import { counted, toggle } from '../value-kinds.ts';

const everywhere = {
  connect: ['client'],
  listen: ['server'],
  echo: ['server', 'client'],
  proxy: ['process'],
} as const;

/** How long the parts of a run took. */
export const timing = {
  timing: {
    flags: '--timing',
    help: 'report how long each part took',
    value: toggle,
    in: { connect: ['client'] },
    ends: anyEnd,
    modes: streams,
    test: 'cli/connect/session-flags.test.ts',
  },
} as const satisfies OptionTable;

/** How far a session is. */
export const progress = {
  progress: {
    flags: '--progress',
    help: 'show how much has moved, how fast, and the totals at the end (default on a terminal)',
    value: toggle,
    off: { flags: '--no-progress', help: 'do not show it' },
    in: { connect: ['client'], listen: ['server'] },
    ends: anyEnd,
    modes: ['receive', 'send', 'files'],
    test: 'terminal/progress.test.ts',
  },
} as const satisfies OptionTable;

/** What is said on standard error. */
export const reports = {
  verbose: {
    flags: '-v, --verbose',
    help: 'say more; -vv still more',
    value: counted,
    default: { value: 0, text: 'off' },
    in: everywhere,
    ends: anyEnd,
    modes: [...anySession, 'answers', 'workers'],
    test: 'cli/ends.test.ts',
  },
  json: {
    flags: '--json',
    help: 'report events as JSON, one object per line, on stderr',
    value: toggle,
    in: everywhere,
    ends: anyEnd,
    modes: [...anySession, 'answers', 'workers'],
    test: 'cli/connect/check.test.ts',
  },
  color: {
    flags: '--no-color',
    help: 'no colour, even on a terminal',
    value: toggle,
    in: everywhere,
    ends: anyEnd,
    modes: [...anySession, 'answers', 'workers'],
    test: 'report/paint.test.ts',
  },
} as const satisfies OptionTable;
