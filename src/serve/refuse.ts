import type { ServeHost } from './host.ts';

/** What a client is refused with that connects more often than it may. */
export const tooManyNew = 'too many new connections';

/** Counts a client that is turned away, and reports it. */
export function refuse(
  { ledger, emit }: Pick<ServeHost, 'ledger' | 'emit'>,
  remote: string,
  reason: string,
): void {
  ledger.refuse(reason);
  emit({ event: 'refused', remote, reason });
}
