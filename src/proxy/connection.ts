import { formatLocal, formatRemote } from '../endpoint/serve.ts';
import { TnetError } from '../errors.ts';
import { finishFlows } from '../flow/finish.ts';
import { startRelay, type Relay } from '../flow/relay.ts';
import type { Socket } from '../net/index.ts';
import { resetSocket } from '../net/reset.ts';
import type { ProxyHost } from './host.ts';
import type { OpenConnection } from './ledger.ts';
import type { Plan } from './plan.ts';

/** How a side is closed: with FIN (and whatever the system makes of unread bytes), or so that the peer sees a break. */
type Closing = 'close' | 'reset';

/** How a connection ended, and what is due to each side. */
interface Outcome {
  readonly reason: string;
  readonly error?: Error;
  readonly client: Closing;
  readonly target: Closing;
}

/** Why the proxy itself ended a connection. */
interface Cut {
  readonly reason: 'timeout' | 'aborted' | 'limit';
  readonly closing: Closing;
  readonly error?: Error;
}

/**
 * Serves one client from its arrival to its end, and reports both. The target is dialled before the client is read.
 * Closes both sockets. Never rejects.
 *
 * @param address what the listener has bound; names a client that has no address
 */
export async function serveClient(
  client: Socket,
  address: string,
  plan: Plan,
  host: ProxyHost,
): Promise<void> {
  // A client that leaves while the target is dialled must not be an uncaught error.
  client.on('error', ignoreError);
  const remote = formatRemote(client, address);
  const entry = host.ledger.enter(remote);
  const { id } = entry;
  host.emit({ event: 'accepted', id, local: formatLocal(client, address), remote });
  const opened = await plan.upstream.open({ id, clientHost: client.remoteAddress ?? '' });
  if (!opened) {
    leave(entry, host, { reason: 'aborted', client: 'reset', target: 'close' });
    await resetSocket(client);
    return;
  }
  const { socket: target } = opened;
  entry.target = opened.target;
  host.emit({ event: 'connected', id, local: formatLocal(target, opened.target), remote: opened.target });
  const outcome = await join(client, target, entry, plan);
  opened.release?.();
  leave(entry, host, outcome);
  await Promise.all([closeSide(client, outcome.client), closeSide(target, outcome.target)]);
}

/** Relays until both directions are over or a limit says so. */
async function join(client: Socket, target: Socket, entry: OpenConnection, plan: Plan): Promise<Outcome> {
  let cut: Cut | undefined;
  const cutOff = (how: Cut) => {
    cut ??= how;
    relay.stop(how.reason, how.error);
  };
  const faults = plan.createFaults?.(entry.id, () => cutOff({ reason: 'limit', closing: 'close' }));
  const limits = watchLimits(plan, faults?.resetAfterMs, cutOff);
  const relay: Relay = startRelay({
    client,
    target,
    upTransforms: faults?.up,
    downTransforms: faults?.down,
    onActivity: limits?.onActivity,
  });
  entry.relay = relay;
  const { up, down, broken, error } = await relay.ended;
  limits?.clear();
  if (cut) return { reason: cut.reason, error: cut.error, client: cut.closing, target: cut.closing };
  return {
    reason: error ? 'reset' : up.reason === 'eof' ? down.reason : up.reason,
    error,
    client: broken === 'target' ? 'reset' : 'close',
    target: broken === 'client' ? 'reset' : 'close',
  };
}

interface Limits {
  readonly onActivity: (() => void) | undefined;
  readonly clear: () => void;
}

/** The timers that were asked for; none without. A cut stream must not look whole, so time limits end with a reset. */
function watchLimits(
  { pair: { values } }: Plan,
  resetAfterMs: number | undefined,
  cutOff: (how: Cut) => void,
): Limits | undefined {
  const { idle, timeout } = values;
  const timers: NodeJS.Timeout[] = [];
  const after = (delayMs: number, how: Cut) => {
    const timer = setTimeout(cutOff, delayMs, how);
    timers.push(timer);
    return timer;
  };
  if (resetAfterMs !== undefined) after(resetAfterMs, { reason: 'limit', closing: 'reset' });
  if (timeout !== undefined) after(timeout, timedOut(`open for ${timeout} ms`));
  const idleTimer =
    idle === undefined ? undefined : after(idle, timedOut(`no byte in either direction for ${idle} ms`));
  if (timers.length === 0) return undefined;
  return {
    onActivity: idleTimer && (() => void idleTimer.refresh()),
    clear: () => {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function timedOut(message: string): Cut {
  return { reason: 'timeout', closing: 'reset', error: new TnetError('TNET_E_TIMEOUT', message) };
}

function leave(entry: OpenConnection, host: ProxyHost, { reason, error }: Outcome): void {
  const { id, remote, startedAt, relay } = entry;
  const carried = { sentBytes: relay?.down.bytes ?? 0, receivedBytes: relay?.up.bytes ?? 0 };
  host.ledger.leave(entry, { ...carried, failed: error !== undefined || relay === undefined });
  if (error) host.fail(remote, error, id);
  const durationMs = Math.round((performance.now() - startedAt) * 1000) / 1000;
  host.emit({ event: 'ended', id, remote, reason, ...carried, durationMs });
}

async function closeSide(socket: Socket, closing: Closing): Promise<void> {
  if (closing === 'reset') await resetSocket(socket);
  else socket.destroy();
}

function ignoreError(): void {
  return undefined;
}

/** Ends a connection from our side: what it has read is delivered, within a bound. */
export function finishConnection({ relay }: OpenConnection): void {
  if (relay) finishFlows(relay.up, relay.down);
}
