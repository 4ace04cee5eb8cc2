import { formatLimit } from '../errors.ts';
import type { Event, EventName } from './events.ts';

/** How much is reported: 0 always, 1 with `-v`, 2 with `-vv`. */
export type Verbosity = 0 | 1 | 2;

/** An event for people. */
export interface Sentence {
  readonly text: string;
  /** From which verbosity on it is shown. */
  readonly from: Verbosity;
  /** The same on a terminal, where a user can see it. Default: `from`. */
  readonly fromOnTerminal?: Verbosity;
  /** The same as a table, for a terminal: each row a word and what it is. */
  readonly rows?: readonly (readonly [name: string, value: string])[];
}

/** From which verbosity on an event is shown, for events that are never shown without `-v`. */
const quiet: ReadonlyMap<EventName, Verbosity> = new Map<EventName, Verbosity>([
  ['bind-retry', 1],
  ['access-reloaded', 1],
  ['attempt', 2],
  ['attempt-failed', 1],
  ['retry', 1],
  ['checked', 1],
  ['connected', 1],
  ['telnet', 2],
  ['accepted', 1],
  ['client', 1],
  ['proxied', 1],
  ['tls', 1],
  ['certificate', 1],
  ['probe', 1],
  ['datagram-cut', 1],
  ['answer', 1],
  ['datagram', 1],
  ['reply', 1],
  ['program-ended', 1],
  ['ended', 1],
  ['lane', 2],
  ['worker-started', 1],
]);

/** Whether an event of this name may be shown at all. */
export function isSaid(name: EventName, verbosity: Verbosity): boolean {
  return verbosity >= (quiet.get(name) ?? 0);
}

/** An event as a sentence for people. */
export function renderEvent(event: Event): Sentence {
  const text = describe(event);
  switch (event.event) {
    case 'interactive':
      return { text, from: event.escape === 'none' ? 1 : 0 };
    case 'sending-on':
    case 'file-done':
      return { text, from: 1, fromOnTerminal: 0 };
    case 'file-started':
      // What is not sent again has to be said.
      return { text, from: event.fromBytes > 0 ? 0 : 1 };
    case 'certificate':
      return { text, from: 1, rows: listCertificate(event) };
    case 'replayed':
      return { text, from: event.difference === undefined ? 1 : 0 };
    default:
      return { text, from: quiet.get(event.event) ?? 0 };
  }
}

function renderCredentials({ pid, uid, gid }: Extract<Event, { event: 'accepted' | 'datagram' }>): string {
  return pid === undefined ? '' : ` (pid ${pid}, uid ${uid ?? ''}, gid ${gid ?? ''})`;
}

