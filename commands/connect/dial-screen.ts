import { formatTargetEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import type { DialOptions } from '../../src/dial/dial-options.ts';
import { describeError } from '../../src/report/sentences.ts';
import { startStatus } from '../../src/report/status-line.ts';
import { formatSpan } from '../../src/report/table.ts';

/** What a user at a terminal sees of a connection that takes long. */
export interface DialScreen {
  /** The same options, which tell the screen what happens. */
  readonly options: DialOptions;
  readonly stop: () => void;
}

export function watchDial(endpoint: Endpoint, options: DialOptions): DialScreen {
  const { observer, patience, timeoutMs } = options;
  const startedAt = performance.now();
  const limit = timeoutMs === undefined ? '' : ` (limit ${formatSpan(timeoutMs)})`;
  let doing =
    'host' in endpoint ? `looking up ${endpoint.host}` : `connecting to ${formatTargetEndpoint(endpoint)}`;
  let lastError: unknown;
  const status = startStatus(process.stderr, {
    text: () =>
      patience
        ? renderWaiting(formatTargetEndpoint(endpoint), lastError, leftMs(patience.withinMs, startedAt))
        : `${doing} …${limit}`,
  });
  return {
    options: {
      ...options,
      observer: {
        ...observer,
        attempt(address) {
          doing = `connecting to ${address}`;
          observer?.attempt?.(address);
        },
        retry(retry) {
          lastError = retry.error;
          observer?.retry?.(retry);
        },
      },
    },
    stop: () => status.stop(),
  };
}

/** How much of a limit is left. */
export function leftMs(withinMs: number | undefined, startedAt: number): number | undefined {
  return withinMs === undefined ? undefined : withinMs - (performance.now() - startedAt);
}

/** `waiting for 127.0.0.1:80: connection refused, 57s left` */
export function renderWaiting(what: string, lastError: unknown, left: number | undefined): string {
  const reason = lastError === undefined ? '' : `: ${describeError(lastError)}`;
  return `waiting for ${what}${reason}${left === undefined ? '' : `, ${formatSpan(left)} left`}`;
}
