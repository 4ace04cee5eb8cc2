import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { ServeError } from '../../src/serve/service.ts';
import type { MetricsOptions } from '../../src/serve/metrics-server.ts';
import type { Context } from '../context.ts';
import { holdsTerminal } from '../../src/dial/terminal.ts';
import { isTerminal } from '../../src/report/is-terminal.ts';
import type { LiveSample } from '../../src/report/live-rates.ts';
import type { LiveNames } from '../../src/report/live-table.ts';
import { wantsColor } from '../../src/report/paint.ts';

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
  const { server, address } = await serveMetrics(endpoint, { ...options, fail }).catch(
    async (error: unknown) => {
      const { explainBind } = await import('../../src/net/own-side.ts');
      const port = 'port' in endpoint ? endpoint.port : 0;
      throw new ServeError(formatEndpoint(endpoint), explainBind(error, { kind: 'tcp', port }));
    },
  );
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

/**
 * Shows on stdout what `look` finds, from now on. While the screen is drawn on, lines for a stderr that is a terminal
 * are shown on it, and are printed at the end.
 *
 * @returns what ends the view, and may be called more than once
 */
export async function startLive(
  { reporter }: Context,
  names: LiveNames,
  look: () => LiveSample,
): Promise<() => void> {
  const { startLiveView } = await import('../../src/report/live-view.ts');
  const { stdout, stderr } = process;
  // A reader that is gone ends the view, and not what is viewed.
  stdout.on('error', () => undefined);
  const isColoured = wantsColor(process.argv.slice(2), 1);
  const { stdin } = process;
  const keyboard = stdin.isTTY && holdsTerminal() ? stdin : undefined;
  const view = await startLiveView({ names, look, stream: stdout, isColoured, keyboard });
  const { write } = reporter;
  if (view.isOnScreen && isTerminal(2)) reporter.write = (line) => view.say(line);
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    reporter.write = write;
    for (const line of view.stop()) stderr.write(`${line}\n`);
  };
}
