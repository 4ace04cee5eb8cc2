import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { Connection } from '../net/connection.ts';
import { formatEndpoint, formatHostPort, formatPath, type Endpoint } from '../address/endpoint.ts';
import { TnetError } from '../errors.ts';
import { ConnectionGuard, type Guarded } from '../net/guard.ts';

/** The sums from which metrics are made, at one moment. */
export interface MetricSums {
  readonly connections: number;
  readonly open: number;
  readonly failed: number;
  readonly probes: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly refused: Readonly<Record<string, number>>;
}

/**
 * A server's sums in the format of Prometheus, by its official client, as `tnet_SERVER_…`. Collected once per
 * scrape: nothing is counted twice, and there is no cost in between.
 */
export function createMetrics(
  server: string,
  sum: () => MetricSums,
): {
  readonly contentType: string;
  render(): Promise<string>;
} {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const rising = (name: string, help: string, read: (sums: MetricSums) => number) => {
    new Counter({
      name: `tnet_${server}_${name}_total`,
      help,
      registers: [registry],
      collect() {
        this.reset();
        this.inc(read(sum()));
      },
    });
  };
  rising('connections', 'Connections accepted.', ({ connections }) => connections);
  rising('failed', 'Connections that ended with an error.', ({ failed }) => failed);
  rising('probes', 'Connections that came and went without a word.', ({ probes }) => probes);
  rising('sent_bytes', 'Bytes that clients were sent.', ({ sentBytes }) => sentBytes);
  rising('received_bytes', 'Bytes that clients sent.', ({ receivedBytes }) => receivedBytes);
  new Counter({
    name: `tnet_${server}_refused_total`,
    help: 'Clients that were turned away, by reason.',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [reason, count] of Object.entries(sum().refused)) this.inc({ reason }, count);
    },
  });
  new Gauge({
    name: `tnet_${server}_open_connections`,
    help: 'Connections that are open now.',
    registers: [registry],
    collect() {
      this.set(sum().open);
    },
  });
  return { contentType: registry.contentType, render: () => registry.metrics() };
}

export interface MetricsOptions {
  /** The command whose metrics they are: the second word of their names. */
  readonly server: string;
  readonly sum: () => MetricSums;
  /** Brings the sums up to date, if that requires asking workers. */
  readonly refresh: () => Promise<void> | undefined;
  /** Whether new clients are accepted: what /healthz answers. */
  readonly isReady: () => boolean;
  /** Reports a failure: its subject and its error. */
  readonly fail: (subject: string, error: unknown) => void;
}

/** By connection: a fault while serving a request ends that connection, and nothing else. */
const guards = new WeakMap<Guarded, ConnectionGuard>();

/** The path of a request's target, in the origin or the absolute form; undefined when it is neither (RFC 9112, 3.2). */
function readPath(target: string): string | undefined {
  return /^(?:https?:\/\/[^/?#]+)?(\/(?!\/)[^?#]*)/i.exec(target)?.[1];
}

function nameOf({ remoteAddress, remotePort = 0 }: Pick<Connection, 'remoteAddress' | 'remotePort'>): string {
  return remoteAddress === undefined ? 'metrics' : formatHostPort(remoteAddress, remotePort);
}

/**
 * Serves `/metrics`, and `/healthz` (200 while clients are accepted, 503 before and after that).
 *
 * @returns the server, which the caller closes, and what it has bound
 * @throws the system's error
 */
export async function serveMetrics(
  endpoint: Endpoint,
  { server: name, sum, refresh, isReady, fail }: MetricsOptions,
): Promise<{ readonly server: Server; readonly address: string }> {
  const metrics = createMetrics(name, sum);
  const answer = async (target: string, response: ServerResponse) => {
    const path = readPath(target);
    if (path === '/healthz') {
      response.writeHead(isReady() ? 200 : 503, { 'content-type': 'text/plain' });
      response.end(isReady() ? 'ok\n' : 'draining\n');
    } else if (path === '/metrics') {
      await refresh();
      const text = await metrics.render();
      response.writeHead(200, { 'content-type': metrics.contentType });
      response.end(text);
    } else {
      response.writeHead(path === undefined ? 400 : 404).end();
    }
  };
  const server = createServer();
  server.on('connection', (socket) => {
    const guard = new ConnectionGuard((fault) => fail(nameOf(socket), fault));
    guard.watch(socket);
    guards.set(socket, guard);
  });
  server.on('request', ({ url = '', socket }, response) => {
    void guards.get(socket)?.run(() => answer(url, response));
  });
  if (endpoint.kind === 'unix') server.listen(endpoint.path);
  else if (endpoint.kind === 'tcp') server.listen(endpoint.port, endpoint.host ?? '127.0.0.1');
  else {
    const subject = formatEndpoint(endpoint);
    throw new TnetError('TNET_E_USAGE', '--metrics listens on TCP or a Unix socket', { subject });
  }
  await once(server, 'listening');
  server.on('error', (error) => fail(formatEndpoint(endpoint), error));
  const bound = server.address();
  if (bound === null) throw new Error('the server is bound');
  return {
    server,
    address: typeof bound === 'string' ? formatPath(bound) : formatHostPort(bound.address, bound.port),
  };
}
