import { TnetError } from '../../../src/errors.ts';
import type { SocketTuning } from '../../../src/net/socket-tuning.ts';
import { readCount, readSizeBytes, readTimeMs } from '../../../src/quantities.ts';
import { anySession, ipEnds, streamEnds, tcpEnds, type End, type Mode, type OptionTable } from '../row.ts';
import { text, toggle, type ValueKind } from '../value-kinds.ts';
import { ownValue } from '../../../src/own-value.ts';

/** A proxy's are for both its sides, as far as each is of a kind that has them. */
const both = {
  connect: ['client'],
  listen: ['server'],
  echo: ['server', 'client'],
  proxy: ['relay'],
} as const;
/** What packets have, and what every socket has: of a proxy, those of its connections only. */
const socketEnds: readonly End[] = ['stream', 'datagram', 'ip', 'unix', 'local'];
const packetEnds = { client: ipEnds, server: ipEnds, relay: tcpEnds } as const;
const bufferEnds = { client: socketEnds, server: socketEnds, relay: streamEnds } as const;
const sessionsAndRelays: readonly Mode[] = [
  ...anySession,
  'answers',
  'workers',
  'names',
  'replay-clients',
  'replay-target',
];

/** Options of the sockets. */
export const socket = {
  nodelay: {
    flags: '--nodelay',
    help: 'send small writes at once (the default)',
    value: toggle,
    off: { flags: '--no-nodelay', help: 'let the system gather small writes (Nagle)' },
    config: true,
    in: both,
    ends: tcpEnds,
    modes: sessionsAndRelays,
    test: 'cli/socket-options.test.ts',
  },
  keepalive: {
    flags: '--keepalive <idle[,interval,count]>',
    help: 'probe a quiet connection, as 60s,10s,3',
    value: words(parseKeepAlive, '60s'),
    config: true,
    in: both,
    ends: tcpEnds,
    modes: sessionsAndRelays,
    test: 'cli/socket-options.test.ts',
  },
  tos: {
    flags: '--tos <value>',
    help: 'type of service: a number, or a name such as lowdelay, ef, af41',
    value: words(parseTypeOfService, 'ef'),
    config: true,
    in: both,
    ends: packetEnds,
    modes: sessionsAndRelays,
    test: 'cli/socket-options.test.ts',
  },
  rcvbuf: {
    flags: '--rcvbuf <size>',
    help: "the system's receive buffer",
    value: words(parseBufferBytes, '64k'),
    config: true,
    in: both,
    ends: bufferEnds,
    modes: sessionsAndRelays,
    test: 'cli/socket-options.test.ts',
  },
  sndbuf: {
    flags: '--sndbuf <size>',
    help: "the system's send buffer",
    value: words(parseBufferBytes, '64k'),
    config: true,
    in: both,
    ends: bufferEnds,
    modes: sessionsAndRelays,
    test: 'cli/socket-options.test.ts',
  },
  ttl: {
    flags: '--ttl <hops>',
    help: 'the hop limit of a packet, 1 to 255',
    value: words(parseHopLimit, '64'),
    config: true,
    in: both,
    ends: packetEnds,
    modes: sessionsAndRelays,
    test: 'cli/socket-options.test.ts',
  },
  linger: {
    flags: '--linger <time>',
    help: 'closing waits this long for the peer; 0 makes it a reset',
    value: words(parseLingerSeconds, '1s'),
    config: true,
    in: both,
    ends: streamEnds,
    modes: sessionsAndRelays,
    test: 'cli/socket-options.test.ts',
  },
} as const satisfies OptionTable;

/** A text that its own rule reads; a file may have a bare number. */
function words<Value>(read: (word: string) => Value, sample: string): ValueKind<Value> {
  return { ...text(read, sample), schema: { type: ['string', 'number'] } };
}

const maxKeepAliveMs = 32_767_000;
const maxKeepAliveCount = 127;

/** `IDLE[,INTERVAL[,COUNT]]`. The limits are Linux's: tcp(7), and net/ipv4/tcp.h for the numbers. */
function parseKeepAlive(written: string): SocketTuning['keepAlive'] {
  const [idle = '', interval, count, ...rest] = written.split(',');
  if (rest.length > 0) throw new TnetError('TNET_E_USAGE', 'expected IDLE[,INTERVAL,COUNT]');
  return {
    idleMs: parseProbeMs(idle),
    ...(interval !== undefined && { intervalMs: parseProbeMs(interval) }),
    ...(count !== undefined && { count: parseProbes(count) }),
  };
}

function parseProbes(written: string): number {
  const count = readCount(written, 1);
  if (count <= maxKeepAliveCount) return count;
  throw new TnetError('TNET_E_USAGE', `expected at most ${maxKeepAliveCount} probes`);
}

function parseProbeMs(written: string): number {
  const timeMs = readTimeMs(written);
  if (timeMs >= 1000 && timeMs <= maxKeepAliveMs && timeMs % 1000 === 0) return timeMs;
  throw new TnetError('TNET_E_USAGE', 'expected whole seconds from 1 to 32767');
}

/** The names of nc -T: RFC 1349's, and RFC 2474's, 2597's and 3246's code points shifted into their place. */
const typesOfService: Readonly<Record<string, number>> = {
  lowcost: 0x02,
  reliability: 0x04,
  throughput: 0x08,
  lowdelay: 0x10,
  critical: 0xa0,
  inetcontrol: 0xc0,
  netcontrol: 0xe0,
  ef: 0xb8,
};

function parseTypeOfService(written: string): number {
  const name = written.toLowerCase();
  const known = ownValue(typesOfService, name);
  if (known !== undefined) return known;
  const selector = /^cs([0-7])$/.exec(name);
  if (selector) return Number(selector[1]) << 5;
  const assured = /^af([1-4])([1-3])$/.exec(name);
  if (assured) return (Number(assured[1]) << 5) | (Number(assured[2]) << 3);
  const value = /^(0x[0-9a-f]{1,2}|\d{1,3})$/.test(name) ? Number(name) : Infinity;
  if (value <= 255) return value;
  throw new TnetError('TNET_E_USAGE', 'expected a number from 0 to 255, or a name from the manual page');
}

function parseBufferBytes(written: string): number {
  const bytes = readSizeBytes(written);
  if (bytes >= 1 && bytes < 2 ** 30) return bytes;
  throw new TnetError('TNET_E_USAGE', 'expected a size from 1 byte to less than 1 GB');
}

function parseHopLimit(written: string): number {
  const hops = readCount(written, 1);
  if (hops <= 255) return hops;
  throw new TnetError('TNET_E_USAGE', 'expected at most 255 hops');
}

function parseLingerSeconds(written: string): number {
  const timeMs = readTimeMs(written);
  if (timeMs % 1000 === 0 && timeMs <= 65_535_000) return timeMs / 1000;
  throw new TnetError('TNET_E_USAGE', 'expected whole seconds up to 65535');
}
