import type { FlagsOf, Layout, OptionTable } from '../options/row.ts';
import { list, toggle } from '../options/value-kinds.ts';

const judge = { isip: ['process'] } as const;
const test = 'cli/isip/isip.test.ts';

/** The options of `tnet isip`, none of which opens a socket. */
const answers = {
  4: { flags: '-4', help: 'only IPv4 counts as yes', value: toggle, in: judge, excludes: { 6: '' }, test },
  6: { flags: '-6', help: 'only IPv6 counts as yes', value: toggle, in: judge, test },
  explain: {
    flags: '-v, --explain',
    help: 'say on stderr why a text is answered with 0',
    value: toggle,
    in: judge,
    test,
  },
  json: {
    flags: '--json',
    help: 'print a JSON object per line: family, class, canonical form, reverse name',
    value: toggle,
    in: judge,
    test,
  },
  in: {
    flags: '--in <cidr>',
    help: 'count addresses in these blocks only (repeat it, or separate by commas)',
    value: list((blocks) => blocks, '10.0.0.0/8'),
    in: judge,
    test,
  },
  cidr: {
    flags: '--cidr',
    help: 'prefixes such as 10.0.0.0/8 count, too',
    value: toggle,
    in: judge,
    test,
  },
  invert: {
    flags: '--invert',
    help: 'succeed when none is an address; with --in: when all are addresses outside',
    value: toggle,
    in: judge,
    test,
  },
  color: {
    flags: '--no-color',
    help: 'accepted for consistency; isip prints no colour',
    value: toggle,
    in: judge,
    test,
  },
} as const satisfies OptionTable;

export const isipLayout = [['Options:', answers]] as const satisfies Layout;

export type IsipOptions = FlagsOf<typeof isipLayout, 'isip'>;
