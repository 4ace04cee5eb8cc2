import { Transform, type TransformCallback, type Writable } from 'node:stream';
import type { TelnetCodec } from '../protocol/telnet/telnet-codec.ts';
import type { TelnetEvent } from '../protocol/telnet/codec-options.ts';

export interface TelnetStreamsOptions {
  readonly codec: TelnetCodec;
  /** The connection. Negotiation answers are written to it when no data is queued before them. */
  readonly peer: Writable;
  /** Whether every chunk that is sent is a key or a line typed by the user, and must not wait for the next. */
  readonly isInteractive: boolean;
  /** Called with everything that is not data, answers included. */
  readonly onEvent?: (event: TelnetEvent) => void;
}

/**
 * A telnet codec as two transforms of one connection:
 *
 *     input ──▶ encoder ──▶ peer ──▶ decoder ──▶ output
 *                  ▲                    │
 *                  └───── answers ◀─────┘
 *
 * A peer that asks and does not read the answers is not read either, so the answers need no unbounded memory.
 */
export class TelnetStreams {
  readonly encoder: Transform;
  readonly decoder: Transform;
  readonly #options: TelnetStreamsOptions;
  /** Set when the input has ended: nothing can be queued in the encoder any more. */
  #isInputOver = false;

  constructor(options: TelnetStreamsOptions) {
    this.#options = options;
    const { codec } = options;
    this.decoder = new Transform({
      transform: (chunk: Buffer, _encoding, done) => this.#decode(chunk, done),
      flush: (done) => {
        for (const event of codec.end()) if (event.type === 'data') this.decoder.push(event.bytes);
        done();
      },
    });
    this.encoder = new Transform({
      transform: (chunk: Buffer, _encoding, done) => done(null, this.#encode(chunk)),
      flush: (done) => {
        const rest = codec.flush();
        this.#isInputOver = true;
        done(null, rest.length > 0 ? rest : undefined);
      },
    });
    this.encoder.once('close', () => {
      this.#isInputOver = true;
    });
  }

  /** Sends bytes that are already telnet: a command, an offer. Dropped when our side has been closed. */
  send(bytes: Buffer): void {
    const { peer } = this.#options;
    if (bytes.length === 0) return;
    // After the data that was encoded before, because otherwise BINARY would begin too early.
    if (!this.#isInputOver && this.encoder.readableFlowing) this.encoder.push(bytes);
    else if (!peer.writableEnded && !peer.destroyed) peer.write(bytes);
  }

  #encode(chunk: Buffer): Buffer | undefined {
    const { codec, isInteractive } = this.#options;
    const bytes = codec.encode(chunk);
    const all = isInteractive ? Buffer.concat([bytes, codec.flush()]) : bytes;
    return all.length > 0 ? all : undefined;
  }

  #decode(chunk: Buffer, done: TransformCallback): void {
    const { codec, peer, onEvent } = this.#options;
    for (const event of codec.receive(chunk)) {
      if (event.type === 'data') this.decoder.push(event.bytes);
      else {
        if (event.type === 'reply') this.send(event.bytes);
        onEvent?.(event);
      }
    }
    if (peer.writableNeedDrain && !peer.destroyed) whenTaken(peer, done);
    else done();
  }
}

/** Calls back once, when the stream takes bytes again or is gone. */
function whenTaken(stream: Writable, done: () => void): void {
  const go = () => {
    stream.off('drain', go).off('close', go);
    done();
  };
  stream.on('drain', go).on('close', go);
}
