import { roundMs } from '../quantities.ts';
import type { HandlerEnding } from './handler.ts';
import type { ServeHost } from './host.ts';
import type { OpenConnection } from './ledger.ts';

/** How a connection leaves the ledger. `isProbe`: it came and went without a word. */
type Leaving = Omit<HandlerEnding, 'close'> & { readonly isProbe?: boolean };

/**
 * Strikes a connection off the ledger and reports its end, once.
 *
 * @param lastedMs how long it was there. Default: until now
 */
export function leave(
  entry: OpenConnection,
  host: ServeHost,
  { reason, error, subject, isProbe = false, failed = false }: Leaving,
  lastedMs = performance.now() - entry.startedAt,
): void {
  const { id, remote } = entry;
  // A fault may end a connection that is being ended already.
  if (!host.ledger.open.has(entry)) return;
  const moved = entry.moved?.() ?? { sentBytes: 0, receivedBytes: 0 };
  const counted = { ...moved, failed: failed || error !== undefined };
  host.ledger.leave(entry, { ...counted, ...(isProbe && { isProbe }) });
  if (error) host.fail(subject ?? remote, error, id);
  host.emit({ event: 'ended', id, remote, reason, ...moved, durationMs: roundMs(lastedMs) });
}
