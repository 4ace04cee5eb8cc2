import type { LookupAddress } from 'node:dns';
import { errorCode } from '../errors.ts';
import { lookupAll } from '../net/lookup.ts';
import { readDescriptorLimit, readNextDescriptor } from '../net/descriptors.ts';
import type { RaceOptions } from '../net/happy-eyeballs.ts';
import { type Connection, leaveInOrder } from '../net/connection.ts';
import { createPortScan, type Probe } from '../net/scan.ts';
import type { Endpoint } from '../address/endpoint.ts';
import type { CheckState } from '../report/events.ts';
import { isIP } from '../address/ip.ts';
import type { DialOptions } from './dial-options.ts';
import { dial } from './dial.ts';

/** What a check found at one address. */
export interface CheckResult {
  readonly endpoint: Endpoint;
  /** The IP address that accepted. */
  readonly remote?: string | undefined;
  readonly state: CheckState;
  /** Whether it is as it was wanted: open, unless something else was looked for. */
  readonly isMet: boolean;
  /** Set for one that is not open. The error may be created when it is first read: most never are. */
  readonly failure?: { readonly error?: unknown } | undefined;
  /** From the first SYN to the answer if only a connection was asked for; else the time of the whole check. */
  readonly durationMs: number;
  /** The first line that the server sent. */
  readonly banner?: string;
}

/** What was looked for and found, where that is not an open connection. */
export interface Seen {
  readonly state: CheckState;
  /** Why nobody is there. */
  readonly error?: unknown;
  /** The IP address that was found. */
  readonly remote?: string | undefined;
}

export interface CheckOptions {
  /** Looks at an endpoint in another way than by connecting to it. Undefined, or no result: it is connected to. */
  readonly look?: ((endpoint: Endpoint, options: DialOptions) => Promise<Seen | undefined>) | undefined;
  /** How long an open one may take to send something, in milliseconds. Default: nothing is read. */
  readonly bannerMs?: number | undefined;
  /** How a connection is opened. It is closed again in order, without a byte sent. */
  readonly readDialOptions: (endpoint: Endpoint) => Promise<DialOptions>;
  /** The options of addresses without TLS: the same for all, and read once. Absent: they are read for each. */
  readonly shared?: DialOptions | undefined;
  readonly lookup: SharedLookup;
  /** Attempts in parallel. */
  readonly atOnce: number;
  /** Called in the order in which the answers arrive. Returning `stop` leaves the rest unchecked. */
  readonly onResult: (result: CheckResult) => 'stop' | undefined;
  readonly signal: AbortSignal;
}

/** The options of a check that only connects: all others need the dialer. */
const plainOptions = new Set(['family', 'numericOnly', 'timeoutMs', 'signal']);

function isPlain(options: DialOptions): boolean {
  return Object.entries(options).every(([name, value]) => value === undefined || plainOptions.has(name));
}

/** An address that is scanned. */
interface ScannedPort extends Probe {
  readonly endpoint: Endpoint;
}

/** The outcome of one check: a connection, or an error. */
interface Finding {
  readonly socket?: Connection;
  readonly seen?: Seen;
  readonly error?: unknown;
  readonly code?: string | undefined;
  readonly durationMs: number;
}

/** Checks every address, a limited number at once. Ends early when the signal is aborted. */
export async function checkAll(endpoints: Iterable<Endpoint>, options: CheckOptions): Promise<void> {
  const { atOnce, shared, lookup, onResult } = options;
  const queue = endpoints[Symbol.iterator]();
  const over = Promise.withResolvers<undefined>();
  const ending = new AbortController();
  let running = 0;
  const leave = () => {
    running--;
    fill();
  };
  const take = (endpoint: Endpoint, finding: Finding) => {
    const { socket } = finding;
    if (!socket || options.bannerMs === undefined || ending.signal.aborted) {
      tell(endpoint, finding);
      return;
    }
    // What was found before the stop counts, whether or not the server has sent something.
    void readBanner(socket, options.bannerMs, ending.signal).then((banner) =>
      tell(endpoint, finding, banner),
    );
  };
  const tell = (endpoint: Endpoint, finding: Finding, banner?: string) => {
    const { socket } = finding;
    if (!ending.signal.aborted || banner !== undefined) {
      const result = toResult(endpoint, finding, banner);
      if (onResult(result) === 'stop') end();
    }
    if (socket) void leaveInOrder(socket).then(leave);
    else leave();
  };
  const scan =
    shared && isPlain(shared)
      ? createPortScan<ScannedPort>({
          atOnce,
          timeoutMs: shared.timeoutMs,
          onAnswer: ({ endpoint }, answer) => take(endpoint, answer),
        })
      : undefined;
  const begin = (endpoint: Endpoint) => {
    const address = scan && endpoint.kind === 'tcp' && lookup.knownAddress(endpoint.host, shared?.family);
    if (address) scan.start({ address, port: endpoint.port, endpoint });
    else {
      checkOne(endpoint, options, ending.signal)
        .then((finding) => take(endpoint, finding))
        .catch(over.reject);
    }
  };
  const fill = () => {
    while (running < atOnce && !ending.signal.aborted) {
      const next = queue.next();
      if (next.done) break;
      running++;
      begin(next.value);
    }
    if (running === 0) over.resolve(undefined);
  };
  const end = () => {
    ending.abort();
    scan?.stop(ending.signal.reason as Error);
  };
  options.signal.addEventListener('abort', end, { once: true });
  if (options.signal.aborted) end();
  fill();
  try {
    await over.promise;
  } finally {
    options.signal.removeEventListener('abort', end);
  }
}

