import type { Event } from './events.ts';

/** How much is said: 0 always, 1 with `-v`, 2 with `-vv`. */
export type Verbosity = 0 | 1 | 2;

/** An event as a sentence for people, and from which verbosity on it is said. */
export function renderEvent(event: Event): { readonly text: string; readonly from: Verbosity } {
  switch (event.event) {
    case 'listening':
      return { text: `listening on ${event.address}`, from: 0 };
    case 'bind-retry':
      return { text: `${event.address}: in use, next try in ${event.delayMs / 1000} s`, from: 1 };
    case 'access-reloaded':
      return { text: `access lists read again: ${event.allowed} allowed, ${event.denied} denied`, from: 1 };
    case 'attempt':
      return { text: `trying ${event.address}`, from: 2 };
    case 'attempt-failed':
      return { text: `${event.address}: ${event.message} (${event.code})`, from: 1 };
    case 'connected':
      return { text: `connected to ${event.remote} from ${event.local}`, from: 1 };
    case 'accepted':
      return { text: `connection from ${event.remote}`, from: 1 };
    case 'refused':
      return { text: `refused ${event.remote}: ${event.reason}`, from: 0 };
    case 'datagrams-lost':
      return {
        text: `${event.remote}: ${renderCount(event.datagrams, 'datagram')} lost, which came faster than they were taken`,
        from: 0,
      };
    case 'datagram-cut':
      return {
        text: `${event.remote}: ${event.bytes} bytes of input cut into datagrams of ${event.limitBytes} and less`,
        from: 1,
      };
    case 'program-ended':
      return {
        text: `the program of connection ${event.id} ended ${event.signal === undefined ? `with status ${event.status}` : `by ${event.signal}`}`,
        from: 1,
      };
    case 'ended':
      return { text: `${event.remote}: ${event.reason}, ${renderTotals(event)}`, from: 1 };
    case 'totals':
      return { text: `${renderCount(event.connections, 'connection')}, ${renderTotals(event)}`, from: 0 };
    case 'error':
      return { text: `${event.subject}: ${event.message} (${event.code})`, from: 0 };
  }
}

function renderTotals(totals: { sentBytes: number; receivedBytes: number; durationMs: number }): string {
  const seconds = (totals.durationMs / 1000).toFixed(3);
  return `${renderCount(totals.receivedBytes, 'byte')} in, ${renderCount(totals.sentBytes, 'byte')} out in ${seconds} s`;
}

function renderCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
