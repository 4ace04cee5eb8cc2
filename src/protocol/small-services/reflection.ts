import { parseAddress, plainAddress } from '../../address/address.ts';

/**
 * UDP ports of services that answer any sender, or that are known from floods of forged datagrams: an answer to one
 * of them is answered in turn, without end, or hits a victim that never asked. Source: RFC 862 to 868, CERT
 * Advisory CA-1996-01, and CISA alert TA14-017A on amplification over UDP.
 */
const answeringPorts: ReadonlySet<number> = new Set([
  0, // no sender: no socket can have this port
  7, // echo
  9, // discard
  13, // daytime
  17, // quote of the day
  19, // character generator
  37, // time
  53, // DNS
  67, // DHCP
  69, // TFTP
  111, // portmap
  123, // NTP
  137, // NetBIOS names
  138, // NetBIOS datagrams
  161, // SNMP
  389, // connectionless LDAP
  427, // service location
  500, // IKE
  514, // syslog
  520, // RIP
  1434, // SQL Server's browser
  1900, // SSDP
  3283, // remote desktop management
  3702, // WS-Discovery
  5060, // SIP
  5353, // multicast DNS
  5683, // CoAP
  10001, // Ubiquiti discovery
  11211, // memcached
  27015, // game servers' queries
  37810, // video recorders' discovery
]);

/** Who sent a datagram, and where it came to. */
export interface DatagramEnds {
  readonly address: string;
  readonly port: number;
  readonly localPort: number;
}

/** Why an answer to a datagram could run in circles or hit a stranger; undefined when it may be sent. */
export function judgeSender({ address, port, localPort }: DatagramEnds): string | undefined {
  if (answeringPorts.has(port)) return `port ${port} is a service's, which would answer in turn`;
  if (port === localPort) return `port ${port} is this service's own, which would answer in turn`;
  if (isGroup(address)) return 'it is not one sender';
  return undefined;
}

/** Broadcast and multicast addresses, which no datagram can come from. */
function isGroup(text: string): boolean {
  const address = parseAddress(plainAddress(text));
  const [first = 0] = address?.bytes ?? [];
  return address?.family === 6 ? first === 0xff : first >= 224 || first === 0;
}