function toResult(endpoint: Endpoint, finding: Finding, banner: string | undefined): CheckResult {
  const { socket, seen, durationMs } = finding;
  if (seen) {
    const failure = seen.error === undefined ? undefined : seen;
    return { endpoint, state: seen.state, isMet: true, remote: seen.remote, failure, durationMs };
  }
  if (!socket) return { endpoint, state: stateOf(finding.code), isMet: false, failure: finding, durationMs };
  const remote = socket.remoteAddress;
  return { endpoint, state: 'open', isMet: true, remote, durationMs, ...(banner && { banner }) };
}

async function checkOne(
  endpoint: Endpoint,
  { readDialOptions, lookup, look }: CheckOptions,
  signal: AbortSignal,
): Promise<Finding> {
  const startedAt = performance.now();
  try {
    const dialOptions = { ...(await readDialOptions(endpoint)), lookup: lookup.lookup, signal };
    const seen = (await look?.(endpoint, dialOptions)) ?? (await lookHere(endpoint, dialOptions));
    if (seen) return { seen, durationMs: performance.now() - startedAt };
    const socket = await dial(endpoint, dialOptions);
    return { socket, durationMs: performance.now() - startedAt };
  } catch (error) {
    return { error, code: errorCode(error), durationMs: performance.now() - startedAt };
  }
}

const peers: readonly Endpoint['kind'][] = ['tcp', 'tls', 'udp', 'unix'];

/** Looks for a program, a file or a device of this machine: running a program, say, would be more than a check. */
async function lookHere(endpoint: Endpoint, { prove }: DialOptions): Promise<Seen | undefined> {
  if (prove || peers.includes(endpoint.kind)) return undefined;
  const { probeLocal } = await import('./local/probe.ts');
  return probeLocal(endpoint) ? { state: 'open' } : undefined;
}

/** A longer banner is truncated. */
const bannerBytes = 256;

/** The first line that arrives in time, '' for none. */
async function readBanner(connection: Connection, withinMs: number, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const done = () => resolve(undefined);
  const timer = setTimeout(done, withinMs);
  const onData = (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= bannerBytes || chunk.includes('\n')) done();
  };
  const ends = ['end', 'error', 'close'] as const;
  signal.addEventListener('abort', done, { once: true });
  connection.on('data', onData);
  for (const event of ends) connection.on(event, done);
  connection.resume();
  if (connection.destroyed) done();
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', done);
  connection.off('data', onData).pause();
  const text = Buffer.concat(chunks).toString('utf8', 0, bannerBytes);
  return (text.split('\n')[0] ?? '').trim();
}

function stateOf(code: string | undefined): CheckState {
  if (code === 'TNET_E_OPEN') return 'open';
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return 'closed';
  return code === 'TNET_E_TIMEOUT' || code === 'ETIMEDOUT' ? 'silent' : 'failed';
}

const mostAtOnce = 256;
/** For everything else that is open: libraries, the resolver, the terminal. */
const spareDescriptors = 32;

/** How many checks may run in parallel: an attempt at a host with two addresses holds two descriptors. */
export function boundChecks(): number {
  const free = readDescriptorLimit() - readNextDescriptor() - spareDescriptors;
  return Math.max(1, Math.min(mostAtOnce, Math.floor(free / 2)));
}

/**
 * A resolver that many checks share: it looks a host up once, and gives the answer, or the failure, to all that ask
 * for it during the lookup or within `keepMs` after it.
 */
export class SharedLookup {
  readonly #keepMs: number;
  readonly #answers = new Map<string, { readonly found: Promise<LookupAddress[]>; staleAt: number }>();
  readonly #single = new Map<string, string>();
  readonly #kinds = new Map<string, 0 | 4 | 6>();

  /**
   * @param keepMs Infinity for checks that try once; short for those that retry, so that each retry looks up again
   */
  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  /** For DialOptions. */
  readonly lookup: NonNullable<RaceOptions['lookup']> = (host, { family, hints }, callback) => {
    const key = keyOf(host, toFamily(family));
    let answer = this.#answers.get(key);
    if (!answer || answer.staleAt <= performance.now()) {
      const fresh = { found: lookupAll(host, { family: toFamily(family), hints }), staleAt: Infinity };
      const age = () => (fresh.staleAt = performance.now() + this.#keepMs);
      fresh.found.then(age, age);
      this.#answers.set(key, (answer = fresh));
    }
    answer.found.then(
      (addresses) => {
        const [only, ...others] = addresses;
        if (only && others.length === 0 && this.#keepMs === Infinity) this.#single.set(key, only.address);
        callback(null, addresses);
      },
      (error: unknown) => callback(error as NodeJS.ErrnoException, []),
    );
  };

  /** The only address of a host, of the family if one is wanted, if it is known without a lookup. */
  knownAddress(host = 'localhost', family: 0 | 4 | 6 = 0): string | undefined {
    let kind = this.#kinds.get(host);
    if (kind === undefined) this.#kinds.set(host, (kind = isIP(host)));
    if (kind === 0) return this.#single.get(keyOf(host, family));
    return family === 0 || family === kind ? host : undefined;
  }
}

function keyOf(host: string, family: number): string {
  return `${host} ${family}`;
}

function toFamily(family: number | 'IPv4' | 'IPv6' | undefined): number {
  return family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : (family ?? 0);
}

/**
 * Why a server is not there; undefined: it is. Connects as a client would, TLS and its certificate included, and closes
 * again in order. Never rejects.
 */
export async function findFailure(endpoint: Endpoint, options: DialOptions): Promise<unknown> {
  try {
    void leaveInOrder(await dial(endpoint, options));
    return undefined;
  } catch (error) {
    return error;
  }
}
