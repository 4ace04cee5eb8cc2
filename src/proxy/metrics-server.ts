import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { formatEndpoint, formatHostPort, formatPath, type Endpoint } from '../endpoint/endpoint.ts';
import { TnetError } from '../errors.ts';
import { createMetrics, type MetricSums } from '../report/metrics.ts';

export interface MetricsOptions {
  readonly sum: () => MetricSums;
  /** Brings what is summed up to date, where that takes asking. */
  readonly refresh: () => Promise<void> | undefined;
  /** Whether new clients are accepted: what /healthz answers. */
  readonly isReady: () => boolean;
}

/**
 * Serves `/metrics`, and `/healthz` (200 while clients are accepted, 503 while the proxy drains).
 *
 * @returns the server, which the caller closes, and what it has bound
 * @throws the system's error
 */
export async function serveMetrics(
  endpoint: Endpoint,
  { sum, refresh, isReady }: MetricsOptions,
): Promise<{ readonly server: Server; readonly address: string }> {
  const metrics = createMetrics(sum);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname === '/healthz') {
      response.writeHead(isReady() ? 200 : 503, { 'content-type': 'text/plain' });
      response.end(isReady() ? 'ok\n' : 'draining\n');
    } else if (pathname === '/metrics') {
      void Promise.resolve(refresh())
        .then(() => metrics.render())
        .then((text) => {
          response.writeHead(200, { 'content-type': metrics.contentType });
          response.end(text);
        });
    } else {
      response.writeHead(404).end();
    }
  });
  if (endpoint.kind === 'unix') server.listen(endpoint.path);
  else if (endpoint.kind === 'tcp') server.listen(endpoint.port, endpoint.host ?? '127.0.0.1');
  else {
    const subject = formatEndpoint(endpoint);
    throw new TnetError('TNET_E_USAGE', '--metrics listens on TCP or a Unix socket', { subject });
  }
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null) throw new Error('the server is bound');
  return {
    server,
    address: typeof bound === 'string' ? formatPath(bound) : formatHostPort(bound.address, bound.port),
  };
}
