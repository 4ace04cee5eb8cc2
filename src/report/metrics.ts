import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';

/** The sums that metrics are made of, at one moment. */
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
 * A server's sums in the format of Prometheus, by its official client, as `tnet_SERVER_…`. Asked for once a scrape:
 * nothing is counted twice, and nothing costs anything in between.
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
