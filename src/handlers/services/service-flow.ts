import { Readable, Writable, type Duplex } from 'node:stream';
import { isReset } from '../../errors.ts';
import type { Ending, Flow } from '../../flow/flow.ts';
import { startStreamFlow } from '../../flow/stream-flow.ts';
import { guarded } from '../../net/guard.ts';

/** What a service says on a connection. What it is sent is thrown away meanwhile. */
export type Speech =
  /** Nothing: the client's end is the end. */
  | { readonly kind: 'silence' }
  /** These bytes, then our end. */
  | { readonly kind: 'once'; readonly bytes: Buffer }
  /** These bytes again and again, until the client breaks off. Its end alone, a half-close, is not that. */
  | { readonly kind: 'forever'; readonly bytes: Buffer };

/** A service on one connection. The connection is its owner's to close when it has ended. */
export interface ServiceFlow {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly ended: Promise<Pick<Ending, 'reason' | 'error'>>;
  /** Stops both directions at once. */
  stop(reason: 'timeout' | 'aborted', error?: Error): void;
}

/** How long a client that was told everything may take to end its own side: to close before that could cut it off. */
const clientEndMs = 2_000;

/** About so much is put on its way at once. */
const chunkBytes = 64 * 1024;

/**
 * Starts a service. One that speaks forever is held up by a client that does not read: it costs that client's socket
 * buffer and one chunk, which all clients share.
 */
export function startServiceFlow(
  socket: Duplex,
  speech: Speech,
  onActivity?: (bytes: number) => void,
): ServiceFlow {
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
    // To break off is how a client ends a service that speaks forever.
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