function describe(event: Event): string {
  switch (event.event) {
    case 'listening':
      return `listening on ${event.address}`;
    case 'bind-retry':
      return `${event.address}: in use, next try in ${event.delayMs / 1000} s`;
    case 'access-reloaded':
      return `access lists read again: ${event.allowed} allowed, ${event.denied} denied`;
    case 'attempt':
      return `trying ${event.address}`;
    case 'attempt-failed':
      return renderFailure(event.address, event);
    case 'retry':
      return renderRetry(event);
    case 'checked':
      return renderCheck(event);
    case 'connected':
      return `connected to ${event.remote}${event.local === undefined ? '' : ` from ${event.local}`}`;
    case 'interactive':
      return `the escape key is ${event.escape}`;
    case 'telnet':
      return `telnet: ${event.direction} ${event.what}`;
    case 'timing':
      return renderTiming(event);
    case 'accepted':
      return `connection from ${event.remote}${renderCredentials(event)}`;
    case 'client':
      return renderClient(event);
    case 'proxied':
      return `through ${event.proxy} to ${event.target}`;
    case 'tls':
      return renderTls(event);
    case 'certificate':
      return renderCertificate(event);
    case 'throwaway-certificate':
      return `throw-away certificate with SHA-256 fingerprint ${event.fingerprint}`;
    case 'warning':
      return `WARNING: ${event.message}`;
    case 'hint':
      return `${event.subject}: ${event.message}`;
    case 'refused':
      return `refused ${event.remote}: ${event.reason}`;
    case 'probe':
      return `${event.remote}: left without a word`;
    case 'datagrams-lost':
      return `${event.remote}: ${renderCount(event.datagrams, 'datagram')} lost, which came faster than they were taken`;
    case 'datagram-cut':
      return `${event.remote}: ${event.bytes} bytes of input cut into datagrams of ${event.limitBytes} and less`;
    case 'answer':
      return `${event.remote}: answer of ${renderCount(event.bytes, 'byte')}`;
    case 'datagram': {
      const answer =
        event.sentBytes === undefined ? 'no answer' : `answered with ${renderCount(event.sentBytes, 'byte')}`;
      return `${event.remote}${renderCredentials(event)}: datagram of ${renderCount(event.receivedBytes, 'byte')}, ${answer}`;
    }
    case 'file-started':
      return renderFileStart(event);
    case 'file-done':
      return `${event.remote}: ${event.name}: complete, ${renderCount(event.bytes, 'byte')}, SHA-256 ${event.sha256}`;
    case 'reply':
      return `payload ${event.sequence} is back in ${event.roundTripMs.toFixed(3)} ms${event.isWrong ? ', with wrong bytes' : ''}`;
    case 'try':
      return renderTry(event);
    case 'tries':
      return `${event.address}: ${event.tried} tried, ${event.opened} open`;
    case 'ping':
      return `${event.remote}: ${event.sent} sent, ${event.received} back`;
    case 'program-ended':
      return `the program of connection ${event.id} ended ${event.signal === undefined ? `with status ${event.status}` : `by ${event.signal}`}`;
    case 'sending-on':
      return `${event.remote}: the peer has ended; stdin is still being sent`;
    case 'ended':
      return `${event.remote}: ${event.reason}, ${renderTotals(event)}`;
    case 'replayed':
      return event.difference === undefined
        ? `${event.remote}: as recorded`
        : `${event.remote}: differs: ${event.difference}`;
    case 'totals':
      return `${renderTaken(event)}${renderState(event)}, ${renderTotals(event)}`;
    case 'lane':
      return renderLane(event);
    case 'control':
      return `steered at ${event.url}`;
    case 'metrics':
      return `metrics at ${event.url}`;
    case 'reloaded':
      return `${event.file}: reloaded, ${renderCount(event.pairs, 'pair')}`;
    case 'target-up':
      return `${event.target}: up`;
    case 'target-down':
      return `${event.target}: down, left out${event.message === undefined ? '' : `: ${event.message}`}`;
    case 'worker-started':
      return `worker ${event.worker} serves, process ${event.pid}`;
    case 'worker-ended':
      return `worker ${event.worker} (process ${event.pid}) ended ${event.signal === undefined ? `with status ${event.status ?? 0}` : `by ${event.signal}`}, ${renderCount(event.connections, 'connection')} lost; another is started`;
    case 'draining':
      return `waiting for ${renderCount(event.open, 'connection')}, at most ${formatLimit(event.limitMs)}`;
    case 'cut':
      return `cut ${renderCount(event.connections, 'connection')} that had not ended`;
    case 'error':
      return renderFailure(event.subject, event);
  }
}

/** A missing answer is reported with the peer that owes it. */
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
  // That datagrams were dropped has been said already, without the reasons.
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

function renderClient(event: Extract<Event, { event: 'client' }>): string {
  const { remote, client, alpn, authority, uniqueId, netns, tls, cipher, commonName } = event;
  const certificate = commonName === undefined ? 'certificate' : `certificate CN=${commonName}`;
  const parts = [
    client,
    authority && `asked for ${authority}`,
    alpn && `ALPN ${alpn}`,
    tls,
    cipher,
    event.verified === undefined
      ? undefined
      : `${certificate} ${event.verified ? 'verified' : 'not verified'}`,
    uniqueId && `unique id ${uniqueId}`,
    netns && `network namespace ${netns}`,
    event.checksum && 'checksum right',
    event.others && `also ${event.others.join(' ')}`,
  ];
  return `${remote}: its client is ${parts.filter((part) => part !== undefined && part !== '').join(', ')}`;
}

