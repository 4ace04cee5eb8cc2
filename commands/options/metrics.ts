import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { ServeError } from '../../src/serve/serve-error.ts';
import type { MetricsOptions } from '../../src/serve/metrics-server.ts';
import type { Context } from '../context.ts';

/** Metrics that are served. */
export interface ServedMetrics {
  /** What has been bound. */
  readonly address: string;
  readonly close: () => void;
}

/**
 * Serves a server's metrics and says where; undefined when `signal` has ended the command meanwhile.
 *
 * @throws ServeError
 */
export async function startMetrics(
  { reporter }: Context,
  endpoint: Endpoint,
  signal: AbortSignal,
  options: Omit<MetricsOptions, 'fail'>,
): Promise<ServedMetrics | undefined> {
  const { serveMetrics } = await import('../../src/serve/metrics-server.ts');
  const fail: MetricsOptions['fail'] = (subject, error) => reporter.fail(subject, error);
  const { server, address } = await serveMetrics(endpoint, { ...options, fail }).catch((error: unknown) => {
    throw new ServeError(formatEndpoint(endpoint), error);
  });
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  if (signal.aborted) {
    close();
    return undefined;
  }
  reporter.emit({ event: 'metrics', url: `http://${address}/metrics` });
  return { address, close };
}
