import { domainToASCII } from 'node:url';
import { embeddedIPv4, findNearKind } from './address.ts';
import { classifyAddress } from './class.ts';
import { explainNumericForm } from './host-rules.ts';
import { isIP } from './ip.ts';
import { parseBlock, unmapPrefix, blockOf, wholeAddress, type Block, type Prefix } from './prefix.ts';
import { parsePorts, type PortRange } from './targets.ts';
import { TnetError } from '../errors.ts';

/**
 * What an address is for, in a word: `private` is what a site has for itself (10.0.0.0/8, fc00::/7, 100.64.0.0/10, …),
 * `global` what the whole Internet can reach, and `special` all the rest. Source: IANA's registries, see ./class.ts.
 */
export const targetClasses = ['loopback', 'link-local', 'private', 'multicast', 'special', 'global'] as const;

export type TargetClass = (typeof targetClasses)[number];

/** One entry of a list of targets. */
export interface TargetEntry {
  /** As it was written. */
  readonly text: string;
  readonly hosts:
    | { readonly kind: 'any' }
    /** `isSuffix`: the names under it, and not the name itself. */
    | { readonly kind: 'name'; readonly name: string; readonly isSuffix: boolean }
    | { readonly kind: 'class'; readonly name: TargetClass }
    | { readonly kind: 'block'; readonly block: Block };
  /** Undefined: every port. */
  readonly ports: readonly PortRange[] | undefined;
}

/**
 * Reads an entry: `*`, a class (`private`), a CIDR block or an address, `*.example.com` for the names under it, or a
 * name; with a port, a range or a list of them after a colon: `*:25`, `10.0.0.0/8:80,8000-8010`, `[2001:db8::/32]:443`.
 *
 * A name without a dot needs one at its end (`db.`), unless it is localhost: a class with a mistake in it would
 * otherwise be a name that nobody asks for.
 *
 * @throws TnetError TNET_E_ADDRESS
 */
export function parseTargetEntry(text: string): TargetEntry {
  const { host, ports } = splitPorts(text);
  return {
    text,
    hosts: readHosts(host),
    ports: ports === undefined ? undefined : parsePorts(ports, { subject: text }),
  };
}

/** IPv6 has brackets before a port. */
function splitPorts(text: string): { host: string; ports: string | undefined } {
  const [, bracketed, after] = /^\[([^\]]*)\](?::(.*))?$/s.exec(text) ?? [];
  if (bracketed !== undefined) return { host: bracketed, ports: after };
  const colon = text.indexOf(':');
  if (colon < 0 || colon !== text.lastIndexOf(':')) return { host: text, ports: undefined };
  return { host: text.slice(0, colon), ports: text.slice(colon + 1) };
}

function readHosts(host: string): TargetEntry['hosts'] {
  if (host === '*') return { kind: 'any' };
  const found = targetClasses.find((name) => name === host.toLowerCase());
  if (found) return { kind: 'class', name: found };
  if (host.includes('/') || host.includes(':') || isIP(host) !== 0) {
    const { prefix, text } = parseBlock(host);
    return { kind: 'block', block: blockOf(unmapPrefix(prefix), text) };
  }
  const form = explainNumericForm(host);
  if (form !== undefined) throw entryError(form, host);
  const isSuffix = host.startsWith('*.');
  const name = plainName(isSuffix ? host.slice(2) : host);
  if (!/^(?:[a-z0-9_-]+\.)*[a-z0-9_-]+$/.test(name)) {
    throw entryError('expected a CIDR block, an address, a class, a name or *.NAME', host);
  }
  if (!isSuffix && !name.includes('.') && name !== 'localhost' && !host.endsWith('.')) {
    const message = `not one of ${targetClasses.join(', ')}; a name without a dot needs one at its end`;
    throw entryError(message, host);
  }
  return { kind: 'name', name, isSuffix };
}

function entryError(message: string, subject: string): TnetError {
  return new TnetError('TNET_E_ADDRESS', message, { subject });
}

/**
 * A name as it can be compared: as the resolver asks for it, which turns capitals and characters beyond ASCII into
 * plain ones, and without the dot at its end.
 */
