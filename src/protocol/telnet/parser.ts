import { findCommand, findVerb, IAC, SB, SE, type TelnetCommand, type TelnetVerb } from './codes.ts';

/** The longest subnegotiation that is kept, in bytes after unescaping; a longer one is dropped whole. */
export const SUBNEGOTIATION_LIMIT_BYTES = 4096;

/** What in the peer's bytes was not telnet; the bytes concerned are dropped and parsing goes on. */
export type TelnetAnomaly =
  'unknown-command' | 'subnegotiation-too-long' | 'subnegotiation-cut-short' | 'end-without-subnegotiation';

/** What a {@link TelnetParser} calls for each thing it finds, in the order of the bytes. */
export interface TelnetParserHandler {
  /** A run of data, IAC IAC already made one byte; a view of the chunk, never empty. */
  onData(bytes: Buffer): void;
  onCommand(command: TelnetCommand): void;
  onNegotiation(verb: TelnetVerb, option: number): void;
  /** A whole subnegotiation, its escapes undone. */
  onSubnegotiation(option: number, bytes: Buffer): void;
  onAnomaly(anomaly: TelnetAnomaly): void;
}

const EMPTY = Buffer.alloc(0);

/**
 * The state machine of RFC 854 and 855, right across any chunk border. It decides nothing: options, replies and the
 * end-of-line rules are the codec's.
 *
 *          IAC           WILL WONT DO DONT          any
 *     data ───▶ command ──────────────────▶ verb ───────▶ data
 *                 │  ▲ SB         any           IAC
 *                 │  └──▶ sb-option ──▶ sb-data ───▶ sb-command ── SE ──▶ data
 *                 └ any other: data        ▲────── IAC ──┘
 *
 * Another byte after IAC inside a subnegotiation ends it unfinished and is read as a command, as telnet(1) does:
 * a peer that forgets SE then loses one option, not the rest of the session.
 */
export class TelnetParser {
  #state: 'data' | 'command' | 'verb' | 'sb-option' | 'sb-data' | 'sb-command' = 'data';
  #verb: TelnetVerb = 'will';
  #option = 0;
  /** What the open subnegotiation holds so far, in pieces; set by its first byte, cleared at its end. */
  #held: Buffer = EMPTY;
  #heldBytes = 0;
  #isOverLimit = false;
  readonly #handler: TelnetParserHandler;

  constructor(handler: TelnetParserHandler) {
    this.#handler = handler;
  }

  /** How many bytes of an unfinished subnegotiation are kept, at most {@link SUBNEGOTIATION_LIMIT_BYTES}. */
  get bufferedBytes(): number {
    return this.#heldBytes;
  }

  /** Parses a chunk and calls the handler for everything that is complete in it. */
  push(chunk: Buffer): void {
    let index = 0;
    while (index < chunk.length) {
      if (this.#state === 'data') index = this.#readData(chunk, index);
      else if (this.#state === 'sb-data') index = this.#readSubnegotiation(chunk, index);
      else {
        this.#readByte(chunk[index] as number, chunk, index);
        index += 1;
      }
    }
  }

  #readData(chunk: Buffer, from: number): number {
    const iac = chunk.indexOf(IAC, from);
    const end = iac < 0 ? chunk.length : iac;
    if (end > from) this.#handler.onData(chunk.subarray(from, end));
    if (iac < 0) return end;
    this.#state = 'command';
    return end + 1;
  }

  #readSubnegotiation(chunk: Buffer, from: number): number {
    const iac = chunk.indexOf(IAC, from);
    const end = iac < 0 ? chunk.length : iac;
    this.#hold(chunk.subarray(from, end));
    if (iac < 0) return end;
    this.#state = 'sb-command';
    return end + 1;
  }

  #readByte(byte: number, chunk: Buffer, index: number): void {
    switch (this.#state) {
      case 'command':
        this.#state = 'data';
        if (byte === IAC) this.#handler.onData(chunk.subarray(index, index + 1));
        else this.#startCommand(byte);
        return;
      case 'verb':
        this.#state = 'data';
        this.#handler.onNegotiation(this.#verb, byte);
        return;
      case 'sb-option':
        // IAC as the option: EXOPL (RFC 861) never came into use, so this is a subnegotiation that lost its option.
        this.#option = byte;
        this.#state = byte === IAC ? 'sb-command' : 'sb-data';
        return;
      case 'sb-command':
        this.#readSubnegotiationCommand(byte, chunk, index);
        return;
      case 'data':
      case 'sb-data':
    }
  }

  #startCommand(byte: number): void {
    const verb = findVerb(byte);
    if (verb) {
      this.#verb = verb;
      this.#state = 'verb';
    } else if (byte === SB) this.#state = 'sb-option';
    else if (byte === SE) this.#handler.onAnomaly('end-without-subnegotiation');
    else {
      const command = findCommand(byte);
      if (command) this.#handler.onCommand(command);
      else this.#handler.onAnomaly('unknown-command');
    }
  }

  #readSubnegotiationCommand(byte: number, chunk: Buffer, index: number): void {
    if (byte === IAC) {
      this.#hold(chunk.subarray(index, index + 1));
      this.#state = 'sb-data';
      return;
    }
    const bytes = Buffer.from(this.#held.subarray(0, this.#heldBytes));
    const isWhole = byte === SE && this.#option !== IAC;
    this.#state = 'data';
    this.#held = EMPTY;
    this.#heldBytes = 0;
    if (this.#isOverLimit) this.#handler.onAnomaly('subnegotiation-too-long');
    else if (isWhole) this.#handler.onSubnegotiation(this.#option, bytes);
    else this.#handler.onAnomaly('subnegotiation-cut-short');
    this.#isOverLimit = false;
    if (byte !== SE) this.#startCommand(byte);
  }

  #hold(bytes: Buffer): void {
    if (this.#isOverLimit || this.#heldBytes + bytes.length > SUBNEGOTIATION_LIMIT_BYTES) {
      this.#isOverLimit = true;
      this.#held = EMPTY;
      this.#heldBytes = 0;
      return;
    }
    if (this.#heldBytes + bytes.length > this.#held.length) {
      const grown = Buffer.allocUnsafe(Math.max(64, (this.#heldBytes + bytes.length) * 2));
      this.#held.copy(grown, 0, 0, this.#heldBytes);
      this.#held = grown;
    }
    bytes.copy(this.#held, this.#heldBytes);
    this.#heldBytes += bytes.length;
  }
}
