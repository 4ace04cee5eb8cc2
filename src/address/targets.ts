import { TnetError, hideUserInfo } from '../errors.ts';
import { isIP } from './ip.ts';
import { formatEndpoint, type Endpoint } from './endpoint.ts';
import { parseOther } from './other-kinds.ts';
import { parseEndpoint, parsePort, parseWords } from './parse.ts';
import { findService, type ServiceProtocol } from './service-names.ts';

/** Ports from the first to the last, both included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** Hosts, and the ports to be tried on each; or one address that has no ports, such as a Unix path. */
type TargetGroup =
  | {
      readonly kind: ServiceProtocol;
      readonly hosts: readonly (string | undefined)[];
      readonly ranges: readonly PortRange[];
    }
  | { readonly endpoint: Endpoint };

/** Many addresses to try, in the order given. They are made one by one: 65535 ports of many hosts need no memory. */
export class Targets implements Iterable<Endpoint> {
  readonly #groups: readonly TargetGroup[];

  constructor(groups: readonly TargetGroup[]) {
    this.#groups = groups;
  }

  /** How many addresses there are. */
  get count(): number {
    return this.#groups.reduce((sum, group) => {
      if ('endpoint' in group) return sum + 1;
      const ports = group.ranges.reduce((count, { from, to }) => count + to - from + 1, 0);
      return sum + group.hosts.length * ports;
    }, 0);
  }

  *[Symbol.iterator](): Generator<Endpoint> {
    for (const group of this.#groups) {
      if ('endpoint' in group) yield group.endpoint;
      else yield* listPorts(group);
    }
  }
}

function* listPorts({
  kind,
  hosts,
  ranges,
}: Extract<TargetGroup, { readonly hosts: unknown }>): Generator<Endpoint> {
  for (const host of hosts) {
    for (const { from, to } of ranges) {
      for (let port = from; port <= to; port++) yield { kind, ...(host !== undefined && { host }), port };
    }
  }
}

/** One address as a list. */
export function oneTarget(endpoint: Endpoint): Targets {
  return new Targets([{ endpoint }]);
}

/** How the words of several addresses are read. */
export interface TargetsOptions {
  /** What plain ports are of, and whose names of services count. Default tcp. */
  readonly protocol?: ServiceProtocol;
  /** Reads a word that is not an address in the grammar of all. Undefined: it is one. */
  readonly readOther?: (word: string) => Endpoint | undefined;
}

/**
 * Reads several addresses: `HOST… PORTS…`, repeated, and addresses in one word, mixed freely. PORTS is a port, a
 * range `20-30`, or a list `22,80,8000-8010`, with service names; `HOST:PORTS` is one word. Without a host the ports
 * are of localhost.
 *
 * @throws TnetError TNET_E_ADDRESS
 */
export function parseTargets(
  words: readonly string[],
  { protocol = 'tcp', readOther }: TargetsOptions = {},
): Targets {
  const groups: TargetGroup[] = [];
  let hosts: string[] = [];
  let ranges: PortRange[] = [];
  const closeGroup = () => {
    const last = hosts.at(-1);
    if (last !== undefined && ranges.length === 0) throw missingPort(last, words.length > 1);
    if (ranges.length > 0)
      groups.push({ kind: protocol, hosts: hosts.length > 0 ? hosts : [undefined], ranges });
    hosts = [];
    ranges = [];
  };
  for (const word of words) {
    const other = readOther?.(word);
    if (other || isWholeAddress(word)) {
      closeGroup();
      groups.push(other ? { endpoint: other } : parseWholeAddress(word, protocol));
    } else if (isPorts(word, hosts.length > 0, protocol)) {
      ranges.push(...parsePorts(word, { protocol }));
    } else {
      if (ranges.length > 0) closeGroup();
      hosts.push(parseHost(word));
    }
  }
  closeGroup();
  return new Targets(groups);
}

/**
 * Reads ports: one, a range `20-30`, or a list of both with commas; a name of /etc/services works for a single one.
 *
 * @throws TnetError TNET_E_ADDRESS
 */
export function parsePorts(
  text: string,
  { subject = text, protocol = 'tcp' }: { subject?: string; protocol?: ServiceProtocol } = {},
): PortRange[] {
  return text.split(',').map((part) => {
    const [, first, last] = /^(\d+)-(\d+)$/.exec(part) ?? [];
    const from = parsePort(first ?? part, protocol);
    const to = parsePort(last ?? first ?? part, protocol);
    if (from > to) throw addressError(subject, `the range ${part} runs backwards`);
    if (from === 0) throw addressError(subject, 'port 0 cannot be connected to');
    return { from, to };
  });
}

function isWholeAddress(word: string): boolean {
  return word === '-' || word.includes('/') || (word.includes(':') && isIP(word) === 0);
}

/** A name is a port only after its host: `-z mail smtp`. */
function isPorts(word: string, isAfterHost: boolean, protocol: ServiceProtocol): boolean {
  if (/^\d+([,-]\d+)*$/.test(word)) return true;
  if (!isAfterHost) return false;
  if (/^\d[^.]*$/.test(word)) return true;
  const isPart = (part: string) => /^\d+(-\d+)?$/.test(part) || findService(part, protocol) !== undefined;
  return word.split(',').every(isPart);
}

function parseWholeAddress(word: string, protocol: ServiceProtocol): TargetGroup {
  const other = parseOther(word);
  if (other) return { endpoint: other };
  const [, host, ports] = /^(\[[^\]]*\]|[^:/]*):([^:/]+)$/.exec(word) ?? [];
  if (ports === undefined || !/[,-]/.test(ports) || /^(?:unix(?:-[a-z]+)?|fd)$/.test(host ?? '')) {
    const written = parseEndpoint(word, protocol);
    const endpoint: Endpoint = written.kind === 'tcp' ? { ...written, kind: protocol } : written;
    if (endpoint.kind === protocol && endpoint.port === 0)
      throw addressError(word, 'port 0 cannot be connected to');
    if (endpoint.kind === 'fd')
      throw addressError(word, 'it is connected already: there is nothing to check or to wait for');
    return { endpoint };
  }
  const ranges = parsePorts(ports, { subject: word, protocol });
  return { kind: protocol, hosts: [host === '' ? undefined : parseHost(host ?? '')], ranges };
}

/** The host as parseWords reads it, whatever the port. */
function parseHost(text: string): string {
  const endpoint = parseWords([text, '1']);
  return endpoint.kind === 'tcp' ? (endpoint.host ?? text) : text;
}

function missingPort(word: string, hasMore: boolean): TnetError {
  const message = hasMore ? 'neither a port nor a host and a port' : 'the port is missing';
  return addressError(word, message);
}

function addressError(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_ADDRESS', message, { subject: hideUserInfo(subject) });
}

/** How a check names an address: the host as the user named it, and the port. */
export function nameTarget(endpoint: Endpoint): { readonly host: string; readonly port?: number } {
  if (endpoint.kind !== 'tcp' && endpoint.kind !== 'udp') return { host: formatEndpoint(endpoint) };
  return { host: endpoint.host ?? 'localhost', port: endpoint.port };
}
