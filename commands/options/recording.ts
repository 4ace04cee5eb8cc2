import { fstatSync } from 'node:fs';
import type { WriteStream } from 'node:tty';
import type { Duplex, Writable } from 'node:stream';
import { socketOf, type Connection } from '../../src/net/connection.ts';
import type { ProxyHeader } from '../../src/protocol/proxy-protocol/header.ts';
import { toRecordedEnd } from '../../src/record/record-format.ts';
import { formatSource, sourceHost } from '../../src/serve/greeting/greeting.ts';
import type { ConnectionRecord, Recording } from '../../src/record/recording.ts';
import { TnetError, errorCode } from '../../src/errors.ts';
import { openOutput } from '../../src/dial/stdio.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import type { Context } from '../context.ts';
import type { TableFlags } from './row.ts';
import type { recording } from './table/recording.ts';
import type { endOfData } from './table/session.ts';
import type { TapStyle } from '../../src/record/tap-format.ts';
import { wantsColor } from '../../src/report/paint.ts';
import { describeError } from '../../src/report/sentences.ts';

/** The flags that record what goes over the connections. */
export type RecordingFlags = TableFlags<typeof recording, 'connect'> &
  Pick<TableFlags<typeof endOfData, 'connect'>, 'shutdown'>;

/** What a recording tells of a connection beside its own addresses. */
export interface RecordedFacts {
  readonly id: number;
  readonly role: 'dialled' | 'accepted';
  /** What a Unix server is bound to, or was called by. */
  readonly server: string;
  /** What the client's PROXY header said. */
  readonly header?: ProxyHeader | undefined;
}

/** Records every connection that is reported to it in the file of -o, and remembers the record of each. */
export class Recorder {
  readonly #recording: Recording;
  readonly #flags: RecordingFlags;

  constructor(recording: Recording, flags: RecordingFlags) {
    this.#recording = recording;
    this.#flags = flags;
  }

  /** Begins the record of a connection. */
  open(socket: Connection, { id, role, server, header }: RecordedFacts): void {
    const { localAddress, localPort, remoteAddress, remotePort } = socket;
    const [localPath, remotePath] = role === 'dialled' ? ['', server] : [server, ''];
    const notes = [
      socketOf(socket)?.secureLayer ? 'TLS, recorded in the clear' : undefined,
      presentedNote(header),
    ].filter((note) => note !== undefined);
    const record = this.#recording.open({
      connection: {
        id,
        local: toRecordedEnd(localAddress, localPort, localPath),
        remote: toRecordedEnd(remoteAddress, remotePort, remotePath),
        role,
        transport: socket.readableObjectMode ? 'udp' : 'tcp',
        ...(notes.length > 0 && { note: notes.join('; ') }),
      },
      hasEnded: (direction) =>
        direction === 'sent' ? this.#flags.shutdown : socket.readableEnded && !socket.errored,
    });
    records.set(socket, record);
  }
}

const records = new WeakMap<Connection, ConnectionRecord>();

/** The record of a connection, when it is being recorded. */
export function recordOf(socket: Connection): ConnectionRecord | undefined {
  return records.get(socket);
}

/** What records a connection's two directions: none when it is not recorded. */
export function recordTransforms(socket: Connection): {
  readonly sendTransforms: readonly Duplex[];
  readonly receiveTransforms: readonly Duplex[];
} {
  const record = recordOf(socket);
  return {
    sendTransforms: record ? [record.sent] : [],
    receiveTransforms: record ? [record.received] : [],
  };
}

/** The recorder that -o asks for, or undefined; see openRecording(). */
export async function createRecorder(
  context: Context,
  flags: RecordingFlags,
  outputUse: string | undefined,
): Promise<Recorder | undefined> {
  const recording = await openRecording(context, flags, outputUse);
  return recording && new Recorder(recording, flags);
}

