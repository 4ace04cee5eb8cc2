import { Readable, Writable, type Duplex } from 'node:stream';
import { idleError, isReset, lifetimeError } from '../../errors.ts';
import { startFlow } from '../../flow/start-flow.ts';
import { guarded } from '../../net/guard.ts';
import { closeConnection, cutDeliveryMs, resetConnection, type Connection } from '../../net/connection.ts';
import { chargenCycle, tell, type ServiceName } from '../../protocol/small-services/services.ts';
import type { Handler } from '../../serve/service.ts';
import type { Ending, Flow } from '../../flow/flow.ts';
import { startStreamFlow } from '../../flow/stream-flow.ts';

/**
 * Echo and the small services on a stream: a client is served until it or tnet has ended.
 *
 * @param limits `idleMs` ends a client when no byte has moved for this long, `timeoutMs` this long after it
 *   arrived. Default: none
 */
export function createServiceHandler(
  service: ServiceName,
  quotes: readonly Buffer[],
  {
    idleMs,
    timeoutMs,
  }: { readonly idleMs?: number | undefined; readonly timeoutMs?: number | undefined } = {},
): Handler {
  const start = chooseStart(service, quotes);
  return async ({ client, entry }) => {
    const flow = start(client, () => idleTimer?.refresh());
    const after = (limitMs: number | undefined, createError: (limitMs: number) => Error) => {
      if (limitMs === undefined) return undefined;
      return setTimeout(
        guarded(() => flow.stop('timeout', createError(limitMs))),
        limitMs,
      );
    };
    const idleTimer = after(idleMs, idleError);
    const timer = after(timeoutMs, lifetimeError);
    entry.moved = () => ({ sentBytes: flow.sentBytes, receivedBytes: flow.receivedBytes });
    entry.breakOff = () => flow.stop('aborted');
    const { reason, error } = await flow.ended;
    clearTimeout(idleTimer);
    clearTimeout(timer);
    const failed = reason === 'aborted';
    const close = () => (failed ? resetConnection(client, cutDeliveryMs) : closeConnection(client, error));
    return { reason, error, failed, close };
  };
}

/** Starts a service on a connection; `onActivity` is called when bytes have moved. */
type StartService = (client: Connection, onActivity?: () => void) => ServiceFlow;

function chooseStart(service: ServiceName, quotes: readonly Buffer[]): StartService {
  if (service === 'echo') return startEcho;
  return (client, onActivity) => startServiceFlow(client, speak(service, quotes), onActivity);
}

function speak(service: Exclude<ServiceName, 'echo'>, quotes: readonly Buffer[]): Speech {
  if (service === 'discard') return { kind: 'silence' };
  if (service === 'chargen') return { kind: 'forever', bytes: chargenCycle };
  return { kind: 'once', bytes: tell(service, new Date(), quotes) };
}

/** One flow from the client to itself. Source: RFC 862. */
function startEcho(client: Connection, onActivity?: () => void): ServiceFlow {
  const flow = startFlow({ source: client, sink: client, onActivity });
  return {
    get sentBytes() {
      return flow.bytes;
    },
    get receivedBytes() {
      return flow.bytesRead;
    },
    ended: flow.ended,
    stop: (reason, error) => flow.stop(reason, error),
  };
}

/** What a service says on a connection. What clients send meanwhile is discarded. */
type Speech =
  /** Nothing: the client's end ends it. */
  | { readonly kind: 'silence' }
  /** These bytes, then our end. */
  | { readonly kind: 'once'; readonly bytes: Buffer }
  /** These bytes again and again, until the client breaks off. Its end alone, a half-close, does not count. */
  | { readonly kind: 'forever'; readonly bytes: Buffer };

/** A service on one connection. The connection's owner closes it after the end. */
interface ServiceFlow {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly ended: Promise<Pick<Ending, 'reason' | 'error'>>;
  /** Stops both directions at once. */
  stop(reason: 'timeout' | 'aborted', error?: Error): void;
}

/**
 * How long a client that was sent everything may take to end its own side: closing before that could cut it off.
 */
const clientEndMs = 2_000;

/** About this much is sent at once. */
const chunkBytes = 64 * 1024;

/**
 * Starts a service. One that speaks forever is held up by a client that does not read: it costs that client's socket
 * buffer and one chunk, which all clients share.
 */
function startServiceFlow(socket: Duplex, speech: Speech, onActivity?: (bytes: number) => void): ServiceFlow {
  const heard = startStreamFlow({ source: socket, sink: discard(), onActivity });
  const told =
    speech.kind === 'silence'
      ? undefined
      : startStreamFlow({ source: createSource(speech), sink: socket, onActivity });
  const flows = [told, heard].filter((flow) => flow !== undefined);
  return {
    get sentBytes() {
      return told?.bytes ?? 0;
    },
    get receivedBytes() {
      return heard.bytesRead;
    },
    ended: conclude(speech, told, heard),
    stop(reason, error) {
      for (const flow of flows) flow.stop(reason, error);
    },
  };
}

async function conclude(
  { kind }: Speech,
  told: Flow | undefined,
  heard: Flow,
): Promise<Pick<Ending, 'reason' | 'error'>> {
  if (!told) return heard.ended;
  const ending = await told.ended;
  if (ending.reason !== 'eof') {
    heard.stop('aborted');
    // A client ends a service that speaks forever by breaking off.
    return kind === 'forever' && isReset(ending.error) ? { reason: 'reset' } : ending;
  }
  const timer = setTimeout(
    guarded(() => heard.stop('aborted')),
    clientEndMs,
  );
  const { reason, error } = await heard.ended;
  clearTimeout(timer);
  return reason === 'aborted' ? { reason: 'eof' } : { reason, error };
}

function createSource({ kind, bytes }: Exclude<Speech, { kind: 'silence' }>): Readable {
  if (kind === 'once') return Readable.from([bytes], { objectMode: false });
  const chunk = chunks.get(bytes) ?? repeat(bytes);
  chunks.set(bytes, chunk);
  return new Readable({
    highWaterMark: 1,
    read() {
      this.push(chunk);
    },
  });
}

const chunks = new WeakMap<Buffer, Buffer>();

function repeat(bytes: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: Math.ceil(chunkBytes / bytes.length) }, () => bytes));
}

function discard(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
