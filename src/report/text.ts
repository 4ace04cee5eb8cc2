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
    case 'proxied':
      return { text: `through ${event.proxy} to ${event.target}`, from: 1 };
    case 'tls':
      return { text: renderTls(event), from: 1 };
    case 'certificate':
      return { text: renderCertificate(event), from: 1 };
    case 'throwaway-certificate':
      return { text: `throw-away certificate with SHA-256 fingerprint ${event.fingerprint}`, from: 0 };
    case 'warning':
      return { text: `WARNING: ${event.message}`, from: 0 };
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

function renderTls({ remote, protocol, cipher, alpn, verified }: Extract<Event, { event: 'tls' }>): string {
  const parts = [protocol, cipher, ...(alpn === undefined ? [] : [`ALPN ${alpn}`])];
  return `${remote}: ${parts.join(', ')}, certificate ${verified ? 'verified' : 'not verified'}`;
}

function renderCertificate(event: Extract<Event, { event: 'certificate' }>): string {
  const { depth, subject, issuer, names, validTo, daysLeft, fingerprint, keyPin } = event;
  const until = validTo.slice(0, 10);
  const validity =
    daysLeft < 0 ? `expired on ${until}` : `valid until ${until} (${renderCount(daysLeft, 'day')} left)`;
  const parts = [
    subject,
    ...(names.length > 0 ? [`for ${names.join(', ')}`] : []),
    validity,
    subject === issuer ? 'self-signed' : `issued by ${issuer}`,
    `SHA-256 ${fingerprint}`,
    `key sha256//${keyPin}`,
  ];
  return `${event.remote}: certificate ${depth}: ${parts.join('; ')}`;
}

function renderTotals(totals: { sentBytes: number; receivedBytes: number; durationMs: number }): string {
  const seconds = (totals.durationMs / 1000).toFixed(3);
  return `${renderCount(totals.receivedBytes, 'byte')} in, ${renderCount(totals.sentBytes, 'byte')} out in ${seconds} s`;
}

function renderCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
