import type { LookupAddress } from 'node:dns';
import { errorCode } from '../errors.ts';
import { lookupAll } from '../net/lookup.ts';
import { readDescriptorLimit, readNextDescriptor } from '../net/descriptors.ts';
import type { RaceOptions } from '../net/happy-eyeballs.ts';
import { type Connection, leaveInOrder } from '../net/connection.ts';
import { formatEndpoint, formatHostPort, type Endpoint } from '../address/endpoint.ts';
import { nameService } from '../address/service-names.ts';
import { nameTarget } from '../address/targets.ts';
import type { DialOptions } from './dial-options.ts';
import { dial } from './dial.ts';

/** A server is there, it refuses, nothing comes within the limit, or the attempt failed before (DNS, routes). */
export type CheckState = 'open' | 'closed' | 'silent' | 'failed';

/** What a check found at one address. */
export interface CheckResult {
  readonly address: string;
  readonly host: string;
  readonly port?: number;
  readonly service?: string;
  /** The IP address that accepted. */
  readonly remote?: string;
  readonly state: CheckState;
  readonly error?: unknown;
  readonly durationMs: number;
  /** The first line that the server said. */
  readonly banner?: string;
}

export interface CheckOptions {
  /** Opens one connection. It is left again in order, without a byte sent. */
  readonly open: (endpoint: Endpoint) => Promise<Connection>;
  /** How long an open one may take to say something, in milliseconds. Default: nothing is read. */
  readonly bannerMs?: number | undefined;
  /** Attempts side by side. */
  readonly atOnce: number;
  /** Called in the order in which the answers come. Returning `stop` leaves the rest unchecked. */
  readonly onResult: (result: CheckResult) => 'stop' | undefined;
  readonly signal: AbortSignal;
}

/** Checks every address, a bounded number at once. Ends early when the signal is aborted. */
export async function checkAll(endpoints: Iterable<Endpoint>, options: CheckOptions): Promise<void> {
  const queue = endpoints[Symbol.iterator]();
  let isStopped = false;
  const work = async () => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      const { result, connection } = await checkOne(next.value, options);
      const isOver = options.signal.aborted || isStopped;
      if (!isOver && options.onResult(result) === 'stop') isStopped = true;
      if (connection) await leaveInOrder(connection);
      if (isOver) return;
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, work));
}

/** A finding, and the connection that it was made with. */
interface Finding {
  readonly result: CheckResult;
  readonly connection?: Connection;
}

async function checkOne(endpoint: Endpoint, { open, bannerMs, signal }: CheckOptions): Promise<Finding> {
  const startedAt = performance.now();
  const { host, port } = nameTarget(endpoint);
  const service = port === undefined ? undefined : nameService(port);
  const name = {
    address: port === undefined ? formatEndpoint(endpoint) : formatHostPort(host, port),
    host,
    ...(port !== undefined && { port }),
    ...(service !== undefined && { service }),
  };
  try {
    const connection = await open(endpoint);
    const { remoteAddress: remote } = connection;
    const result = { ...name, remote, state: 'open', durationMs: performance.now() - startedAt } as const;
    const banner = bannerMs === undefined ? '' : await readBanner(connection, bannerMs, signal);
    return { result: banner === '' ? result : { ...result, banner }, connection };
  } catch (error) {
    return { result: { ...name, state: stateOf(error), error, durationMs: performance.now() - startedAt } };
  }
}

/** A longer banner is cut. */
const bannerBytes = 256;

/** The first line that comes within the time, '' for none. */
async function readBanner(connection: Connection, withinMs: number, signal: AbortSignal): Promise<string> {
  let text = '';
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const done = () => resolve(undefined);
  const timer = setTimeout(done, withinMs);
  const onData = (chunk: Buffer) => {
    text += chunk.toString('utf8', 0, bannerBytes);
    if (text.length >= bannerBytes || text.includes('\n')) done();
  };
  const ends = ['end', 'error', 'close'] as const;
  signal.addEventListener('abort', done, { once: true });
  connection.on('data', onData);
  for (const event of ends) connection.on(event, done);
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', done);
  connection.off('data', onData).pause();
  return (text.split('\n')[0] ?? '').slice(0, bannerBytes).trim();
}

function stateOf(error: unknown): CheckState {
  const code = errorCode(error);
  if (code === 'ECONNREFUSED' || code === 'ECONNRESET') return 'closed';
  return code === 'TNET_E_TIMEOUT' || code === 'ETIMEDOUT' ? 'silent' : 'failed';
}

const mostAtOnce = 256;
/** For what else is open: libraries, the resolver, the terminal. */
const spareDescriptors = 32;

/** How many checks may run side by side: an attempt at a host with two addresses holds two descriptors. */
export function boundChecks(): number {
  const free = readDescriptorLimit() - readNextDescriptor() - spareDescriptors;
  return Math.max(1, Math.min(mostAtOnce, Math.floor(free / 2)));
}

/**
 * A resolver that many checks share: it asks for a host once, and gives the answer, or the failure, to all that ask for
 * it while it is sought or within `keepMs` after that.
 *
 * @param keepMs Infinity for checks that try once; little where they try again, so that each try looks up anew
 */
export function createSharedLookup(keepMs: number): NonNullable<RaceOptions['lookup']> {
  const answers = new Map<string, { readonly found: Promise<LookupAddress[]>; staleAt: number }>();
  return (host, { family, hints }, callback) => {
    const key = `${host} ${family ?? 0}`;
    let answer = answers.get(key);
    if (!answer || answer.staleAt <= performance.now()) {
      const fresh = { found: lookupAll(host, { family: toFamily(family), hints }), staleAt: Infinity };
      const age = () => (fresh.staleAt = performance.now() + keepMs);
      fresh.found.then(age, age);
      answers.set(key, (answer = fresh));
    }
    answer.found.then(
      (addresses) => callback(null, addresses),
      (error: unknown) => callback(error as NodeJS.ErrnoException, []),
    );
  };
}

function toFamily(family: number | 'IPv4' | 'IPv6' | undefined): number {
  return family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : (family ?? 0);
}

/**
 * Whether somebody is there: connects as a client would, TLS and its certificate included, and leaves again in order.
 * Never rejects.
 */
export async function isThere(endpoint: Endpoint, options: DialOptions): Promise<boolean> {
  try {
    void leaveInOrder(await dial(endpoint, options));
    return true;
  } catch {
    return false;
  }
}
