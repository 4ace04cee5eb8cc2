import { Transform } from 'node:stream';
import {
  nowMicros,
  type RecordedChunk,
  type RecordedConnection,
  type RecordedDirection,
  type RecordedEnding,
} from './record-format.ts';
import type { ConnectionRecord, ConnectionRecordOptions, Recorder } from './recording.ts';

/** What is told to whoever taps a connection. Nothing here may throw, or keep the bytes waiting. */
export interface TapListener {
  readonly data: (chunk: RecordedChunk) => void;
  /** A direction has ended: a FIN. */
  readonly ended: (direction: RecordedDirection, atMicros: number) => void;
  /** The connection is over. The last call. */
  readonly closed: (ending: RecordedEnding, atMicros: number) => void;
}

/** A tap of a connection. */
export interface OpenTap {
  readonly connection: RecordedConnection;
  /** How many bytes had passed in each direction when the tap began. */
  readonly before: Readonly<Record<RecordedDirection, number>>;
  /** The directions that had ended by then. */
  readonly ended: readonly RecordedDirection[];
  /** Ends the tap. */
  readonly stop: () => void;
}

interface TappedConnection {
  readonly connection: RecordedConnection;
  readonly bytes: Record<RecordedDirection, number>;
  readonly ended: RecordedDirection[];
  /** Has bytes pass here; undefined: they do from the beginning. */
  start?: () => void;
  readonly listeners: Set<TapListener>;
}

/** Lets any open connection be tapped from now on. The bytes of one that nobody has tapped need not pass here. */
export class LiveTaps implements Recorder {
  readonly #open = new Map<number, TappedConnection>();

  /**
   * Taps a connection; undefined: it is not open, or not joined to its target yet, or its bytes do not pass here. The
   * caller stops the tap, unless the connection is over first.
   */
  tap(id: number, listener: TapListener): OpenTap | undefined {
    const tapped = this.#open.get(id);
    if (!tapped) return undefined;
    tapped.start?.();
    const { connection, bytes, ended, listeners } = tapped;
    listeners.add(listener);
    return {
      connection,
      before: { ...bytes },
      ended: [...ended],
      stop: () => void listeners.delete(listener),
    };
  }

  open({ connection, hasEnded }: ConnectionRecordOptions): ConnectionRecord {
    const tapped: TappedConnection = {
      connection,
      bytes: { sent: 0, received: 0 },
      ended: [],
      listeners: new Set(),
    };
    this.#open.set(connection.id, tapped);
    return {
      sent: passOn(tapped, 'sent', hasEnded),
      received: passOn(tapped, 'received', hasEnded),
      later: {
        arrange: (start) => {
          tapped.start = start;
        },
        begin: ({ sent, received }) => {
          tapped.bytes.sent = sent.bytes;
          tapped.bytes.received = received.bytes;
          for (const [direction, { isOver }] of [
            ['sent', sent],
            ['received', received],
          ] as const)
            if (isOver) tapped.ended.push(direction);
        },
      },
      closed: (ending) => {
        // Another one has the number by now, or this one has been closed.
        if (this.#open.get(connection.id) !== tapped) return;
        this.#open.delete(connection.id);
        for (const listener of tapped.listeners) listener.closed(ending, nowMicros());
        tapped.listeners.clear();
      },
    };
  }
}

function passOn(
  { bytes, ended, listeners }: TappedConnection,
  direction: RecordedDirection,
  hasEnded: ConnectionRecordOptions['hasEnded'],
): Transform {
  return new Transform({
    // Chunks stay as they are, including empty ones: a datagram may be empty.
    objectMode: true,
    highWaterMark: 2,
    transform(chunk: Buffer, _encoding, done) {
      this.push(chunk);
      if (listeners.size > 0) {
        const told = { direction, bytes: chunk, offset: bytes[direction], atMicros: nowMicros() };
        for (const listener of listeners) listener.data(told);
      }
      bytes[direction] += chunk.length;
      done();
    },
    flush(done) {
      if (hasEnded(direction)) {
        ended.push(direction);
        for (const listener of listeners) listener.ended(direction, nowMicros());
      }
      done();
    },
  });
}
