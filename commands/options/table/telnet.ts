import { streamEnds, type OptionTable } from '../row.ts';
import { toggle } from '../value-kinds.ts';

const noNames = 'clients begin with what they ask for, and not with telnet';

/** Telnet with clients. */
export const telnet = {
  telnetIn: {
    flags: '--telnet-in',
    help: 'speak telnet with clients of a pty:, which gets the size of their window',
    value: toggle,
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers'],
    needs: [{ anyOf: ['pty target'], called: 'with a target of the kind pty' }],
    excludes: {
      socks: noNames,
      httpConnect: noNames,
      http: noNames,
      route: 'it looks at bytes of another protocol',
    },
    test: 'cli/proxy/telnet.test.ts',
  },
} as const satisfies OptionTable;
