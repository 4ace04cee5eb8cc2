import { describeRelayed } from './recorded-connection.ts';
import { closeConnection, cutDeliveryMs, resetConnection, type Connection } from '../../net/connection.ts';
import { SaidNothing } from '../../serve/greeting/said-nothing.ts';
import { formatLocal, formatRemote } from '../../serve/serve.ts';
import { errorCode, TnetError } from '../../errors.ts';
import type { Ending, EndingReason } from '../../flow/ending.ts';
import { startRelay, type Relay } from '../../flow/relay.ts';
import { ConnectionGuard, guarded } from '../../net/guard.ts';
import { Socket } from '../../net/index.ts';
import { ProtocolError } from '../../protocol/protocol-error.ts';
import type { RecordedEnding } from '../../record/record-format.ts';
import type { ConnectionRecord } from '../../record/recording.ts';
import type { ProxyHost } from './host.ts';
import type { Intake } from './greeting/intake.ts';
import type { OpenConnection } from '../../serve/ledger.ts';
import type { Plan } from './plan.ts';
import { formatSource, judgeSource, sourceHost } from '../../serve/greeting/source.ts';
import type { OpenUpstream } from './targets/upstream.ts';

/** How a side is closed: with FIN (and whatever the system makes of unread bytes), or so that the peer sees a break. */
type Closing = 'close' | 'reset';

/** How a connection ended, and what is due to each side. */
interface Outcome {
  readonly reason: EndingReason;
  readonly error?: Error;
  /** What the error is about, when it is not the client. */
  readonly subject?: string;
  readonly client: Closing;
  readonly target: Closing;
  /** Counts as failed although there is no error to tell: a stream was cut. */
  readonly isCut?: boolean;
  /** How long what was sent may take to arrive before a reset, in milliseconds. */
  readonly withinMs?: number;
}

/** Why the proxy itself ended a connection. */
export interface Cut {
  readonly reason: 'timeout' | 'aborted' | 'limit';
  readonly closing: Closing;
  readonly error?: Error;
  readonly isCut?: boolean;
  readonly withinMs?: number;
}

/**
 * Serves one client from its arrival to its end, and reports both. The target is dialled before the client is read.
 * Closes both sockets. Never rejects: a fault ends this connection alone.
 *
 * @param client a socket, or what plays one; only a socket is asked what it wants
 * @param address what the listener has bound; names a client that has no address
 */
export async function serveClient(
  client: Connection,
  address: string,
  plan: Plan,
  host: ProxyHost,
): Promise<void> {
  // A client that leaves while the target is dialled must not be an uncaught error.
  client.on('error', ignoreError);
  const remote = formatRemote(client, address);
  const entry = host.ledger.enter(remote);
  const guard = new ConnectionGuard((error) => leave(entry, host, { reason: 'aborted', error }));
  guard.watch(client);
  await guard.run(() => serveEntered(client, address, plan, host, entry, guard));
}

async function serveEntered(
  client: Connection,
  address: string,
  plan: Plan,
  host: ProxyHost,
  entry: OpenConnection,
  guard: ConnectionGuard,
): Promise<void> {
  const { id, remote } = entry;
  host.emit({ event: 'accepted', id, local: formatLocal(client, address), remote });
  // Until it is joined to a target; a dial ends by itself.
  entry.breakOff = () => void client.destroy();
  // Only a socket greets, which checkPair() holds.
  const known =
    client instanceof Socket && hasToGreet(plan) ? await greet(client, entry, plan, host) : nothingKnown;
  if (known === 'nothing-said') {
    host.emit({ event: 'probe', id, remote });
    leave(entry, host, { reason: 'eof', isProbe: true });
    client.destroy();
    return;
  }
  if (known?.serve) {
    const error = await known.serve().then(ignoreError, (failure: unknown) => failure as Error);
    leave(entry, host, { reason: error ? 'aborted' : 'eof', error });
    closeConnection(client, error);
    return;
  }
  const opened = known && (await openUpstream(client, address, entry, known, plan, host));
  if (!opened) {
    leave(entry, host, { reason: 'aborted' });
    if (client.writableEnded) closeAfterAnswer(client);
    else await resetConnection(client);
    return;
  }
  const { socket: target } = opened;
  guard.watch(target);
  entry.target = opened.target;
  host.emit({ event: 'connected', id, local: formatLocal(target, opened.target), remote: opened.target });
  const connection = describeRelayed(client, address, { id, target: opened.target, known });
  const records = (host.recordings ?? []).map((recording) =>
    recording.open({
      connection,
      hasEnded: (direction) => hasEnded(direction === 'sent' ? client : target),
    }),
  );
  const outcome = await join({ client, target, early: known.early, records }, entry, plan);
  for (const record of records) record.closed(toRecordedEnding(outcome));
  opened.release?.({
    answered: (entry.relay?.down.bytesRead ?? 0) > 0,
    refused: errorCode(outcome.error) === 'ECONNREFUSED',
  });
  leave(entry, host, outcome);
  const { withinMs } = outcome;
  await Promise.all([
    closeSide(client, outcome.client, withinMs),
    closeSide(target, outcome.target, withinMs),
  ]);
}

