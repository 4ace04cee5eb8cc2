import { Duplex } from 'node:stream';
import { errorCode, formatLimit, TnetError } from '../errors.ts';
import type { Connection } from './connection.ts';
import { guarded } from './guard.ts';
import type { Socket } from './index.ts';
import { kBroken } from './patient-socket.ts';
import type { AgreedExtensions } from './websocket-extensions.ts';
import { Receiver, Sender, type FrameReceiver, type FrameSender } from './websocket-library.ts';
import { TextLines } from './websocket-text.ts';

/** How bytes become messages, on either side. */
export interface MessageRules {
  /** A message is a line of text, without its line feed. Default false: messages are binary, and have no meaning. */
  readonly isText: boolean;
  /** Compress what is sent, and take what is compressed, where the other end agrees (permessage-deflate). */
  readonly deflate: boolean;
  /** The most bytes of a message. */
  readonly maxBytes: number;
  /** How often the peer is asked for a sign of life, in milliseconds: one that gives none is gone. Default: never. */
  readonly pingMs?: number | undefined;
}

/** The most bytes of a message that is sent: less than any peer's limit. */
const messageBytes = 64 * 1024;
/** How much of what is compressed is read at once: inflated it may be a thousand times as long. */
const sliceBytes = 4 * 1024;
/** Parts of a message and chunks of a frame that wait to be put together; those of the package's own server. */
const mostFragments = 128 * 1024;
const mostChunks = 1024 * 1024;
/** How long the peer may take to close a connection on which both have sent their close frames. */
const leavingMs = 1_000;

const nothing = Buffer.alloc(0);

/** The codes with which a WebSocket ends in order: done, going away, none given. Source: RFC 6455, 7.4.1. */
const orderly: readonly number[] = [1000, 1001, 1005];

/**
 * A WebSocket as a stream of bytes, on a socket whose handshake is done. Our end sends a close frame after our last
 * bytes, and the peer's close frame is the stream's end. Data comes before errors, as on a socket with
 * `dataBeforeError`. Destroying it closes the socket, after both close frames in order.
 *
 * Errors: TNET_E_TRUNCATED when the connection ends without a close frame; TNET_E_WEBSOCKET for a close frame that
 * reports a failure, for frames that break the protocol or a limit, which the peer is told, and for a peer that does
 * not answer a ping; EPIPE for what is written when the peer takes nothing more; the socket's own.
 */
export class WebSocketStream extends Duplex implements Connection {
  readonly carrier: Socket;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly #isServer: boolean;
  readonly #extensions: AgreedExtensions;
  readonly #receiver: FrameReceiver;
  readonly #sender: FrameSender;
  readonly #lines: TextLines | undefined;
  readonly #compress: boolean;
  /** Bytes of the socket that have not been given to the receiver. */
  #rest: Buffer = nothing;
  #isReceiving = false;
  /** The reader wants no more for now. */
  #isFull = false;
  /** The peer has sent its close frame, and we ours. */
  #isConcluded = false;
  #isClosing = false;
  /** The stream's end is given to the reader. */
  #hasEnd = false;
  /** Why reading has failed: reported when the reader has taken what came before. */
  #failure: Error | undefined;
  /** A write that has failed, until the reader has come to the end. */
  #failedWrite: (() => void) | undefined;
  /** The payload of the last ping that is not answered, while a pong is being sent. */
  #owedPong: Buffer | undefined;
  #isPonging = false;
  #pingTimer: NodeJS.Timeout | undefined;
  #hasHeard = true;