export function plainName(host: string): string {
  return (domainToASCII(host) || host.toLowerCase()).replace(/\.$/, '');
}

/** Puts the ports of an entry together again, whose commas have separated them: `a.example:80`, `443`. */
export function joinPorts(texts: readonly string[]): string[] {
  const joined: string[] = [];
  for (const text of texts) {
    const before = joined.at(-1);
    const isMore = /^\d+(?:-\d+)?$/.test(text) && before !== undefined && /[^:]:[^:\]]+$/.test(before);
    if (isMore) joined[joined.length - 1] = `${before},${text}`;
    else joined.push(text);
  }
  return joined;
}

/** A block with a mistake is not the name of a file. */
export function isTargetFile(text: string): boolean {
  return text.includes('/') && isIP(text.replace(/^\[/, '').split('/')[0] ?? '') === 0;
}

/** An address, prepared for being compared with many entries. */
export interface JudgedAddress {
  readonly whole: Prefix;
  /** The IPv4 address that it carries, if any. */
  readonly inner: Prefix | undefined;
  readonly classes: ReadonlySet<TargetClass>;
}

/** Undefined when the text is not an address. */
export function prepareAddress(text: string): JudgedAddress | undefined {
  const whole = wholeAddress(text);
  if (!whole) return undefined;
  const embedded = embeddedIPv4(whole)?.address;
  const inner = embedded && wholeAddress(embedded.bytes.join('.'));
  return { whole, inner, classes: new Set(findClasses(text, inner ?? whole)) };
}

const privateNames = new Set([
  'Private-Use',
  'Unique-Local',
  'Shared Address Space',
  'Deprecated (previously Site-Local Unicast)',
]);
const multicastNames = new Set(['Multicast', 'Limited Broadcast']);

function findClasses(text: string, address: Prefix): TargetClass[] {
  const found = classifyAddress(address);
  const near = findNearKind(text);
  const name = found?.name ?? '';
  return [
    // Connecting to the unspecified address connects to loopback.
    ...(near === 'loopback' || near === 'unspecified' ? ['loopback' as const] : []),
    ...(near === 'link-local' ? [near] : []),
    ...(privateNames.has(name) ? ['private' as const] : []),
    ...(multicastNames.has(name) ? ['multicast' as const] : []),
    found?.globallyReachable === true ? 'global' : 'special',
  ];
}

/** Whether an entry is for a port. */
export function hasPort({ ports }: TargetEntry, port: number): boolean {
  return ports === undefined || ports.some(({ from, to }) => from <= port && port <= to);
}

/** Whether an entry is for a host whatever its address: by its name, or because it is for all. */
export function coversName({ hosts }: TargetEntry, name: string | undefined): boolean {
  if (hosts.kind === 'any') return true;
  if (hosts.kind !== 'name' || name === undefined) return false;
  return hosts.isSuffix ? name.endsWith(`.${hosts.name}`) : name === hosts.name;
}

/** Whether an entry judges addresses, and not names. */
export function isOfAddresses({ hosts }: TargetEntry): boolean {
  return hosts.kind === 'block' || hosts.kind === 'class';
}

/** Whether an entry is for an address. `inAnyForm`: also where it is the IPv4 address within an IPv6 one. */
export function coversAddress({ hosts }: TargetEntry, address: JudgedAddress, inAnyForm: boolean): boolean {
  if (hosts.kind === 'class') return address.classes.has(hosts.name);
  if (hosts.kind !== 'block') return false;
  const { whole, inner } = address;
  return hosts.block.covers(whole) || (inAnyForm && inner !== undefined && hosts.block.covers(inner));
}

const nearNames = new Set(['Loopback', 'Loopback Address', 'Link Local', 'Link-Local Unicast']);

/** Whether an entry is for nothing but loopback or link-local addresses: whoever writes it means them. */
export function isOfNear({ hosts }: TargetEntry): boolean {
  if (hosts.kind === 'class') return hosts.name === 'loopback' || hosts.name === 'link-local';
  if (hosts.kind !== 'block') return false;
  return nearNames.has(classifyAddress(hosts.block.prefix)?.name ?? '');
}
