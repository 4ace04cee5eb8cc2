import { formatLimit } from '../errors.ts';
import type { Event, EventName } from './events.ts';

/** How much is said: 0 always, 1 with `-v`, 2 with `-vv`. */
export type Verbosity = 0 | 1 | 2;

/** An event for people. */
export interface Sentence {
  readonly text: string;
  /** From which verbosity on it is said. */
  readonly from: Verbosity;
  /** The same where somebody is there to see it: on a terminal. Default: `from`. */
  readonly fromOnTerminal?: Verbosity;
}

/** An event as a sentence for people. */
export function renderEvent(event: Event): Sentence {
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
      return { text: renderFailure(event.address, event), from: 1 };
    case 'retry':
      return { text: renderRetry(event), from: 1 };
    case 'checked':
      return { text: renderCheck(event), from: 1 };
    case 'connected':
      return {
        text: `connected to ${event.remote}${event.local === undefined ? '' : ` from ${event.local}`}`,
        from: 1,
      };
    case 'interactive':
      return { text: `the escape key is ${event.escape}`, from: event.escape === 'none' ? 1 : 0 };
    case 'telnet':
      return { text: `telnet: ${event.direction} ${event.what}`, from: 2 };
    case 'timing':
      return { text: renderTiming(event), from: 0 };
    case 'accepted':
      return { text: `connection from ${event.remote}`, from: 1 };
    case 'client':
      return { text: `${event.remote}: its client is ${event.client}`, from: 1 };
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
    case 'hint':
      return { text: `${event.subject}: ${event.message}`, from: 0 };
    case 'refused':
      return { text: `refused ${event.remote}: ${event.reason}`, from: 0 };
    case 'probe':
      return { text: `${event.remote}: left without a word`, from: 1 };
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
    case 'datagram': {
      const answer =
        event.sentBytes === undefined ? 'no answer' : `answered with ${renderCount(event.sentBytes, 'byte')}`;
      return {
        text: `${event.remote}: datagram of ${renderCount(event.receivedBytes, 'byte')}, ${answer}`,
        from: 1,
      };
    }
    case 'reply':
      return {
        text: `payload ${event.sequence} is back in ${event.roundTripMs.toFixed(3)} ms${event.isWrong ? ', with wrong bytes' : ''}`,
        from: 1,
      };
    case 'ping':
      return { text: `${event.remote}: ${event.sent} sent, ${event.received} back`, from: 0 };
    case 'program-ended':
      return {
        text: `the program of connection ${event.id} ended ${event.signal === undefined ? `with status ${event.status}` : `by ${event.signal}`}`,
        from: 1,
      };
    case 'sending-on':
      return {
        text: `${event.remote}: the peer has ended; stdin is still being sent`,
        from: 1,
        fromOnTerminal: 0,
      };
    case 'ended':
      return { text: `${event.remote}: ${event.reason}, ${renderTotals(event)}`, from: 1 };
    case 'replayed':
      return event.difference === undefined
        ? { text: `${event.remote}: as recorded`, from: 1 }
        : { text: `${event.remote}: differs: ${event.difference}`, from: 0 };
    case 'totals':
      return {
        text: `${renderTaken(event)}${renderState(event)}, ${renderTotals(event)}`,
        from: 0,
      };
    case 'lane':
      return { text: renderLane(event), from: 2 };
    case 'metrics':
      return { text: `metrics at ${event.url}`, from: 0 };
    case 'reloaded':
      return { text: `${event.file}: taken anew, ${renderCount(event.pairs, 'pair')}`, from: 0 };
    case 'target-up':
      return { text: `${event.target}: up`, from: 0 };
    case 'target-down':
      return { text: `${event.target}: down, left out`, from: 0 };
    case 'worker-started':
      return { text: `worker ${event.worker} serves, process ${event.pid}`, from: 1 };
    case 'worker-ended':
      return {
        text: `worker ${event.worker} (process ${event.pid}) ended ${event.signal === undefined ? `with status ${event.status ?? 0}` : `by ${event.signal}`}, ${renderCount(event.connections, 'connection')} lost; another is started`,
        from: 0,
      };
    case 'draining':
      return {
        text: `waiting for ${renderCount(event.open, 'connection')}, at most ${formatLimit(event.limitMs)}`,
        from: 0,
      };
    case 'cut':
      return { text: `cut ${renderCount(event.connections, 'connection')} that had not ended`, from: 0 };
    case 'error':
      return { text: renderFailure(event.subject, event), from: 0 };
  }
}

/** An answer that does not come is told with whose it is. */
function renderFailure(subject: string, { message, code }: { message: string; code: string }): string {
  return `${message.includes(` from ${subject} within `) ? '' : `${subject}: `}${message} (${code})`;
}

/** What a server has taken: connections, or datagrams where it has no connections. */
function renderTaken({ connections, datagrams, dropped = 0 }: EventOf<'totals'>): string {
  if (datagrams === undefined) return renderCount(connections, 'connection');
  return `${renderCount(datagrams, 'datagram')}${dropped > 0 ? ` (${dropped} more dropped)` : ''}`;
}

function renderLane({ address, express, reason = '' }: Extract<Event, { event: 'lane' }>): string {
  return express ? `${address}: express lane` : `${address}: no express lane: ${reason}`;
}

/** Connections still open, and what went wrong. */
function renderState({
  open,
  failed,
  probes,
  refused,
  datagrams,
}: Extract<Event, { event: 'totals' }>): string {
  // Those that were dropped have been told, and not for what.
  if (datagrams !== undefined) return '';
  const parts = [
    [open, 'open'],
    [failed, 'failed'],
    [probes, 'without a word'],
    ...Object.entries(refused).map(([reason, count]) => [count, `refused (${reason})`] as const),
  ] as const;
  const told = parts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  return told.length > 0 ? ` (${told.join(', ')})` : '';
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

type EventOf<Name extends EventName> = Extract<Event, { readonly event: Name }>;

function renderRetry({ address, message, code, delayMs, retry, of }: EventOf<'retry'>): string {
  const seconds = (delayMs / 1000).toFixed(1);
  return `${address}: ${message} (${code}); retry ${retry}${of === undefined ? '' : ` of ${of}`} in ${seconds} s`;
}

function renderTiming({ phase, address, outcome, durationMs }: EventOf<'timing'>): string {
  const what = address === undefined ? phase.replace('-', ' ') : `${phase} ${address}`;
  return `timing: ${what} ${durationMs.toFixed(3)} ms${outcome === undefined ? '' : `, ${outcome}`}`;
}

/** As OpenBSD's nc says it, so that scripts that read its -v lines find what they look for. */
function renderCheck(event: EventOf<'checked'>): string {
  const { host, port, remote, service, state, code, message } = event;
  const name = remote === undefined || remote === host ? host : `${host} (${remote})`;
  if (state !== 'open') {
    const place = port === undefined ? host : `${host} port ${port} (tcp)`;
    return `connect to ${place} failed: ${message} (${code})`;
  }
  if (port === undefined) return `connection to ${name} succeeded!`;
  return `connection to ${name} ${port} port [tcp/${service ?? '*'}] succeeded!`;
}

function renderTotals(totals: { sentBytes: number; receivedBytes: number; durationMs: number }): string {
  const seconds = (totals.durationMs / 1000).toFixed(3);
  return `${renderCount(totals.receivedBytes, 'byte')} in, ${renderCount(totals.sentBytes, 'byte')} out in ${seconds} s`;
}

function renderCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
