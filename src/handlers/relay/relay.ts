import { errorCode } from '../../errors.ts';
import {
  closeConnection,
  resetConnection,
  type Connection,
  formatLocal,
  socketOf,
} from '../../net/connection.ts';
import { Socket } from '../../net/index.ts';
import { localEndOf } from '../../net/local-end.ts';
import { type RecordedEnding, toRecordedEnd, type RecordedConnection } from '../../record/record-format.ts';
import type { ConnectionRecord } from '../../record/recording.ts';
import type { Greeted, Handler, HandlerEnding } from '../../serve/service.ts';
import { sourceHost, formatSource, type Greeting } from '../../serve/greeting/greeting.ts';
import { closeUnserved } from '../../serve/serve-client.ts';
import { refuse, tellExit } from '../../serve/ledger.ts';
import type { Closing } from './cut.ts';
import type { ProxyHost } from './host.ts';
import { join, type Outcome } from './join.ts';
import type { RelayOptions } from './service.ts';
import { createLoopError } from './targets/rules.ts';
import { formatTarget } from './targets/target.ts';
import type { Experience, OpenUpstream } from './targets/upstream.ts';

/** Connects clients to their targets and joins the two. `open` connects a client to its target; default: as the options say. */
export function createRelay(options: RelayOptions, host: ProxyHost, open = openTarget): Handler {
  return async (greeted) => {
    const { client, greeting } = greeted;
    if (greeting.request?.command === 'udp-associate') return associate(greeted, options, host);
    const isOwn = host.loops?.connections.has(socketOf(client) ?? client);
    if (isOwn && (await isOwn)) return leadBack(greeted, options, host);
    if (greeting.isHttp) return serveHttp(greeted, options, host);
    const opened = await open(greeted, options, host);
    if (!opened) return { reason: 'aborted', failed: true, close: () => closeUnserved(client) };
    let experience: Experience = { answered: false, refused: false };
    try {
      const outcome = await relayTo(opened, greeted, options, host);
      experience = {
        answered: outcome.hasAnswered,
        refused: errorCode(outcome.error) === 'ECONNREFUSED',
      };
      return conclude(client, opened.socket, outcome);
    } finally {
      opened.release?.(experience);
    }
  };
}

/** Joins a client to its target, and records the connection. */
async function relayTo(
  opened: OpenUpstream,
  greeted: Greeted,
  options: RelayOptions,
  host: ProxyHost,
): Promise<Outcome> {
  const { client, greeting, entry } = greeted;
  const { id } = entry;
  const { socket: target } = opened;
  greeted.guard.watch(target);
  if (!socketOf(target)) host.loops?.connections.add(target);
  tellExit(target, id, host);
  entry.target = opened.target;
  if (host.hears?.('connected') !== false) {
    const isLocal = localEndOf(target) !== undefined;
    const local = isLocal ? {} : { local: formatLocal(target, opened.target) };
    host.emit({ event: 'connected', id, ...local, remote: opened.target });
  }
  const records = openRecords(greeted, opened, host);
  const outcome = await join({ client, target, early: greeting.early, records }, entry, options);
  for (const record of records) record.closed(toRecordedEnding(outcome));
  return outcome;
}

/**
 * Serves a client that speaks HTTP. It is joined to a server of our own, so that everything that a relay does with a
 * target applies: limits, faults, recordings, counts, and how a break is passed on.
 */
async function serveHttp(greeted: Greeted, options: RelayOptions, host: ProxyHost): Promise<HandlerEnding> {
  const { client, greeting, entry } = greeted;
  const session = options.http?.open(greeted);
  if (!session) throw new Error('the pair does not serve HTTP');
  const { outer: target } = session.end;
  const records = openRecords(greeted, { socket: target, target: 'HTTP' }, host);
  const joined = join({ client, target, early: greeting.early, records }, entry, options);
  session.begin();
  const outcome = await joined;
  for (const record of records) record.closed(toRecordedEnding(outcome));
  target.destroy();
  const { reason, error, isCut } = outcome;
  return {
    ...conclude(client, target, outcome),
    reason: session.isDone && !error && !isCut ? 'eof' : reason,
    failed: isCut === true || session.hasFailed,
    ...(session.brokenTarget !== undefined && { subject: session.brokenTarget }),
  };
}

/** Where the connection is recorded; one that is not recorded is not described either. */
function openRecords(
  { client, greeting, listener, entry: { id } }: Greeted,
  { socket, target }: OpenUpstream,
  { recordings = [] }: ProxyHost,
): readonly ConnectionRecord[] {
  if (recordings.length === 0) return [];
  const connection = describeRelayed(client, listener, { id, target, greeting });
  return recordings.map((recording) =>
    recording.open({
      connection,
      hasEnded: (direction) => hasEnded(direction === 'sent' ? client : socket),
    }),
  );
}

