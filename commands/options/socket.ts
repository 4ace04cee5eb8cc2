import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Endpoint } from '../../src/address/endpoint.ts';
import type { SocketTuning } from '../../src/net/socket-tuning.ts';
import { TnetError } from '../../src/errors.ts';
import type { DatagramSocket } from '../../src/net/datagram.ts';
import type { Socket } from '../../src/net/index.ts';
import { parseCount, parseSizeBytes, parseTimeMs } from './values.ts';

/** The flags that set options of the sockets. */
export interface SocketFlags {
  readonly nodelay?: boolean;
  readonly keepalive?: SocketTuning['keepAlive'];
  readonly tos?: number;
  readonly rcvbuf?: number;
  readonly sndbuf?: number;
  readonly ttl?: number;
  readonly linger?: number;
}

/** Adds the flags of socket options. */
export function addSocketOptions(command: Command): void {
  command
    .addOption(new Option('--nodelay', 'send small writes at once (the default)'))
    .addOption(new Option('--no-nodelay', 'let the system gather small writes (Nagle)').default(undefined))
    .addOption(
      new Option('--keepalive <idle[,interval,count]>', 'probe a quiet connection, as 60s,10s,3').argParser(
        parseKeepAlive,
      ),
    )
    .addOption(
      new Option(
        '--tos <value>',
        'type of service: a number, or a name such as lowdelay, ef, af41',
      ).argParser(parseTypeOfService),
    )
    .addOption(new Option('--rcvbuf <size>', "the system's receive buffer").argParser(parseBufferBytes))
    .addOption(new Option('--sndbuf <size>', "the system's send buffer").argParser(parseBufferBytes))
    .addOption(new Option('--ttl <hops>', 'the most hops of a packet, 1 to 255').argParser(parseHopLimit))
    .addOption(
      new Option('--linger <time>', 'closing waits this long for the peer; 0 makes it a reset').argParser(
        parseLingerSeconds,
      ),
    );
}

/**
 * What sets the flags' options on a connection, or undefined when there are none.
 *
 * @throws TnetError TNET_E_USAGE for options that a Unix socket does not have, TNET_E_UNSUPPORTED without the addon.
 */
export async function readTuner(
  flags: SocketFlags,
  endpoints: readonly Endpoint[],
): Promise<((socket: Socket) => void) | undefined> {
  const { nodelay, keepalive, tos, rcvbuf, sndbuf, ttl, linger } = flags;
  if ([nodelay, keepalive, tos, rcvbuf, sndbuf, ttl, linger].every((value) => value === undefined)) {
    return undefined;
  }
  if (endpoints.some(({ kind }) => kind === 'udp')) {
    throw new TnetError('TNET_E_USAGE', 'the socket options are for connections, not for datagrams');
  }
  if (endpoints.some(({ kind }) => kind === 'unix')) refuseOnUnix({ nodelay, keepalive, tos, ttl, linger });
  const { createTuner } = await import('../../src/net/socket-tuning.ts');
  return createTuner({
    noDelay: nodelay,
    keepAlive: keepalive,
    typeOfService: tos,
    receiveBufferBytes: rcvbuf,
    sendBufferBytes: sndbuf,
    hopLimit: ttl,
    lingerSeconds: linger,
  });
}

/**
 * What sets the flags' options on the UDP socket of a client, or undefined when there are none.
 *
 * @throws as readTuner() does
 */
export async function readDatagramTuner({
  tos,
  ttl,
  ...others
}: SocketFlags): Promise<((socket: DatagramSocket) => void) | undefined> {
  for (const name of ['nodelay', 'keepalive', 'rcvbuf', 'sndbuf', 'linger'] as const) {
    if (others[name] === undefined) continue;
    throw new TnetError('TNET_E_USAGE', `--${name} is for connections; datagrams have --tos and --ttl`);
  }
  if (tos === undefined && ttl === undefined) return undefined;
  const { createDatagramTuner } = await import('../../src/net/socket-tuning.ts');
  return createDatagramTuner({ typeOfService: tos, hopLimit: ttl });
}

function refuseOnUnix(flags: SocketFlags): void {
  const [name] = Object.entries(flags).find(([, value]) => value !== undefined) ?? [];
  if (name !== undefined) throw new TnetError('TNET_E_USAGE', `a Unix socket has no --${name}`);
}

const maxKeepAliveMs = 32_767_000;
const maxKeepAliveCount = 127;

/** `IDLE[,INTERVAL[,COUNT]]`. The limits are Linux's: tcp(7), and net/ipv4/tcp.h for the numbers. */
function parseKeepAlive(text: string): SocketTuning['keepAlive'] {
  const [idle = '', interval, count, ...rest] = text.split(',');
  if (rest.length > 0) throw new InvalidArgumentError('It is IDLE[,INTERVAL,COUNT].');
  return {
    idleMs: parseProbeMs(idle),
    ...(interval !== undefined && { intervalMs: parseProbeMs(interval) }),
    ...(count !== undefined && { count: parseProbes(count) }),
  };
}

function parseProbes(text: string): number {
  const count = parseCount(1)(text);
  if (count <= maxKeepAliveCount) return count;
  throw new InvalidArgumentError(`At most ${maxKeepAliveCount} probes.`);
}

function parseProbeMs(text: string): number {
  const timeMs = parseTimeMs(text);
  if (timeMs >= 1000 && timeMs <= maxKeepAliveMs && timeMs % 1000 === 0) return timeMs;
  throw new InvalidArgumentError('The system counts whole seconds, from 1 to 32767.');
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

function parseTypeOfService(text: string): number {
  const name = text.toLowerCase();
  const known = typesOfService[name];
  if (known !== undefined) return known;
  const selector = /^cs([0-7])$/.exec(name);
  if (selector) return Number(selector[1]) << 5;
  const assured = /^af([1-4])([1-3])$/.exec(name);
  if (assured) return (Number(assured[1]) << 5) | (Number(assured[2]) << 3);
  const value = /^(0x[0-9a-f]{1,2}|\d{1,3})$/.test(name) ? Number(name) : Infinity;
  if (value <= 255) return value;
  throw new InvalidArgumentError('It is a number from 0 to 255, or one of the names in the manual page.');
}

function parseBufferBytes(text: string): number {
  const bytes = parseSizeBytes(text);
  if (bytes >= 1 && bytes < 2 ** 30) return bytes;
  throw new InvalidArgumentError('A buffer has at least a byte, and less than a gigabyte.');
}

function parseHopLimit(text: string): number {
  const hops = parseCount(1)(text);
  if (hops <= 255) return hops;
  throw new InvalidArgumentError('At most 255 hops.');
}

function parseLingerSeconds(text: string): number {
  const timeMs = parseTimeMs(text);
  if (timeMs % 1000 === 0 && timeMs <= 65_535_000) return timeMs / 1000;
  throw new InvalidArgumentError('The system counts whole seconds, up to 65535.');
}
