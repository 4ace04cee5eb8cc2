import type { LookupAddress } from 'node:dns';
import { errorCode } from '../errors.ts';
import { readDescriptorLimit, readNextDescriptor } from '../net/descriptor-limit.ts';
import type { RaceOptions } from '../net/happy-eyeballs.ts';
import type { Connection } from './connection.ts';
import { formatEndpoint, formatHostPort, type Endpoint } from './endpoint.ts';
import { nameService } from './services.ts';
import { nameTarget } from './targets.ts';

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
}

export interface CheckOptions {
  /** Opens one connection. It is closed at once, without a byte sent. */
  readonly open: (endpoint: Endpoint) => Promise<Connection>;
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
      const result = await checkOne(next.value, options.open);
      if (options.signal.aborted || isStopped) return;
      if (options.onResult(result) === 'stop') isStopped = true;
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, work));
}

async function checkOne(endpoint: Endpoint, open: CheckOptions['open']): Promise<CheckResult> {
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
    const socket = await open(endpoint);
    const remote = socket.remoteAddress;
    socket.destroy();
    return { ...name, remote, state: 'open', durationMs: performance.now() - startedAt };
  } catch (error) {
    return { ...name, state: stateOf(error), error, durationMs: performance.now() - startedAt };
  }
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

/** A resolver that asks for each host once, however many ports of it are checked. */
export function createCachedLookup(): NonNullable<RaceOptions['lookup']> {
  const { lookup } = process.getBuiltinModule('node:dns').promises;
  const answers = new Map<string, Promise<LookupAddress[]>>();
  return (host, options, callback) => {
    const key = `${host} ${options.family ?? 0}`;
    const answer = answers.get(key) ?? lookup(host, { ...options, all: true });
    answers.set(key, answer);
    answer.then(
      (addresses) => callback(null, addresses),
      (error: unknown) => callback(error as NodeJS.ErrnoException, []),
    );
  };
}