/** The error for a client that is a connection of our own. */
function leadBack(
  { client, listener, entry }: Greeted,
  { pair }: RelayOptions,
  host: ProxyHost,
): HandlerEnding {
  const target = pair.targets[0];
  host.fail(
    listener,
    createLoopError(listener, target ? formatTarget(target) : 'what was asked for'),
    entry.id,
  );
  return { reason: 'aborted', failed: true, close: () => closeUnserved(client) };
}

function conclude(client: Connection, target: Connection, outcome: Outcome): HandlerEnding {
  const { reason, error, subject, isCut, withinMs } = outcome;
  return {
    reason,
    error,
    subject,
    failed: isCut === true,
    async close() {
      await Promise.all([
        closeSide(client, outcome.client, withinMs),
        closeSide(target, outcome.target, withinMs),
      ]);
    },
  };
}

/**
 * Connects a client to what it asked for, or to its upstream; undefined when that failed, which has been reported.
 */
async function openTarget(
  { client, greeting, listener, entry: { id, remote } }: Greeted,
  { pair, requests, routes, upstream, createHead }: RelayOptions,
  host: ProxyHost,
): Promise<OpenUpstream | undefined> {
  let head: Buffer | undefined;
  try {
    const socket = socketOf(client);
    head = socket && createHead?.(socket, greeting);
  } catch (error) {
    host.ledger.refuse('handshake');
    host.fail(remote, error, id);
    return undefined;
  }
  const clientHost = sourceHost(greeting.header) ?? client.remoteAddress ?? '';
  const describe = async () => {
    const { describeConnection, protocolOf } = await import('../program/environment.ts');
    const protocol = protocolOf(pair.listen, client, pair.values.tlsIn);
    return describeConnection(client, { id, protocol, path: listener, header: greeting.header });
  };
  const asked = { id, clientHost, listener, head, describe };
  if (greeting.request && requests && client instanceof Socket) {
    const { openRequested } = await import('./request.ts');
    return openRequested(client, greeting.request, requests, asked);
  }
  const own = (greeting.route && routes?.get(greeting.route)) ?? upstream;
  if (own) return own.open(asked);
  refuse(host, remote, 'no route');
  return undefined;
}

/** Relays a SOCKS client's datagrams, for which it needs no connection of its own. */
async function associate(
  { client, greeting, entry: { id, remote } }: Greeted,
  { requests }: RelayOptions,
  host: ProxyHost,
): Promise<HandlerEnding> {
  const { request } = greeting;
  if (!request || !requests || !(client instanceof Socket)) throw new Error('only a socket can ask for it');
  const { serveAssociate } = await import('./socks/associate.ts');
  if (requests.dial.options?.proxies) {
    const { noWayError } = await import('./request.ts');
    const error = noWayError('UDP');
    host.fail(remote, error, id);
    client.end(request.refuse(error.code));
    return { reason: 'aborted', failed: true, close: () => closeUnserved(client) };
  }
  const error = await serveAssociate(client, request, { host, rules: requests.rules }).then(
    () => undefined,
    (failure: unknown) => failure as Error,
  );
  return { reason: error ? 'aborted' : 'eof', error, close: () => closeConnection(client, error) };
}

/** Whether a side has ended with a FIN. */
function hasEnded(side: Connection): boolean {
  return side.readableEnded && !side.errored;
}

/** The ending of the client's connection: its own break is a reset; if the target broke, we ended it. */
function toRecordedEnding({ reason, client }: Outcome): RecordedEnding {
  return reason === 'reset' && client === 'reset' ? 'aborted' : reason;
}

async function closeSide(side: Connection, closing: Closing, withinMs: number | undefined): Promise<void> {
  if (closing === 'reset') await resetConnection(side, withinMs);
  else side.destroy();
}

/**
 * A client's connection as a recording names it: from the client to the address that it connected to, with the
 * target that it was joined to.
 *
 * @param address what the listener has bound; names a Unix socket
 */
export function describeRelayed(
  client: Connection,
  address: string,
  { id, target, greeting }: { readonly id: number; readonly target: string; readonly greeting: Greeting },
): RecordedConnection {
  const { localAddress, localPort, remoteAddress, remotePort } = client;
  const notes = [
    socketOf(client)?.secureLayer ? 'TLS, recorded in the clear' : undefined,
    greeting.header && `PROXY header from ${formatSource(greeting.header)}`,
  ].filter((note) => note !== undefined);
  return {
    id,
    local: toRecordedEnd(remoteAddress, remotePort, ''),
    remote: toRecordedEnd(localAddress, localPort, address),
    role: 'relayed',
    transport: client.readableObjectMode ? 'udp' : 'tcp',
    target,
    ...(notes.length > 0 && { note: notes.join('; ') }),
  };
}
