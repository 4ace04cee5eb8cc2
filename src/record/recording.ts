import { Transform } from 'node:stream';
import { openRecordFile, type RecordSink } from './record-file.ts';
import {
  nowMicros,
  type RecordedConnection,
  type RecordedDirection,
  type RecordedEnding,
  type RecordFormat,
  type RecordFormatName,
} from './record-format.ts';

/** The record of one connection while it runs. */
export interface ConnectionRecord {
  /** Passes on what goes to the peer, unchanged and at once, and records it. The last transform of that flow. */
  readonly sent: Transform;
  /** The same for what comes from the peer. The first transform of that flow. */
  readonly received: Transform;
  /** Records how the connection ended. */
  closed(ending: RecordedEnding): void;
  /** Of a record that needs no bytes before it asks for them. Default: it needs all. */
  readonly later?: LaterRecord;
}

/** A record that bytes need not pass at first. */
export interface LaterRecord {
  /** Gives it a function that has bytes pass from then on. Not called: they all pass. */
  readonly arrange: (start: () => void) => void;
  /** Bytes pass from now on. Each direction has moved so many before, or is over. */
  readonly begin: (
    before: Readonly<Record<RecordedDirection, { readonly bytes: number; readonly isOver: boolean }>>,
  ) => void;
}

export interface ConnectionRecordOptions {
  readonly connection: RecordedConnection;
  /** Whether a direction whose flow has ended was really ended by a FIN: a flow that is cut short ends too. */
  readonly hasEnded: (direction: RecordedDirection) => boolean;
}

/** Where the bytes of connections go, beside their ends. */
export interface Recorder {
  /** Begins the record of a connection. */
  open(options: ConnectionRecordOptions): ConnectionRecord;
}

/** The bytes of any number of connections, each with its direction, time and id, in a file or another sink. */
export class Recording implements Recorder {
  readonly #sink: RecordSink;
  readonly #format: RecordFormat;

  constructor(sink: RecordSink, format: RecordFormat) {
    this.#sink = sink;
    this.#format = format;
    this.#write(format.begin());
  }

  open({ connection, hasEnded }: ConnectionRecordOptions): ConnectionRecord {
    const format = this.#format;
    const write = (bytes: Buffer) => this.#write(bytes);
    write(format.opened(connection, nowMicros()));
    let isClosed = false;
    const end = (direction: RecordedDirection) => {
      if (!isClosed && hasEnded(direction)) write(format.ended(connection, direction, nowMicros()));
    };
    return {
      sent: this.#tap(connection, 'sent', () => end('sent')),
      received: this.#tap(connection, 'received', () => end('received')),
      closed(ending) {
        if (isClosed) return;
        isClosed = true;
        write(format.closed(connection, ending, nowMicros()));
      },
    };
  }

  /** Waits until everything so far has been written, or writing has failed. */
  flush(): Promise<void> {
    return this.#sink.flush();
  }

  #tap(connection: RecordedConnection, direction: RecordedDirection, onEnd: () => void): Transform {
    let offset = 0;
    const sink = this.#sink;
    const format = this.#format;
    return new Transform({
      // Chunks stay as they are, including empty ones: a datagram may be empty.
      objectMode: true,
      highWaterMark: 2,
      transform(chunk: Buffer, _encoding, done) {
        // Passed on before it is recorded: only the bytes after it wait for a slow disk.
        this.push(chunk);
        const record = format.data(connection, { direction, bytes: chunk, offset, atMicros: nowMicros() });
        offset += chunk.length;
        sink.write(record, done);
      },
      flush(done) {
        onEnd();
        done();
      },
    });
  }

  #write(bytes: Buffer): void {
    this.#sink.write(bytes, () => undefined);
  }
}

/**
 * Creates a recording. The file is opened now; `onError` is called once when writing it fails later: the
 * connections go on without being recorded.
 *
 * @param isAppended whether the file may have content, after which the recording goes
 * @throws TnetError TNET_E_USAGE for a file that has content or cannot be opened.
 */
export async function createRecording(
  path: string,
  name: RecordFormatName,
  onError: (error: Error) => void,
  isAppended = false,
): Promise<Recording> {
  const format = await loadFormat(name);
  return new Recording(openRecordFile(path, onError, isAppended), format);
}

/** A format by its name. */
export async function loadFormat(name: RecordFormatName): Promise<RecordFormat> {
  switch (name) {
    case 'hex':
      return (await import('./text-formats.ts')).createHexFormat();
    case 'raw':
      return (await import('./text-formats.ts')).createRawFormat();
    case 'json':
      return (await import('./text-formats.ts')).createJsonFormat();
    case 'pcapng':
      return (await import('./pcapng-format.ts')).createPcapngFormat();
  }
}