/**
 * The recording that -o asks for, or undefined. A file that fails later is reported, the connections go on, and the
 * exit status is that of a local failure.
 *
 * @param outputUse what standard output carries, so that no recording can; undefined: nothing
 * @throws TnetError TNET_E_USAGE
 */
export async function openRecording(
  context: Context,
  flags: Pick<RecordingFlags, 'output' | 'format' | 'append'>,
  outputUse: string | undefined,
): Promise<Recording | undefined> {
  const { output, format = 'hex', append = false } = flags;
  if (output === undefined) return undefined;
  if (append && format === 'pcapng') {
    throw new TnetError(
      'TNET_E_USAGE',
      '--append is for text, JSON and raw bytes: a pcapng file is one recording',
    );
  }
  const { createRecording, loadFormat, Recording } = await import('../../src/record/recording.ts');
  const onError = (error: Error) => {
    context.reporter.fail(output, error);
    context.exit(exitCodes.usage);
  };
  const fd = descriptorOf(output);
  if (fd === undefined) return createRecording(output, format, onError, append);
  if (fd === 1 && outputUse !== undefined) {
    throw new TnetError('TNET_E_USAGE', `standard output carries ${outputUse}`, { subject: `-o ${output}` });
  }
  const { RecordSink } = await import('../../src/record/record-file.ts');
  return new Recording(new RecordSink(openDescriptor(fd, output), onError), await loadFormat(format));
}

/** The descriptor that a name refers to: it is written to as it is, whatever it contains. */
function descriptorOf(output: string): number | undefined {
  const names: Readonly<Record<string, number>> = { '-': 1, '/dev/stdout': 1, '/dev/stderr': 2 };
  const [, digits] = /^\/(?:dev|proc\/self)\/fd\/(\d+)$/.exec(output) ?? [];
  return digits === undefined ? names[output] : Number(digits);
}

/** @throws TnetError TNET_E_USAGE */
function openDescriptor(fd: number, output: string): Writable {
  try {
    fstatSync(fd);
  } catch (error) {
    throw new TnetError('TNET_E_USAGE', 'the descriptor is not open', { subject: output, cause: error });
  }
  // The process has these already, and one stream only can wait for room in a pipe.
  if (fd === 1) return process.stdout;
  return fd === 2 ? process.stderr : openOutput(fd).stream;
}

/** Packets have the connection's own addresses; what a PROXY header says goes beside them. */
function presentedNote(header: ProxyHeader | undefined): string | undefined {
  return header && sourceHost(header) !== undefined ? `PROXY header from ${formatSource(header)}` : undefined;
}

/** How long a reader that takes nothing is waited for at the end. */
const patienceMs = 2_000;

/** A recording on standard output, for people. */
export interface Tap {
  readonly recording: Recording;
  /** Waits until all has been shown, within a bound, and gives standard output back. */
  close(): Promise<void>;
}

/** Opens a tap on stdout. When its reader has left, that is reported once, and connections go on without it. */
export async function openTap({ reporter }: Context, style: TapStyle): Promise<Tap> {
  const [{ Recording }, { RecordSink }, { createTapFormat }, { loadTapPaint }] = await Promise.all([
    import('../../src/record/recording.ts'),
    import('../../src/record/record-file.ts'),
    import('../../src/record/tap-format.ts'),
    import('../../src/report/paint.ts'),
  ]);
  const paint = await loadTapPaint(wantsColor(process.argv.slice(2), 1));
  const output = openOutput(1);
  const sink = new RecordSink(output.stream, (error) => {
    const reason = errorCode(error) === 'EPIPE' ? 'nobody reads the tap any more' : describeError(error);
    reporter.emit({ event: 'warning', message: `${reason}: connections continue without it` });
  });
  const recording = new Recording(
    sink,
    createTapFormat(style, paint, () => (output.stream as Partial<WriteStream>).columns),
  );
  return {
    recording,
    async close() {
      await Promise.race([
        recording.flush(),
        new Promise((resolve) => setTimeout(resolve, patienceMs).unref()),
      ]);
      output.close();
    },
  };
}
