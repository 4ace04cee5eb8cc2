import { isIP } from '../../../src/address/ip.ts';
import { TnetError } from '../../../src/errors.ts';
import { anySession, type End, type Mode, type OptionTable } from '../row.ts';
import { list, text, toggle } from '../value-kinds.ts';

const datagrams: readonly End[] = ['datagram', 'ip'];
const because = { stream: 'multicast and broadcast are for UDP' } as const;
const modes: readonly Mode[] = [...anySession, 'answers', 'workers'];

/** Many receivers of one datagram. */
export const groups = {
  interface: {
    flags: '--interface <name>',
    help: 'the interface, by its name or an address, of a multicast group; for sending of a broadcast too',
    value: text((name) => name, 'lo'),
    config: true,
    in: { connect: ['client'], listen: ['server'], echo: ['server', 'client'], proxy: ['relay'] },
    ends: datagrams,
    because,
    modes,
    test: 'cli/udp-groups.test.ts',
  },
  multicastSource: {
    flags: '--multicast-source <address>',
    help: 'take only what this address sends to the group; may be repeated',
    value: list(readSource, '127.0.0.1', 'address'),
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: datagrams,
    because,
    modes,
    test: 'cli/udp-groups.test.ts',
  },
  multicastLoop: {
    flags: '--no-multicast-loop',
    help: 'keep what is sent to a group from members on this machine',
    value: toggle,
    in: { connect: ['client'], echo: ['client'] },
    ends: datagrams,
    because,
    modes,
    test: 'cli/udp-groups.test.ts',
  },
  allowBroadcast: {
    flags: '--allow-broadcast',
    help: 'let datagrams go to a broadcast address; anyone may answer',
    value: toggle,
    config: true,
    in: { connect: ['client'], echo: ['client'], proxy: ['target'] },
    ends: datagrams,
    because,
    modes,
    test: 'cli/udp-groups.test.ts',
  },
} as const satisfies OptionTable;

function readSource(word: string): string {
  if (isIP(word) !== 0) return word;
  throw new TnetError('TNET_E_USAGE', 'expected an IP address', { subject: '--multicast-source' });
}
