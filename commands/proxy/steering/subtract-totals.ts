import type { Totals } from '../../../src/serve/ledger.ts';

/** What has been done since `before`. What is open stays as it is. */
export function subtractTotals(now: Totals, before: Totals): Totals {
  const refused = Object.entries(now.refused).map(
    ([reason, count]) => [reason, count - (before.refused[reason] ?? 0)] as const,
  );
  return {
    connections: now.connections - before.connections,
    open: now.open,
    sentBytes: now.sentBytes - before.sentBytes,
    receivedBytes: now.receivedBytes - before.receivedBytes,
    failed: now.failed - before.failed,
    probes: now.probes - before.probes,
    refused: Object.fromEntries(refused.filter(([, count]) => count > 0)),
    ...(now.datagrams !== undefined && { datagrams: now.datagrams - (before.datagrams ?? 0) }),
    ...(now.dropped !== undefined && { dropped: now.dropped - (before.dropped ?? 0) }),
  };
}