/** What a client is refused with that connects more often than it may. */
export const tooManyNew = 'too many new connections';

const nothingKnown: Intake = {};

function hasToGreet({ steps, createHead }: Plan): boolean {
  return steps.length > 0 || createHead !== undefined;
}

/**
 * Hears what the client wants; undefined when it cannot be served, which has been reported. One that leaves without a
 * word, as the checks of load balancers do, has done nothing wrong.
 */
async function greet(
  client: Socket,
  { id, remote }: OpenConnection,
  { steps, access, takeRate, pair, createHead }: Plan,
  host: ProxyHost,
): Promise<Intake | 'nothing-said' | undefined> {
  let known = nothingKnown;
  try {
    for (const step of steps) known = await step(client, known);
    if (createHead) known = { ...known, head: createHead(client, known) };
  } catch (error) {
    if (host.signal.aborted) return undefined;
    if (error instanceof SaidNothing) return 'nothing-said';
    host.ledger.refuse('handshake');
    host.fail(remote, error, id);
    if (error instanceof ProtocolError && error.reply) client.end(error.reply);
    return undefined;
  }
  if (!known.header) return known;
  host.emit({ event: 'client', id, remote, client: formatSource(known.header) });
  if (!pair.values.acceptProxy) return known;
  const source = sourceHost(known.header);
  const reason =
    judgeSource(known.header, client, access) ??
    ((await takeRate?.(source ?? '')) === false ? tooManyNew : undefined);
  if (reason === undefined) return known;
  refuse(host, formatSource(known.header), reason);
  return undefined;
}

function openUpstream(
  client: Connection,
  listener: string,
  { id, remote }: OpenConnection,
  known: Intake,
  { upstream }: Plan,
  host: ProxyHost,
): Promise<OpenUpstream | undefined> | undefined {
  const { header, head } = known;
  const request = { id, clientHost: sourceHost(header) ?? client.remoteAddress ?? '', listener, head };
  if (known.open) return known.open(request);
  if (upstream) return upstream.open(request);
  const reason = 'no route';
  host.ledger.refuse(reason);
  host.emit({ event: 'refused', remote, reason });
  return undefined;
}

/** How long a client that was answered and refused may take to read the answer. */
const answerMs = 1_000;

/** A client that still sends would lose the answer to a reset: what it sends is read and dropped for a while. */
function closeAfterAnswer(client: Connection): void {
  const timer = setTimeout(
    guarded(() => client.destroy()),
    answerMs,
  );
  client.once('close', () => clearTimeout(timer));
  client.once('end', () => client.destroy());
  client.resume();
}

/** What is joined. */
interface Ends {
  readonly client: Connection;
  readonly target: Connection;
  /** Bytes of the client's that come before what its socket gives. */
  readonly early: Buffer | undefined;
  readonly records: readonly ConnectionRecord[];
}

/**
 * Relays until both directions are over or a limit says so. Recorded is what the client has sent, before any fault,
 * and what it gets, after all of them.
 */
async function join(
  { client, target, early, records }: Ends,
  entry: OpenConnection,
  plan: Plan,
): Promise<Outcome> {
  let cut: Cut | undefined;
  const cutOff = (how: Cut) => {
    cut ??= how;
    relay.stop(how.reason, how.error);
  };
  const faults = plan.createFaults?.(entry.id, () => cutOff({ reason: 'limit', closing: 'close' }));
  const limits = watchLimits(plan, faults?.resetAfterMs, cutOff);
  const { datagrams } = plan;
  const session = datagrams?.watch(() => relay, cutOff);
  const transforms = datagrams ? datagrams.frame(faults) : faults;
  const upTransforms = [...records.map(({ sent }) => sent), ...(transforms?.up ?? [])];
  if (early) (upTransforms[0] ?? target).write(early);
  const relay: Relay = startRelay({
    client,
    target,
    upTransforms,
    downTransforms: [...(transforms?.down ?? []), ...records.map(({ received }) => received)],
    onActivity: session?.onActivity ?? limits?.onActivity,
    holdMs: faults?.holdMs,
  });
  entry.relay = relay;
  const isSession = datagrams?.ends.client === true && datagrams.ends.target;
  entry.isSession = isSession;
  entry.breakOff = () => cutOff({ ...interrupted, ...(isSession && { closing: 'close', isCut: false }) });
  session?.start();
  limits?.start(relay);
  const { up, down, broken, error, hasLeft, restMs } = await relay.ended;
  limits?.clear();
  session?.clear();
  if (cut) return { ...cut, client: cut.closing, target: cut.closing };
  return {
    reason: error ? 'reset' : up.reason === 'eof' ? down.reason : up.reason,
    // Who had ended before has left: that more came for it is no failure.
    error: hasLeft ? undefined : error,
    withinMs: restMs,
    ...(datagrams && broken === 'target' && { subject: entry.target }),
    client: broken === 'target' ? 'reset' : 'close',
    target: broken === 'client' ? 'reset' : 'close',
  };
}

