import { readFileSync } from 'node:fs';

/** Names that must work on a machine without /etc/services (containers have none). Source: IANA's registry. */
const wellKnown: Readonly<Record<string, number>> = {
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

/** The TCP port of a service name, from /etc/services first, or undefined. Source: services(5). */
export function findService(name: string): number | undefined {
  return findInFile(name) ?? wellKnown[name.toLowerCase()];
}

function findInFile(name: string): number | undefined {
  let text: string;
  try {
    text = readFileSync('/etc/services', 'latin1');
  } catch {
    return undefined;
  }
  for (const line of text.split('\n')) {
    const [first, port, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (port?.endsWith('/tcp') && (first === name || aliases.includes(name)))
      return Number.parseInt(port, 10);
  }
  return undefined;
}