  /** @param early bytes of the peer that precede what the socket delivers */
  constructor(socket: Socket, rules: MessageRules, { isServer, extensions, early }: WebSocketStart) {
    super({ allowHalfOpen: true });
    this.carrier = socket;
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
    this.localAddress = socket.localAddress;
    this.localPort = socket.localPort;
    this.#isServer = isServer;
    this.#extensions = extensions;
    this.#compress = Object.keys(extensions.deflate).length > 0;
    this.#lines = rules.isText ? new TextLines(rules.maxBytes) : undefined;
    this.#sender = new Sender(socket, extensions.deflate);
    this.#receiver = new Receiver({
      isServer,
      extensions: extensions.deflate,
      maxPayload: rules.maxBytes,
      maxFragments: mostFragments,
      maxBufferedChunks: mostChunks,
      skipUTF8Validation: false,
    });
    // Whoever reads or writes it hears of an error by its own listener.
    this.on('error', () => undefined);
    this.once('end', () => this.#failedWrite?.());
    this.#listen();
    if (early) this.#take(early);
    if (rules.pingMs !== undefined) this.#startPings(rules.pingMs);
    if (socket.readableEnded) this.#socketEnded();
    else socket.resume();
  }

  override read(size?: number): unknown {
    const rest = this.readableLength;
    const chunk: unknown = super.read(
      this.#failure && size !== undefined && size > rest && rest > 0 ? rest : size,
    );
    if (this.#failure && this.readableLength === 0) process.nextTick(() => this.#reportFailure());
    return chunk;
  }

  override _read(): void {
    this.#isFull = false;
    this.#feed();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#takesNothing) return this.#failWrite(createPipeError(), done);
    const isText = this.#lines !== undefined;
    let messages: readonly Buffer[];
    try {
      messages = this.#lines ? this.#lines.add(chunk) : cut(chunk);
    } catch (error) {
      done(error as Error);
      return;
    }
    this.#sendAll(messages, isText, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    const end = () => this.#sendClose(1000, done);
    let last: readonly Buffer[] = [];
    try {
      last = this.#lines?.finish() ?? [];
    } catch (error) {
      done(error as Error);
      return;
    }
    if (this.#takesNothing) return done(last.length > 0 ? createPipeError() : null);
    this.#sendAll(last, true, (error) => (error ? done(error) : end()));
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#pingTimer);
    for (const one of Object.values(this.#extensions.deflate)) one.cleanup();
    if (this.#isClosing) this.#leave();
    else this.carrier.destroy();
    done(error);
    this.#failedWrite?.();
  }

  #listen(): void {
    const receiver = this.#receiver;
    receiver.on('message', (data: Buffer) => this.#deliver(data));
    receiver.on('ping', (data: Buffer) => this.#answerPing(data));
    receiver.on('conclude', (code: number, reason: Buffer) => this.#conclude(code, reason));
    receiver.on('error', (error: Error) => this.#refuse(error));
    const socket = this.carrier;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#socketEnded());
    socket.on('error', (error: Error) => {
      if (!this.#isConcluded || !this.#isClosing) this.#fail(error);
    });
    socket.on('close', () => this.#socketEnded());
    (socket as Duplex).on(kBroken, (error: Error) => this.emit(kBroken, error, this.#isConcluded));
  }

  /** Everything that follows a close frame is no one's. */
  #take(chunk: Buffer): void {
    this.#hasHeard = true;
    if (this.#isOver) return;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.carrier.pause();
    this.#feed();
  }

  /** Gives the receiver what there is as long as the reader wants more: it has no limit of its own for that. */
  #feed(): void {
    if (this.#isReceiving || this.#isFull || this.destroyed) return;
    if (this.#rest.length === 0) {
      this.carrier.resume();
      this.#reportFailure();
      return;
    }
    const slice = this.#compress ? this.#rest.subarray(0, sliceBytes) : this.#rest;
    this.#rest = this.#rest.subarray(slice.length);
    this.#isReceiving = true;
    const onReceived = () => {
      this.#isReceiving = false;
      this.#feed();
    };
    this.#receiver.write(slice, guarded(onReceived));
  }

  /** Nothing more of the peer is read. */
  get #isOver(): boolean {
    return this.#isConcluded || this.#failure !== undefined || this.destroyed;
  }

  #deliver(data: Buffer): void {
    const bytes = this.#lines ? TextLines.toLine(data) : data;
    if (bytes.length > 0 && !this.destroyed && !this.push(bytes)) this.#isFull = true;
  }

  #conclude(code: number, reason: Buffer): void {
    this.#isConcluded = true;
    this.#rest = nothing;
    clearInterval(this.#pingTimer);
    if (!orderly.includes(code)) {
      this.#sendClose(code);
      const message = `the peer closed the WebSocket with an error: ${describeClose(code, reason)}`;
      return this.#fail(new TnetError('TNET_E_WEBSOCKET', message));
    }
    // The peer reads on only if it said so: else it has to be answered, and takes nothing more.
    if (!this.#extensions.halfClose) this.#sendClose(code === 1005 ? 1000 : code);
    this.#hasEnd = true;
    if (!this.destroyed) this.push(null);
    this.#finishClosing();
  }

  /** What came breaks the protocol, or a limit: the peer is told why. */
  #refuse(error: Error): void {
    if (this.#isOver) return;
    this.#rest = nothing;
    this.#sendClose(closeCodeOf(error));
    const [line = ''] = error.message.split('\n');
    const message =
      closeCodeOf(error) === 1009
        ? 'a message of the peer is longer than --ws-max allows'
        : `the peer does not keep to the WebSocket protocol: ${line}`;
    this.#fail(new TnetError('TNET_E_WEBSOCKET', message, { cause: error }));
  }

  #socketEnded(): void {
    if (this.#isConcluded) this.#finishClosing();
    else {
      const message = 'the connection ended without a close frame of the WebSocket: data may be missing';
      this.#fail(new TnetError('TNET_E_TRUNCATED', message));
    }
  }

  /** Reading has failed. What came before is delivered first. */
  #fail(error: Error): void {
    if (this.#failure || this.destroyed) return;
    this.#failure = error;
    this.emit(kBroken, error, this.#hasEnd);
    if (this.#hasEnd && !this.readableEnded) this.once('end', () => this.destroy(error));
    else this.#reportFailure();
  }

  #reportFailure(): void {
    const isDelivered = !this.#isReceiving && this.#rest.length === 0 && this.readableLength === 0;
    if (!this.#failure || this.destroyed || (this.#hasEnd && !this.readableEnded)) return;
    if (isDelivered) this.destroy(this.#failure);
    // A reader that waits for more than there is must come and take the rest, as at an end.
    else if (this.listenerCount('readable') > 0) process.nextTick(() => this.emit('readable'));
  }

  get #takesNothing(): boolean {
    return this.#isClosing || this.carrier.destroyed;
  }

  #sendAll(messages: readonly Buffer[], isText: boolean, done: (error?: Error | null) => void): void {
    const options = { binary: !isText, fin: true, mask: !this.#isServer, compress: this.#compress };
    const last = messages.length - 1;
    if (last < 0) return done();
    messages.forEach((message, index) => {
      this.#sender.send(message, options, (error) => {
        if (error) this.#failWrite(error, done);
        else if (index === last) done();
      });
    });
  }

  /** A failed write destroys a stream: the peer's last bytes are read first. */
  #failWrite(error: Error, done: (error?: Error | null) => void): void {
    const fail = () => {
      this.#failedWrite = undefined;
      done(error);
    };
    const isRead = this.readableFlowing !== null || this.listenerCount('readable') > 0;
    if (this.readableEnded || this.destroyed || !isRead) return fail();
    this.#failedWrite ??= fail;
  }

  #sendClose(code: number, done?: (error?: Error | null) => void): void {
    if (this.#isClosing) {
      done?.();
      return;
    }
    this.#isClosing = true;
    this.#sender.close(code, '', !this.#isServer, (error) => {
      done?.(error);
      this.#finishClosing();
    });
  }

  /** Both close frames are sent: so is the FIN. */
  #finishClosing(): void {
    if (this.#isConcluded && this.#isClosing) this.carrier.end();
  }

  /** Closes the socket once the peer has closed it too, so that what was sent is not overtaken by a reset. */
  #leave(): void {
    const socket = this.carrier;
    if (socket.destroyed) return;
    const timer = setTimeout(
      guarded(() => socket.destroy()),
      leavingMs,
    );
    socket.once('close', () => clearTimeout(timer));
    socket.once('end', () => socket.destroySoon());
    socket.resume();
    socket.end();
  }

  /** One pong at a time: of several pings only the last has to be answered. Source: RFC 6455, 5.5.3. */
  #answerPing(data: Buffer): void {
    this.#owedPong = data;
    if (this.#isPonging || this.#isClosing) return;
    const pong = this.#owedPong;
    this.#owedPong = undefined;
    this.#isPonging = true;
    this.#sender.pong(pong, !this.#isServer, () => {
      this.#isPonging = false;
      if (this.#owedPong) this.#answerPing(this.#owedPong);
    });
  }

  #startPings(pingMs: number): void {
    const look = () => {
      if (this.#isConcluded) return;
      if (!this.#hasHeard && !this.#isFull) {
        const message = `the peer has not answered a ping within ${formatLimit(pingMs)}`;
        this.#fail(new TnetError('TNET_E_WEBSOCKET', message));
        return;
      }
      this.#hasHeard = false;
      if (!this.#isClosing) this.#sender.ping(nothing, !this.#isServer, () => undefined);
    };
    this.#pingTimer = setInterval(guarded(look), pingMs).unref();
  }
}

/** How a stream begins, after the handshake. */
export interface WebSocketStart {
  readonly isServer: boolean;
  readonly extensions: AgreedExtensions;
  readonly early?: Buffer | undefined;
}

function cut(chunk: Buffer): readonly Buffer[] {
  if (chunk.length <= messageBytes) return chunk.length === 0 ? [] : [chunk];
  const count = Math.ceil(chunk.length / messageBytes);
  return Array.from({ length: count }, (_, index) =>
    chunk.subarray(index * messageBytes, (index + 1) * messageBytes),
  );
}

function createPipeError(): Error {
  return Object.assign(new Error('the peer has closed the WebSocket and takes nothing more'), {
    code: 'EPIPE',
    syscall: 'write',
  });
}

/** The code that tells the peer what was wrong. Source: RFC 6455, 7.4.1. */
function closeCodeOf(error: Error): number {
  const code = errorCode(error) ?? '';
  if (/^WS_ERR_UNSUPPORTED_(?:MESSAGE|DATA_PAYLOAD)_LENGTH$/.test(code)) return 1009;
  if (code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') return 1008;
  return code === 'WS_ERR_INVALID_UTF8' || code.startsWith('Z_') ? 1007 : 1002;
}

/** Source: RFC 6455, 7.4.1, and IANA's WebSocket Close Code Number Registry. */
const closeNames: Readonly<Partial<Record<number, string>>> = {
  1002: 'protocol error',
  1003: 'unsupported data',
  1007: 'invalid data',
  1008: 'policy violation',
  1009: 'message too big',
  1010: 'an extension is missing',
  1011: 'internal error',
  1012: 'service restart',
  1013: 'try again later',
  1014: 'bad gateway',
};

function describeClose(code: number, reason: Buffer): string {
  const name = closeNames[code];
  const said = reason.length > 0 ? `: ${JSON.stringify(reason.toString())}` : '';
  return `${code}${name === undefined ? '' : ` (${name})`}${said}`;
}
