import type { EventEmitter } from 'node:events';
import type { Duplex, Writable } from 'node:stream';
import * as library from 'ws';

/** The parts of the package ws that tnet uses: frames and permessage-deflate, without its servers and clients. */
interface WebSocketLibrary {
  readonly Receiver: new (options: {
    readonly isServer: boolean;
    readonly extensions: FrameExtensions;
    /** The most bytes of a message. */
    readonly maxPayload: number;
    readonly maxFragments: number;
    readonly maxBufferedChunks: number;
    readonly skipUTF8Validation: boolean;
  }) => FrameReceiver;
  readonly Sender: new (socket: Duplex, extensions: FrameExtensions) => FrameSender;
  readonly PerMessageDeflate: new (options: {
    readonly isServer: boolean;
    readonly maxPayload: number;
  }) => Deflate;
  readonly extension: {
    /** @throws SyntaxError */
    parse(field: string): Record<string, DeflateParameters[]>;
    format(extensions: Record<string, object>): string;
  };
}

/** Takes bytes of the connection; emits 'message' (data, isBinary), 'ping', 'pong' (data) and 'conclude' (code, reason). */
export type FrameReceiver = Writable & EventEmitter;

type Done = (error?: Error | null) => void;

/** Writes frames to the connection, in order. */
export interface FrameSender {
  send(
    data: Buffer,
    options: {
      readonly binary: boolean;
      readonly fin: boolean;
      readonly mask: boolean;
      readonly compress: boolean;
    },
    done: Done,
  ): void;
  ping(data: Buffer, mask: boolean, done: Done): void;
  pong(data: Buffer, mask: boolean, done: Done): void;
  close(code: number | undefined, reason: string, mask: boolean, done: Done): void;
}

type DeflateParameters = Record<string, unknown>;

/** permessage-deflate of one connection, after the handshake. Source: RFC 7692. */
export interface Deflate {
  offer(): DeflateParameters;
  /** @throws Error when the parameters cannot be accepted */
  accept(offers: DeflateParameters[]): DeflateParameters;
  cleanup(): void;
}

/** The extensions of a connection by their names, as the library takes them. */
export type FrameExtensions = Readonly<Record<string, Deflate>>;

export const { Receiver, Sender, PerMessageDeflate, extension } = library as unknown as WebSocketLibrary;
