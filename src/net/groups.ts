import type { Socket } from 'node:dgram';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { isIP } from '../address/ip.ts';
import { parseBlock, wholeAddress, type Block } from '../address/prefix.ts';
import { TnetError } from '../errors.ts';
import { ownValue } from '../own-value.ts';

/** How multicast groups and broadcast addresses are used, by the names under which users give it. */
export interface GroupValues {
  /** The interface on which groups are joined, and by which datagrams to them leave: its name, or an address that it has. */
  readonly interface?: string | undefined;
  /** Take only what these addresses send to the group. */
  readonly multicastSource?: readonly string[] | undefined;
  /** Whether members on this machine get what is sent from it, too. Default true. */
  readonly multicastLoop?: boolean | undefined;
  /** Whether datagrams may be sent to a broadcast address. Default false. */
  readonly allowBroadcast?: boolean | undefined;
}

/** The interfaces of this machine, as node:os has them. */
export type Interfaces = Readonly<
  NodeJS.Dict<readonly Pick<NetworkInterfaceInfo, 'address' | 'family' | 'cidr'>[]>
>;

let groups: readonly Block[] | undefined;

/** Whether an address is that of a multicast group. */
export function isGroup(address = ''): boolean {
  const prefix = wholeAddress(address);
  groups ??= ['224.0.0.0/4', 'ff00::/8'].map(parseBlock);
  return prefix !== undefined && groups.some((group) => group.covers(prefix));
}

/** Whether an address means everyone: on this link, or on a network that this machine is in. */
export function isBroadcast(address: string, interfaces: Interfaces = networkInterfaces()): boolean {
  if (isIP(address) !== 4) return false;
  if (address === '255.255.255.255') return true;
  return Object.values(interfaces)
    .flat()
    .some((own) => own?.family === 'IPv4' && own.cidr !== null && lastAddress(own.cidr) === address);
}

/** The broadcast address of a network; undefined for one that is too small to have one. */
function lastAddress(cidr: string): string | undefined {
  const [address = '', bits = ''] = cidr.split('/');
  const hostBits = 32 - Number(bits);
  if (hostBits < 2) return undefined;
  const number = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** hostBits;
  const last = number - (number % size) + size - 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(last / 2 ** shift) % 256).join('.');
}

/**
 * How the system takes an interface that a user has named: for IPv4 its address, for IPv6 its name as a zone.
 *
 * @param written its name, or an address that it has
 * @throws TnetError TNET_E_ADDRESS
 */
export function findInterface(
  written: string,
  family: 4 | 6,
  interfaces: Interfaces = networkInterfaces(),
): string {
  const name = isIP(written) === 0 ? written : findOwner(written, interfaces);
  const own = name === undefined ? undefined : ownValue(interfaces, name);
  if (name === undefined || !own) {
    const names = Object.keys(interfaces).join(', ');
    const message =
      isIP(written) === 0 ? `no interface ${written} is up` : `no interface has the address ${written}`;
    throw new TnetError('TNET_E_ADDRESS', `${message}; there are ${names}`);
  }
  if (family === 6) return `::%${name}`;
  const addresses = own.filter((one) => one.family === 'IPv4').map(({ address }) => address);
  if (addresses.includes(written)) return written;
  const [first] = addresses;
  if (first !== undefined) return first;
  throw new TnetError('TNET_E_ADDRESS', `the interface ${written} has no IPv4 address`);
}

function findOwner(address: string, interfaces: Interfaces): string | undefined {
  const [plain = ''] = address.split('%');
  return Object.keys(interfaces).find((name) =>
    interfaces[name]?.some((own) => own.address.split('%')[0] === plain),
  );
}

/**
 * Joins the multicast group that a socket is bound to: without it the system delivers nothing to the socket. On the
 * interface that is named, else on that of an IPv6 address's zone or of the route to the group. Does nothing for any other
 * address. When it fails, the socket is closed.
 *
 * @throws the system's error: ENODEV when no interface leads to the group; TnetError TNET_E_USAGE for options of groups where
 *   there is none, TNET_E_ADDRESS for an interface that there is not
 */
export function joinOwnGroup(socket: Socket, address: string, values: GroupValues = {}): void {
  try {
    const { multicastSource: sources } = values;
    const prefix = wholeAddress(address);
    if (!prefix || !isGroup(address)) {
      requireNoGroup(values);
      return;
    }
    const family = prefix.text.includes(':') ? 6 : 4;
    const zone = prefix.zone === undefined ? undefined : `::%${prefix.zone}`;
    const place = values.interface === undefined ? zone : findInterface(values.interface, family);
    if (!sources) socket.addMembership(prefix.text, place);
    for (const source of sources ?? []) {
      if (isIP(source) !== family)
        throw new TnetError('TNET_E_USAGE', `--multicast-source ${source} is not of the group's family`);
      socket.addSourceSpecificMembership(source, prefix.text, place);
    }
  } catch (error) {
    socket.close();
    throw error;
  }
}

function requireNoGroup({ interface: link, multicastSource }: GroupValues): void {
  const flag = link !== undefined ? '--interface' : multicastSource ? '--multicast-source' : undefined;
  if (flag === undefined) return;
  throw new TnetError(
    'TNET_E_USAGE',
    `${flag} goes with a multicast group as the address, such as udp://239.1.2.3:9000`,
  );
}

/** Where a sender's datagrams go: to one address, to all members of a group, or to everyone on a link. */
export type Audience = 'one' | 'group' | 'everyone';

/**
 * Judges an address that datagrams are to be sent to.
 *
 * @throws TnetError TNET_E_USAGE for a broadcast address that is not allowed, and for an interface for a single address
 */
export function judgeAudience(address: string, values: GroupValues = {}): Audience {
  if (isGroup(address)) return 'group';
  if (values.allowBroadcast) return 'everyone';
  if (isBroadcast(address))
    throw new TnetError(
      'TNET_E_USAGE',
      'this is a broadcast address: to send to it, give --allow-broadcast',
      {
        subject: address,
      },
    );
  if (values.interface !== undefined)
    throw new TnetError('TNET_E_USAGE', '--interface goes with a multicast group or --allow-broadcast');
  return 'one';
}

/** Sets a bound socket's options for sending to a group or to everyone. */
export function prepareSender(socket: Socket, address: string, values: GroupValues = {}): void {
  if (values.allowBroadcast) socket.setBroadcast(true);
  if (values.multicastLoop === false) socket.setMulticastLoopback(false);
  const [, zone] = address.split('%');
  const family = address.includes(':') ? 6 : 4;
  if (values.interface !== undefined) socket.setMulticastInterface(findInterface(values.interface, family));
  else if (zone !== undefined && family === 6) socket.setMulticastInterface(`::%${zone}`);
}

/** The address to send from, where the interface decides it: a broadcast leaves by the interface that has the address. */
export function chooseSource(audience: Audience, values: GroupValues = {}): string | undefined {
  return audience === 'everyone' && values.interface !== undefined
    ? findInterface(values.interface, 4)
    : undefined;
}
