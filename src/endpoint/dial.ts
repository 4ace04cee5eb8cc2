import { once } from 'node:events';
import { TnetError } from '../errors.ts';
import { connectTcp } from '../net/happy-eyeballs.ts';
import { connect, type Socket } from '../net/index.ts';
import { requireNumericHost } from './numeric.ts';
import { formatEndpoint, formatHostPort, formatPath, type Endpoint } from './endpoint.ts';

export interface DialOptions {
  /** Only addresses of this family. Default: both. */
  readonly family?: 4 | 6;
  /** Refuse host names: no DNS. Default false. */
  readonly numericOnly?: boolean;
  /** The address and port to connect from. Default: the system's choice. */
  readonly localAddress?: string;
  readonly localPort?: number;
  /** Limit for DNS and all attempts together. Default: none. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly onAttempt?: (address: string) => void;
  readonly onAttemptFailed?: (address: string, error: Error) => void;
}

/**
 * Opens a connection to an endpoint. The socket is half-open capable, sends small writes at once (no Nagle), and
 * delivers what was received before an error. The caller closes it.
 *
 * @throws the system's error (`ECONNREFUSED`, …), an AggregateError when several addresses failed, or TnetError
 *   TNET_E_TIMEOUT, TNET_E_ADDRESS.
 */
export async function dial(endpoint: Endpoint, options: DialOptions = {}): Promise<Socket> {
  const { family, localAddress, localPort, timeoutMs, signal, onAttempt, onAttemptFailed } = options;
  if (endpoint.kind === 'unix') return dialPath(endpoint.path, options);
  if (endpoint.kind !== 'tcp') {
    const message = `cannot connect to ${formatEndpoint(endpoint)}`;
    throw new TnetError('TNET_E_UNSUPPORTED', message, { subject: formatEndpoint(endpoint) });
  }
  const { host = 'localhost', port } = endpoint;
  if (options.numericOnly) requireNumericHost({ ...endpoint, host });
  return connectTcp({
    ...socketOptions,
    host,
    port,
    family,
    localAddress,
    localPort,
    timeoutMs,
    signal,
    onAttempt: (attempt) => onAttempt?.(formatHostPort(attempt.address, attempt.port)),
    onAttemptFailed: (attempt, error) =>
      onAttemptFailed?.(formatHostPort(attempt.address, attempt.port), error),
  });
}

const socketOptions = { allowHalfOpen: true, dataBeforeError: true, noDelay: true } as const;

async function dialPath(path: string, { onAttempt, onAttemptFailed }: DialOptions): Promise<Socket> {
  const subject = formatPath(path);
  onAttempt?.(subject);
  const socket = connect({ ...socketOptions, path });
  try {
    // A Unix socket connects or fails at once: no limit is needed.
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    onAttemptFailed?.(subject, error as Error);
    throw error;
  }
}
