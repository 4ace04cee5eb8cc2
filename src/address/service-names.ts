import { ownValue } from '../own-value.ts';

/** What carries a service. */
export type ServiceProtocol = 'tcp' | 'udp';

/** Names that must work on a machine without /etc/services (containers have none). Source: IANA's registry. */
const wellKnownTcp: Readonly<Record<string, number>> = {
  echo: 7,
  discard: 9,
  daytime: 13,
  qotd: 17,
  chargen: 19,
  'ftp-data': 20,
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  time: 37,
  whois: 43,
  domain: 53,
  gopher: 70,
  finger: 79,
  http: 80,
  kerberos: 88,
  pop3: 110,
  ident: 113,
  nntp: 119,
  ntp: 123,
  imap2: 143,
  imap: 143,
  snmp: 161,
  bgp: 179,
  irc: 194,
  ldap: 389,
  https: 443,
  submissions: 465,
  syslog: 514,
  submission: 587,
  ldaps: 636,
  rsync: 873,
  ftps: 990,
  telnets: 992,
  imaps: 993,
  pop3s: 995,
  socks: 1080,
  mqtt: 1883,
  mysql: 3306,
  postgresql: 5432,
  amqp: 5672,
  redis: 6379,
  git: 9418,
};

const wellKnownUdp: Readonly<Record<string, number>> = {
  echo: 7,
  discard: 9,
  daytime: 13,
  qotd: 17,
  chargen: 19,
  time: 37,
  domain: 53,
  bootps: 67,
  bootpc: 68,
  tftp: 69,
  kerberos: 88,
  ntp: 123,
  snmp: 161,
  'snmp-trap': 162,
  ldap: 389,
  https: 443,
  isakmp: 500,
  syslog: 514,
  openvpn: 1194,
  radius: 1812,
  mdns: 5353,
};

const wellKnown = { tcp: wellKnownTcp, udp: wellKnownUdp };

let readServices = (): string => '';
const namesByPort = new Map<ServiceProtocol, ReadonlyMap<number, string>>();

/**
 * Names the machine's own list of services, in the form of services(5), which takes precedence over the names known
 * here. It is read when a name is first looked up; a list that cannot be read counts as empty.
 */
export function useServiceList(read: () => string): void {
  readServices = read;
  namesByPort.clear();
}

/** The port of a service name, from the machine's list first, or undefined. */
export function findService(name: string, protocol: ServiceProtocol = 'tcp'): number | undefined {
  const listed = listServices(protocol).find((line) => line.name === name || line.aliases.includes(name));
  return listed?.port ?? ownValue(wellKnown[protocol], name.toLowerCase());
}

/** The service name of a port, or undefined. The list is read once. */
export function nameService(port: number, protocol: ServiceProtocol = 'tcp'): string | undefined {
  let names = namesByPort.get(protocol);
  if (!names) {
    names = new Map([
      ...Object.entries(wellKnown[protocol]).map(([name, number]): [number, string] => [number, name]),
      // The first name of a port is the one to keep, and a Map keeps the last.
      ...listServices(protocol)
        .reverse()
        .map(({ name, port: number }): [number, string] => [number, name]),
    ]);
    namesByPort.set(protocol, names);
  }
  return names.get(port);
}

interface ServiceLine {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly port: number;
}

function listServices(protocol: ServiceProtocol): ServiceLine[] {
  const lines: ServiceLine[] = [];
  for (const line of readServices().split('\n')) {
    const [name = '', port, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (port?.endsWith(`/${protocol}`)) lines.push({ name, aliases, port: Number.parseInt(port, 10) });
  }
  return lines;
}