function renderTls({ remote, protocol, cipher, alpn, verified }: Extract<Event, { event: 'tls' }>): string {
  const parts = [protocol, cipher, ...(alpn === undefined ? [] : [`ALPN ${alpn}`])];
  return `${remote}: ${parts.join(', ')}, certificate ${verified ? 'verified' : 'not verified'}`;
}

function renderCertificate(event: EventOf<'certificate'>): string {
  const { depth, subject, issuer, names, fingerprint, keyPin } = event;
  const parts = [
    subject,
    ...(names.length > 0 ? [`for ${names.join(', ')}`] : []),
    renderValidity(event),
    subject === issuer ? 'self-signed' : `issued by ${issuer}`,
    `SHA-256 ${fingerprint}`,
    `key sha256//${keyPin}`,
  ];
  return `${event.remote}: certificate ${depth}: ${parts.join('; ')}`;
}

function renderValidity({ validTo, daysLeft }: EventOf<'certificate'>): string {
  const until = validTo.slice(0, 10);
  return daysLeft < 0 ? `expired on ${until}` : `valid until ${until} (${renderCount(daysLeft, 'day')} left)`;
}

/** The peer's own certificate in a few rows, and those above it in one each. */
function listCertificate(event: EventOf<'certificate'>): NonNullable<Sentence['rows']> {
  const { depth, subject, issuer, names, key, keyPin } = event;
  const validity = renderValidity(event);
  if (depth > 0) return [['chain', `${subject}; ${validity}`]];
  return [
    ['names', names.length > 0 ? names.join(', ') : subject],
    ['issuer', subject === issuer ? 'self-signed' : issuer],
    [validity.startsWith('valid') ? 'valid' : 'EXPIRED', validity.replace(/^(valid|expired) /, '')],
    ['key', key],
    ['pin', `sha256//${keyPin}`],
  ];
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

/** In the words of OpenBSD's nc, so that scripts that read its -v lines find what they look for. */
function renderCheck(event: EventOf<'checked'>): string {
  const { host, port, remote, service, state, code, message, transport = 'tcp', wanted } = event;
  const place = port === undefined ? host : `${host} port ${port} (${transport})`;
  if (wanted !== undefined) return renderWanted(event, place);
  const name = remote === undefined || remote === host ? host : `${host} (${remote})`;
  if (state === 'silent' && transport === 'udp') return `${place}: ${message} (${code})`;
  if (state !== 'open') return `connect to ${place} failed: ${message} (${code})`;
  if (port === undefined) return `connection to ${name} succeeded!`;
  return `connection to ${name} ${port} port [${transport}/${service ?? '*'}] succeeded!`;
}

/** What was looked for in place of a connection. */
function renderWanted(event: EventOf<'checked'>, place: string): string {
  const { host, remote, state, code, message, wanted, status } = event;
  if (wanted === 'http' && state === 'open') return `${host} answered ${status}`;
  if (wanted === 'name' && state === 'found') return `${host} is ${remote ?? 'found'}`;
  if (wanted === 'closed' && state === 'closed') return `${place} is closed: ${message} (${code})`;
  return `${place}: ${message} (${code})`;
}

function renderTry({ address, sequence, state, message, code, durationMs }: EventOf<'try'>): string {
  const time = `${durationMs.toFixed(3)} ms`;
  return state === 'open'
    ? `${address}: try ${sequence} open in ${time}`
    : `${address}: try ${sequence} ${state === 'silent' ? 'unanswered' : 'failed'} after ${time}: ${message} (${code})`;
}

function renderFileStart({ remote, name, bytes, fromBytes }: EventOf<'file-started'>): string {
  const how =
    fromBytes === 0
      ? renderCount(bytes, 'byte')
      : fromBytes === bytes
        ? 'is there already'
        : `resumed after ${fromBytes} of ${renderCount(bytes, 'byte')}`;
  return `${remote}: ${name}: ${how}`;
}

function renderTotals(totals: { sentBytes: number; receivedBytes: number; durationMs: number }): string {
  const seconds = (totals.durationMs / 1000).toFixed(3);
  return `${renderCount(totals.receivedBytes, 'byte')} in, ${renderCount(totals.sentBytes, 'byte')} out in ${seconds} s`;
}

function renderCount(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