/**
 * What becomes of a stream that has not ended when everything is to end: a reset, so that nobody takes a part for the
 * whole.
 */
const interrupted: Cut = { reason: 'aborted', closing: 'reset', isCut: true, withinMs: cutDeliveryMs };

/** Whether a side has ended with a FIN. */
function hasEnded(side: Connection): boolean {
  return side.readableEnded && !side.errored;
}

/** Of the client's connection: its own break is a reset, a broken target makes it our doing. */
function toRecordedEnding({ reason, client }: Outcome): RecordedEnding {
  return reason === 'reset' && client === 'reset' ? 'aborted' : reason;
}

interface Limits {
  readonly onActivity: (() => void) | undefined;
  /** The relay runs. */
  readonly start: (relay: Relay) => void;
  readonly clear: () => void;
}

/** The timers that were asked for; none without. A cut stream must not look whole, so time limits end with a reset. */
function watchLimits(
  { pair: { values }, datagrams }: Plan,
  resetAfterMs: number | undefined,
  cutOff: (how: Cut) => void,
): Limits | undefined {
  const { timeout, halfClosed } = values;
  // Of a pair with a UDP end the session is watched: see createDatagramPlan().
  const idle = datagrams ? undefined : values.idle;
  const timers: NodeJS.Timeout[] = [];
  const after = (delayMs: number, how: Cut) => {
    const timer = setTimeout(guarded(cutOff), delayMs, how);
    timers.push(timer);
    return timer;
  };
  if (resetAfterMs !== undefined) after(resetAfterMs, { reason: 'limit', closing: 'reset' });
  if (timeout !== undefined) after(timeout, timedOut(`open for ${timeout} ms`));
  const idleTimer =
    idle === undefined ? undefined : after(idle, timedOut(`no byte in either direction for ${idle} ms`));
  if (timers.length === 0 && halfClosed === undefined) return undefined;
  const refreshing = idleTimer ? [idleTimer] : [];
  let isOver = false;
  const onHalfClosed = ({ reason }: Ending) => {
    if (halfClosed === undefined || isOver || reason !== 'eof') return;
    const message = `one side has ended, and no byte has come from the other for ${halfClosed} ms`;
    refreshing.push(after(halfClosed, timedOut(message)));
  };
  return {
    onActivity: () => {
      for (const timer of refreshing) timer.refresh();
    },
    start({ up, down }) {
      if (halfClosed !== undefined)
        for (const flow of [up, down]) void flow.ended.then(guarded(onHalfClosed));
    },
    clear: () => {
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

export function timedOut(message: string): Cut {
  return { reason: 'timeout', closing: 'reset', error: new TnetError('TNET_E_TIMEOUT', message) };
}

/** Counts a client that is turned away, and reports it. */
export function refuse({ ledger, emit }: ProxyHost, remote: string, reason: string): void {
  ledger.refuse(reason);
  emit({ event: 'refused', remote, reason });
}

/** How a connection leaves the ledger. `isProbe`: it came and went without a word. */
type Parting = Pick<Outcome, 'reason' | 'error' | 'subject' | 'isCut'> & { readonly isProbe?: boolean };

/**
 * Strikes a connection off and reports its end.
 *
 * @param lastedMs how long it was there. Default: until now
 */
export function leave(
  entry: OpenConnection,
  host: ProxyHost,
  { reason, error, subject, isProbe = false, isCut = false }: Parting,
  lastedMs = performance.now() - entry.startedAt,
): void {
  const { id, remote, relay } = entry;
  // A fault may end a connection that is being ended already.
  if (!host.ledger.open.has(entry)) return;
  const carried = { sentBytes: relay?.down.bytes ?? 0, receivedBytes: relay?.up.bytes ?? 0 };
  const failed = error !== undefined || isCut || (relay === undefined && !isProbe);
  host.ledger.leave(entry, { ...carried, failed, ...(isProbe && { isProbe }) });
  if (error) host.fail(subject ?? remote, error, id);
  const durationMs = Math.round(lastedMs * 1000) / 1000;
  host.emit({ event: 'ended', id, remote, reason, ...carried, durationMs });
}

async function closeSide(side: Connection, closing: Closing, withinMs: number | undefined): Promise<void> {
  if (closing === 'reset') await resetConnection(side, withinMs);
  else side.destroy();
}

function ignoreError(): undefined {
  return undefined;
}

/** Breaks off a connection that has not ended when everything is to end. */
export function cutConnection({ relay, breakOff }: OpenConnection): void {
  if (breakOff) breakOff();
  else relay?.stop('aborted');
}
