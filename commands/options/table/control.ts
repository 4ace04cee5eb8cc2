import { anyEnd, type OptionTable } from '../row.ts';
import { entries, file, text } from '../value-kinds.ts';

/** How a proxy is steered while it runs. */
export const control = {
  control: {
    flags: '--control <address>',
    help: 'steer the proxy there while it runs: PORT, HOST:PORT, /path',
    value: text((address) => address, '0', 'address'),
    in: { proxy: ['process'] },
    ends: anyEnd,
    modes: ['workers'],
    test: 'cli/proxy/control.test.ts',
  },
  controlTokenFile: {
    flags: '--control-token-file <file>',
    help: 'take changes only with the token in this file',
    value: file,
    in: { proxy: ['process'] },
    ends: anyEnd,
    modes: ['workers'],
    needs: [{ anyOf: ['control'] }],
    test: 'cli/proxy/control.test.ts',
  },
  controlAllow: {
    flags: '--control-allow <list>',
    help: 'let only these reach --control: CIDR, HOST or ./FILE, with commas',
    value: entries('127.0.0.1'),
    in: { proxy: ['process'] },
    ends: anyEnd,
    modes: ['workers'],
    needs: [{ anyOf: ['control'] }],
    test: 'cli/proxy/control.test.ts',
  },
} as const satisfies OptionTable;
