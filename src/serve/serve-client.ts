import { resetConnection, type Connection, formatLocal, formatRemote } from '../net/connection.ts';
import { credentialsOf } from '../net/credentials.ts';
import { ConnectionGuard, guarded } from '../net/guard.ts';
import { Socket } from '../net/index.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { greet, type Greeting, SaidNothing, formatSource, judgeHeader } from './greeting/greeting.ts';
import { describeGreeting } from './greeting/describe-greeting.ts';
import { describeValues } from './greeting/header-values.ts';
import { leave, refuse, tellExit, type OpenConnection } from './ledger.ts';
import type { ServeHost, Service } from './service.ts';

/**
 * Serves one client from its arrival to its end, and reports both: greets it, hands it to the service's handler,
 * and removes it from the ledger. Closes its connection. Never rejects: a fault ends this connection alone. Resolves
 * to whether it was served to its end.
 *
 * @param client a socket, or an object that acts as one; only a socket is greeted
 * @param listener what the listener has bound; names a client that has no address
 */
export async function serveClient(
  client: Connection,
  listener: string,
  service: Service,
  host: ServeHost,
): Promise<boolean> {
  let isServed = false;
  // A client that leaves while it is greeted must not be an uncaught error.
  client.on('error', () => undefined);
  const entry = service.entered ?? host.ledger.enter(formatRemote(client, listener), service.name);
  const guard = new ConnectionGuard((error) => leave(entry, host, { reason: 'aborted', error }));
  guard.watch(client);
  await guard.run(async () => {
    const { id, remote } = entry;
    tune(client, entry, service, host);
    if (!service.entered && host.hears?.('accepted') !== false)
      host.emit({
        event: 'accepted',
        id,
        local: formatLocal(client, listener),
        remote,
        ...credentialsOf(client),
      });
    // Until its handler sets its own.
    entry.breakOff = () => void client.destroy();
    const says = service.readers.length > 0 && client instanceof Socket;
    const greeting = service.onlyFirst?.aborted
      ? 'dropped'
      : says
        ? await letIn(client, entry, service, host)
        : {};
    if (greeting === 'said-nothing') {
      host.emit({ event: 'probe', id, remote });
      leave(entry, host, { reason: 'eof', isProbe: true });
      client.destroy();
    } else if (greeting === 'dropped') {
      leave(entry, host, { reason: 'aborted' });
      client.destroy();
    } else if (greeting === 'turned-away') {
      leave(entry, host, { reason: 'aborted', failed: true });
      await closeUnserved(client);
    } else {
      if (greeting.stream) guard.watch(greeting.stream);
      if (says) entry.greeting = describeGreeting(client, greeting);
      const ending = await service.handle({
        client: greeting.stream ?? client,
        greeting,
        listener,
        entry,
        guard,
      });
      tellExit(client, id, host);
      leave(entry, host, ending);
      isServed = ending.error === undefined && ending.failed !== true;
      await ending.close();
    }
  });
  return isServed;
}

/** Sets the options of a client's socket. On a client that is already gone that fails, which is only reported. */
function tune(
  client: Connection,
  { id, remote }: OpenConnection,
  { tune: apply }: Service,
  host: ServeHost,
): void {
  try {
    if (client instanceof Socket) apply?.(client);
  } catch (error) {
    host.fail(remote, error, id);
  }
}

/**
 * Reads what the client says first. `turned-away`: it cannot be served, which has been reported and, if the
 * protocol has an answer, answered. `said-nothing`: it left without a word, as the checks of load balancers do,
 * which is not an error. `dropped`: only one client is served, and another was first.
 */
async function letIn(
  client: Socket,
  { id, remote }: OpenConnection,
  service: Service,
  host: ServeHost,
): Promise<Greeting | 'said-nothing' | 'dropped' | 'turned-away'> {
  const { readers, greetingMs, onlyFirst } = service;
  let greeting: Greeting;
  try {
    greeting = await greet(client, readers, { limitMs: greetingMs, signal: onlyFirst });
    // When two finish their greetings in one turn, the first one is served.
    onlyFirst?.throwIfAborted();
  } catch (error) {
    if (onlyFirst?.aborted) return 'dropped';
    if (host.signal.aborted) return 'turned-away';
    if (error instanceof SaidNothing) return 'said-nothing';
    host.ledger.refuse('handshake');
    host.fail(remote, error, id);
    if (error instanceof ProtocolError && error.reply) client.end(error.reply);
    return 'turned-away';
  }
  const { header } = greeting;
  if (!header) return greeting;
  host.emit({ event: 'client', id, remote, client: formatSource(header), ...describeValues(header.values) });
  const reason = await judgeHeader(header, client, service);
  if (reason === undefined) return greeting;
  refuse(host, formatSource(header), reason);
  return 'turned-away';
}

/** How long a client that was refused with an answer may take to read it. */
const answerMs = 1_000;

/**
 * Closes a client that is not served: with a reset, unless it was answered. If it is still sending, a reset would
 * destroy the answer, so what it sends is read and dropped for a while.
 */
export async function closeUnserved(client: Connection): Promise<void> {
  if (!client.writableEnded) return resetConnection(client);
  const timer = setTimeout(
    guarded(() => client.destroy()),
    answerMs,
  );
  client.once('close', () => clearTimeout(timer));
  client.once('end', () => client.destroy());
  client.resume();
}
