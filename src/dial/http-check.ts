import { request, type IncomingMessage } from 'node:http';
import { TnetError } from '../errors.ts';
import type { Connection } from '../net/connection.ts';
import { Deadline, rejectOn } from '../net/deadline.ts';
import { hasStatus, type Statuses } from '../protocol/http-status.ts';

/** A request that shows whether a server is ready. */
export interface HttpQuestion {
  /** The path and the query. */
  readonly path: string;
  /** The value of the Host header. */
  readonly host: string;
}

/** Of a body no more is read than this, and for no longer: the status has already said what was asked. */
const [mostBodyBytes, mostBodyMs] = [1024 * 1024, 1_000];

export interface AskOptions {
  /** The limit for the answer's head. Default: none. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a GET request on an open connection and returns the status of the answer, whatever it is: redirects are not
 * followed. The body is read and dropped, and the connection is closed in any case.
 *
 * @throws the connection's error, what node:http says of an answer that is not HTTP as TnetError TNET_E_EXPECT, TnetError
 *   TNET_E_TIMEOUT, or the signal's reason
 */
export async function askHttp(
  connection: Connection,
  { path, host }: HttpQuestion,
  { timeoutMs, signal }: AskOptions,
): Promise<number> {
  const answer = Promise.withResolvers<IncomingMessage>();
  const asking = request({
    createConnection: () => connection,
    path,
    headers: { host, accept: '*/*', 'user-agent': 'tnet', connection: 'close' },
  });
  using deadline = new Deadline('no answer to the request', timeoutMs, signal);
  asking
    .on('response', answer.resolve)
    // A server that changes the protocol has answered, with status 101.
    .on('upgrade', answer.resolve)
    .on('error', (error) => answer.reject(explain(error)))
    .end();
  try {
    const response = await Promise.race([answer.promise, rejectOn(deadline.signal)]);
    await dropBody(response);
    return response.statusCode ?? 0;
  } finally {
    asking.destroy();
    connection.on('error', () => undefined).destroy();
  }
}

/** @throws TnetError TNET_E_EXPECT for an answer with another status */
export function requireStatus(wanted: Statuses, status: number, subject?: string): void {
  if (hasStatus(wanted, status)) return;
  throw new TnetError('TNET_E_EXPECT', `answered with status ${status}, not ${wanted.text}`, {
    ...(subject !== undefined && { subject }),
  });
}

/** A body that breaks off, or has no end, changes nothing. */
async function dropBody(response: IncomingMessage): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const done = () => resolve(undefined);
  const timer = setTimeout(done, mostBodyMs);
  let bytes = 0;
  response
    .on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > mostBodyBytes) done();
    })
    .on('end', done)
    .on('error', done)
    .on('close', done);
  await promise;
  clearTimeout(timer);
}

/** node:http's own errors name a byte of its parser. */
function explain(error: NodeJS.ErrnoException): Error {
  if (error.code?.startsWith('HPE_'))
    return new TnetError('TNET_E_EXPECT', 'the answer is not HTTP', { cause: error });
  if (error.message === 'socket hang up')
    return new TnetError('TNET_E_EXPECT', 'the server ended the connection without an answer', {
      cause: error,
    });
  return error;
}
