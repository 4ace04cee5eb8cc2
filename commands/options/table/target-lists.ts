import { streamEnds, type OptionTable } from '../row.ts';
import { entries } from '../value-kinds.ts';

/** What the clients of a SOCKS or HTTP proxy may name. */
export const targetLists = {
  allowTarget: {
    flags: '--allow-target <list>',
    help: 'let clients name only these: CIDR, *.NAME, NAME, * or a class (loopback, link-local, private, multicast, special, global), with or without :PORTS, or ./FILE',
    value: entries('*.example.com:443'),
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    needs: [{ anyOf: ['socks', 'httpConnect', 'http'] }],
    test: 'cli/proxy/target-lists.test.ts',
  },
  denyTarget: {
    flags: '--deny-target <list>',
    help: 'keep clients from these, in the same form',
    value: entries('private'),
    config: true,
    in: { proxy: ['server'] },
    ends: streamEnds,
    modes: ['workers', 'names'],
    needs: [{ anyOf: ['socks', 'httpConnect', 'http'] }],
    test: 'cli/proxy/target-lists.test.ts',
  },
} as const satisfies OptionTable;
