import { Transform } from 'node:stream';
import { RecordFile } from './record-file.ts';
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
  /** Passes on, unchanged and at once, what goes to the peer, and records it. The last transform of that flow. */
  readonly sent: Transform;
  /** The same for what comes from the peer. The first transform of that flow. */
  readonly received: Transform;
  /** Records how the connection ended. */
  closed(ending: RecordedEnding): void;
}

export interface ConnectionRecordOptions {
  readonly connection: RecordedConnection;
  /** Whether the end of what is sent half-closes the connection. Default true. */
  readonly halfClose?: boolean;
  /** Whether the peer has really ended: a flow that is cut short ends too. */
  readonly hasPeerEnded: () => boolean;
}

/** A file with the bytes of any number of connections, each with its direction, time and id. */
export class Recording {
  readonly #file: RecordFile;
  readonly #format: RecordFormat;

  constructor(file: RecordFile, format: RecordFormat) {
    this.#file = file;
    this.#format = format;
    this.#write(format.begin());
  }

  /** Begins the record of a connection. */
  open({ connection, halfClose = true, hasPeerEnded }: ConnectionRecordOptions): ConnectionRecord {
    const format = this.#format;
    const write = (bytes: Buffer) => this.#write(bytes);
    write(format.opened(connection, nowMicros()));
    let isClosed = false;
    const end = (direction: RecordedDirection, isReal: boolean) => {
      if (isReal && !isClosed) write(format.ended(connection, direction, nowMicros()));
    };
    return {
      sent: this.#tap(connection, 'sent', () => end('sent', halfClose)),
      received: this.#tap(connection, 'received', () => end('received', hasPeerEnded())),
      closed(ending) {
        if (isClosed) return;
        isClosed = true;
        write(format.closed(connection, ending, nowMicros()));
      },
    };
  }

  #tap(connection: RecordedConnection, direction: RecordedDirection, onEnd: () => void): Transform {
    let offset = 0;
    const file = this.#file;
    const format = this.#format;
    return new Transform({
      // Chunks stay as they are, also those without bytes: a datagram may be one.
      objectMode: true,
      highWaterMark: 2,
      transform(chunk: Buffer, _encoding, done) {
        // Handed on before it is recorded: only the bytes after it wait for a slow disk.
        this.push(chunk);
        const record = format.data(connection, direction, chunk, offset, nowMicros());
        offset += chunk.length;
        file.write(record, done);
      },
      flush(done) {
        onEnd();
        done();
      },
    });
  }

  #write(bytes: Buffer): void {
    this.#file.write(bytes, () => undefined);
  }
}

/**
 * Creates a recording. The file is opened now; `onError` is told, once, when writing it fails later: the connections go
 * on without being recorded.
 *
 * @throws TnetError TNET_E_USAGE for a file that has something in it or cannot be opened.
 */
export async function createRecording(
  path: string,
  name: RecordFormatName,
  onError: (error: Error) => void,
): Promise<Recording> {
  const format = await loadFormat(name);
  return new Recording(new RecordFile(path, onError), format);
}

async function loadFormat(name: RecordFormatName): Promise<RecordFormat> {
  switch (name) {
    case 'hex':
      return (await import('./hex-format.ts')).createHexFormat();
    case 'raw':
      return (await import('./raw-format.ts')).createRawFormat();
    case 'json':
      return (await import('./json-format.ts')).createJsonFormat();
    case 'pcapng':
      return (await import('./pcapng-format.ts')).createPcapngFormat();
  }
}
