import { TnetError } from '../errors.ts';
import { connect, isIP, type ConnectOptions, type Socket } from '../net/index.ts';
import { formatEndpoint, formatHostPort, type Endpoint } from './endpoint.ts';

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
  const common = { allowHalfOpen: true, dataBeforeError: true, noDelay: true };
  if (endpoint.kind === 'unix') return open({ ...common, path: endpoint.path }, endpoint, options);
  if (endpoint.kind !== 'tcp') {
    const message = `cannot connect to ${formatEndpoint(endpoint)}`;
    throw new TnetError('TNET_E_UNSUPPORTED', message, { subject: formatEndpoint(endpoint) });
  }
  const { host = 'localhost', port } = endpoint;
  if (options.numericOnly && isIP(host) === 0) {
    throw new TnetError('TNET_E_ADDRESS', 'not an IP address, and -n forbids DNS', { subject: host });
  }
  const { family, localAddress, localPort } = options;
  return open({ ...common, host, port, family, localAddress, localPort }, endpoint, options);
}

async function open(target: ConnectOptions, endpoint: Endpoint, options: DialOptions): Promise<Socket> {
  const { timeoutMs, signal, onAttempt, onAttemptFailed } = options;
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect({ ...target, signal });
  socket.on('connectionAttempt', (ip: string, port: number) => onAttempt?.(formatHostPort(ip, port)));
  socket.on('connectionAttemptFailed', (ip: string, port: number, _family: number, error: Error) => {
    onAttemptFailed?.(formatHostPort(ip, port), error);
  });
  // The deadline's own timer: socket.setTimeout only emits, and does not keep the process alive.
  const deadline =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const message = `no connection within ${timeoutMs} ms`;
          socket.destroy(new TnetError('TNET_E_TIMEOUT', message, { subject: formatEndpoint(endpoint) }));
        }, timeoutMs);
  socket.once('connect', () => resolve(socket));
  socket.once('error', reject);
  try {
    return await promise;
  } finally {
    clearTimeout(deadline);
    socket.off('error', reject);
  }
}
