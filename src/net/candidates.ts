import type { LookupAddress } from 'node:dns';
import type net from 'node:net';
import { isIP, isIPv4 } from '../address/ip.ts';
import { TnetError } from '../errors.ts';
import { lookupAll } from './lookup.ts';

/** One address to try. */
export interface Candidate {
  readonly address: string;
  readonly family: 4 | 6;
}

/** One address being tried. */
export interface Attempt extends Candidate {
  readonly port: number;
  /** Counts from 0. */
  readonly index: number;
  /** How many addresses there are to try. */
  readonly of: number;
}

/** Which host, and which of its addresses may be tried. */
export interface CandidateQuestion {
  readonly host?: string | undefined;
  readonly family?: 0 | 4 | 6 | undefined;
  readonly localAddress?: string | undefined;
  readonly lookup?: net.LookupFunction | undefined;
  readonly hints?: number | undefined;
}

/**
 * The addresses of a host, in the order in which to try them: synchronously when the host is an address.
 *
 * @throws the resolver's error (ENOTFOUND, …), or TnetError TNET_E_ADDRESS when no address has the wanted family
 */
export function findCandidates(options: CandidateQuestion): Candidate[] | Promise<Candidate[]> {
  const { host = 'localhost', localAddress } = options;
  const wanted = localAddress ? (isIPv4(localAddress) ? 4 : 6) : (options.family ?? 0);
  const kind = isIP(host);
  if (kind !== 0 && (wanted === 0 || kind === wanted)) return [{ address: host, family: kind }];
  if (kind !== 0) return order([], host, wanted);
  return resolve(host, options, wanted).then((found) => order(found, host, wanted));
}

function order(found: readonly LookupAddress[], host: string, wanted: number): Candidate[] {
  const fit = found.filter(({ family }) => wanted === 0 || family === wanted) as Candidate[];
  const candidates = interleave(fit);
  if (candidates.length > 0) return candidates;
  const what = wanted === 0 ? 'IP' : `IPv${wanted}`;
  throw new TnetError('TNET_E_ADDRESS', `${host} has no ${what} address`, { subject: host });
}

async function resolve(host: string, options: CandidateQuestion, family: number): Promise<LookupAddress[]> {
  const { lookup, hints } = options;
  if (!lookup) return lookupAll(host, { family, hints });
  const answer = await new Promise<unknown>((fulfil, reject) => {
    lookup(host, { all: true, family, hints }, (error, addresses) => {
      if (error) reject(error);
      else fulfil(addresses);
    });
  });
  return readAnswer(answer);
}

/** What a lookup function returned. Anything that is not an address must not be looked up again. */
function readAnswer(answer: unknown): LookupAddress[] {
  const given = (Array.isArray(answer) ? answer : [{ address: answer }]) as { address?: unknown }[];
  const words = given.map((entry) => String((entry as typeof entry | null)?.address));
  const addresses = words.filter((word) => isIP(word) !== 0);
  const [wrong] = words;
  if (addresses.length === 0 && wrong !== undefined) {
    throw Object.assign(new TypeError(`Invalid IP address: ${wrong}`), { code: 'ERR_INVALID_IP_ADDRESS' });
  }
  return addresses.map((address) => ({ address, family: isIP(address) }));
}

/** Families take turns, beginning with the resolver's first choice; duplicates are tried once (RFC 8305, 4). */
export function interleave(addresses: readonly Candidate[]): Candidate[] {
  const first = addresses[0]?.family;
  const unique = [...new Map(addresses.map((entry) => [entry.address, entry])).values()];
  const lead = unique.filter(({ family }) => family === first);
  const other = unique.filter(({ family }) => family !== first);
  const length = Math.max(lead.length, other.length);
  return Array.from({ length }, (_, index) => [lead[index], other[index]])
    .flat()
    .filter((entry) => entry !== undefined);
}
