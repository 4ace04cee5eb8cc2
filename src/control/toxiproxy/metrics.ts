import type { ControlAnswer } from '../request.ts';
import type { SteeredSight } from '../steered.ts';
import type { ShownProxy } from './proxies.ts';

/**
 * The counters of toxiproxy's `-proxy-metrics`, in the format of Prometheus, at this moment. What a proxy has received is
 * counted once it has been sent on: it and what has been sent are the same here.
 */
export function showMetrics(
  sight: Pick<SteeredSight, 'moved'>,
  proxies: readonly ShownProxy[],
): ControlAnswer {
  const samples = proxies.flatMap(({ name, listen, upstream }) => {
    const { sentBytes, receivedBytes } = sight.moved(name);
    const labels = (direction: string) =>
      Object.entries({ direction, listener: listen, proxy: name, upstream })
        .map(([label, value]) => `${label}="${escape(value)}"`)
        .join(',');
    return [`{${labels('upstream')}} ${receivedBytes}`, `{${labels('downstream')}} ${sentBytes}`];
  });
  const lines = ['received', 'sent'].flatMap((what) => {
    const counter = `toxiproxy_proxy_${what}_bytes_total`;
    const help = `# HELP ${counter} The bytes ${what} by a proxy in a direction.`;
    return [help, `# TYPE ${counter} counter`, ...samples.map((sample) => counter + sample)];
  });
  const headers = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
  return { status: 200, headers, body: `${lines.join('\n')}\n` };
}

/** A label's value. Source: Prometheus, Exposition formats. */
function escape(value: string): string {
  return value.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n');
}
