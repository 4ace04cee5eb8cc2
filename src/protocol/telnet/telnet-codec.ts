import { badInput } from '../protocol-error.ts';
import {
  acceptedOptions,
  offeredOptions,
  type TelnetCodecOptions,
  type TelnetEvent,
  readSubnegotiation,
} from './codec-options.ts';
import { IAC, telnetCommands, telnetOptions, type TelnetCommand, type TelnetVerb } from './codes.ts';
import { answerEnvironment, informEnvironment } from './environ.ts';
import { Negotiator, TIMING_MARK, TerminalTypeCycle } from './negotiator.ts';
import { NvtDecoder, NvtEncoder } from './nvt.ts';
import type { OptionStep, TelnetSide } from './option-state.ts';
import { TelnetParser } from './parser.ts';
import {
  encodeIs,
  encodeNegotiation,
  encodeSend,
  encodeStatus,
  encodeSubnegotiation,
  encodeWindowSize,
  SEND,
  type TelnetStatus,
  type TelnetWindowSize,
} from './subnegotiation.ts';

const EMPTY = Buffer.alloc(0);

/**
 * One end of a telnet connection (RFC 854, 855), client or server, without I/O: `receive()` takes what arrived and
 * gives data and replies, `encode()` makes data ready to send. Options are negotiated by RFC 1143; BINARY (856),
 * ECHO (857), SGA (858), STATUS (859), TIMING-MARK (860), TTYPE (1091), EOR (885), NAWS (1073), TSPEED (1079) and, for a client, NEW-ENVIRON (1572) are
 * spoken, all others refused with WONT and DONT. Nothing the peer sends makes it throw: what is not telnet comes out
 * as an `anomaly` event. It keeps at most SUBNEGOTIATION_LIMIT_BYTES and two bytes.
 */
export class TelnetCodec {
  readonly #options: TelnetCodecOptions;
  readonly #parser: TelnetParser;
  readonly #negotiator: Negotiator;
  readonly #decoder: NvtDecoder;
  readonly #encoder: NvtEncoder;
  readonly #terminalTypes: TerminalTypeCycle;
  #windowSize: TelnetWindowSize | undefined;
  /** Timing marks asked for and not answered yet. */
  #openMarks = 0;
  /** What `receive()` is collecting; replaced at the start of each call. */
  #events: TelnetEvent[] = [];

  /** @throws ProtocolError TNET_E_PROTOCOL_INPUT for a terminal type or window that cannot be sent. */
  constructor(options: TelnetCodecOptions) {
    this.#options = options;
    const { terminalType = [], windowSize } = options;
    this.#terminalTypes = new TerminalTypeCycle(
      typeof terminalType === 'string' ? [terminalType] : terminalType,
    );
    if (windowSize) encodeWindowSize(windowSize);
    this.#windowSize = windowSize;
    this.#encoder = new NvtEncoder(options.lineFeed);
    this.#decoder = new NvtDecoder(options.newline ?? 'crlf');
    this.#negotiator = new Negotiator((side, option) => this.#accepts(side, option));
    this.#parser = new TelnetParser({
      onData: (bytes) => this.#receiveData(bytes),
      onCommand: (command) => this.#emit({ type: 'command', command }),
      onNegotiation: (verb, option) => this.#receiveNegotiation(verb, option),
      onSubnegotiation: (option, bytes) => this.#receiveSubnegotiation(option, bytes),
      onAnomaly: (anomaly) => this.#emit({ type: 'anomaly', anomaly }),
    });
  }

  /** How many bytes are kept for later, both directions together. */
  get bufferedBytes(): number {
    return this.#parser.bufferedBytes + this.#decoder.bufferedBytes + this.#encoder.bufferedBytes;
  }

  /** The options that are on: `will` ours, `do` the peer's. */
  get status(): TelnetStatus {
    return this.#negotiator.status;
  }

  /** Whether both ends have agreed on an option, e.g. `isOn('remote', telnetOptions.echo)`. */
  isOn(side: TelnetSide, option: number): boolean {
    return this.#negotiator.isOn(side, option);
  }

  /** The first bytes to send: the offers of an active end, empty for a passive one. */
  start(): Buffer {
    if (!this.#options.active) return EMPTY;
    const offers = offeredOptions[this.#options.role].filter(([side, option]) => this.#accepts(side, option));
    if (this.#options.binary === 'offer')
      offers.push(['local', telnetOptions.binary], ['remote', telnetOptions.binary]);
    return Buffer.concat(offers.map(([side, option]) => this.enable(side, option)));
  }

  /** Takes a chunk from the peer, cut anywhere. Data events may be views of it. Never throws. */
  receive(chunk: Buffer): TelnetEvent[] {
    this.#events = [];
    this.#parser.push(chunk);
    return this.#events;
  }

  /** The peer has ended its side: what was held back, at most one CR. */
  end(): TelnetEvent[] {
    const bytes = this.#decoder.flush();
    return bytes.length > 0 ? [{ type: 'data', bytes }] : [];
  }

  /**
   * Makes data ready to send. Without BINARY a CR at the end of `data` waits for the next call or `flush()`, so an
   * interactive program flushes after every key.
   */
  encode(data: Buffer): Buffer {
    return this.#sendsBinary ? this.#encoder.encodeBinary(data) : this.#encoder.encode(data);
  }

  /** Sends what `encode()` held back. Call it at the end of the input and after a key of a person. */
  flush(): Buffer {
    return this.#encoder.flush(this.#sendsBinary ? 'binary' : 'nvt');
  }

  /** A command such as `ip`, `ayt` or `brk`: IAC and its code. */
  send(command: TelnetCommand): Buffer {
    return Buffer.from([IAC, telnetCommands[command]]);
  }

  /** Asks for an option; empty when it is on already or the answer to an earlier wish is still open. */
  enable(side: TelnetSide, option: number): Buffer {
    return this.#request(side, option, 'on');
  }

  /** Turns an option off, or takes an open offer back. */
  disable(side: TelnetSide, option: number): Buffer {
    return this.#request(side, option, 'off');
  }

  /**
   * Remembers the window and tells the peer when it listens (NAWS, RFC 1073); empty when it does not.
   * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a size that is not 0 to 65535.
   */
  resize(columns: number, rows: number): Buffer {
    const bytes = encodeWindowSize({ columns, rows });
    this.#windowSize = { columns, rows };
    return this.#negotiator.isOn('local', telnetOptions['window-size']) ? bytes : EMPTY;
  }

  /** Tells the peer of a variable that has changed, when it listens (RFC 1572); empty when it does not. */
  informEnvironment(name: string): Buffer {
    const option = telnetOptions['new-environ'];
    if (!this.#tellsEnvironment(option)) return EMPTY;
    return encodeSubnegotiation(option, informEnvironment(name, this.#environment.get(name)));
  }

  /** Asks the peer for its view of the options (RFC 859); empty when it has not agreed to STATUS. */
  requestStatus(): Buffer {
    return this.#ifRemote(telnetOptions.status);
  }

  /** Server: asks for the next terminal type (RFC 1091); the first is asked for by itself. */
  requestTerminalType(): Buffer {
    return this.#ifRemote(telnetOptions['terminal-type']);
  }

  /** Asks the peer to say when it has worked through everything sent so far (RFC 860). */
  requestTimingMark(): Buffer {
    this.#openMarks += 1;
    return encodeNegotiation('do', TIMING_MARK);
  }

  get #sendsBinary(): boolean {
    return this.#negotiator.isInForce('local', telnetOptions.binary);
  }

  #emit(event: TelnetEvent): void {
    this.#events.push(event);
  }

  #reply(bytes: Buffer): void {
    if (bytes.length > 0) this.#emit({ type: 'reply', bytes });
  }

  #accepts(side: TelnetSide, option: number): boolean {
    const { role, binary, terminalSpeed } = this.#options;
    if (!acceptedOptions[role][side].some((name) => telnetOptions[name] === option)) return false;
    if (option === telnetOptions.binary) return binary !== 'refuse';
    if (side === 'remote') return true;
    if (option === telnetOptions['terminal-type']) return !this.#terminalTypes.isEmpty;
    if (option === telnetOptions['window-size']) return this.#windowSize !== undefined;
    if (option === telnetOptions['new-environ']) return (this.#options.environment?.size ?? 0) > 0;
    return option !== telnetOptions['terminal-speed'] || terminalSpeed !== undefined;
  }

  #request(side: TelnetSide, option: number, wish: 'on' | 'off'): Buffer {
    if (!Number.isInteger(option) || option < 0 || option >= IAC) {
      throw badInput('telnet', 'bad-option', `a telnet option is a number from 0 to 254, not ${option}`);
    }
    const step = this.#negotiator.request(side, option, wish);
    return step.send ? encodeNegotiation(step.send, option) : EMPTY;
  }

  #ifRemote(option: number): Buffer {
    return this.#negotiator.isOn('remote', option) ? encodeSend(option) : EMPTY;
  }

  #receiveData(bytes: Buffer): void {
    const data = this.#negotiator.isInForce('remote', telnetOptions.binary)
      ? bytes
      : this.#decoder.decode(bytes);
    if (data.length > 0) this.#emit({ type: 'data', bytes: data });
  }

  #receiveNegotiation(verb: TelnetVerb, option: number): void {
    this.#emit({ type: 'negotiation', verb, option });
    if (option === TIMING_MARK) {
      this.#receiveTimingMark(verb);
      return;
    }
    const wasBinary = this.#negotiator.isInForce('remote', telnetOptions.binary);
    const step = this.#negotiator.receive(verb, option);
    if (!wasBinary && this.#negotiator.isInForce('remote', telnetOptions.binary)) {
      const held = this.#decoder.flush();
      if (held.length > 0) this.#emit({ type: 'data', bytes: held });
    }
    if (step.send) this.#reply(encodeNegotiation(step.send, option));
    if (step.change) this.#changeOption(step.side, option, step.change);
  }

  #receiveTimingMark(verb: TelnetVerb): void {
    if (verb === 'do') this.#reply(encodeNegotiation(this.#options.timingMark ?? 'will', TIMING_MARK));
    if ((verb === 'will' || verb === 'wont') && this.#openMarks > 0) {
      this.#openMarks -= 1;
      this.#emit({ type: 'timing-mark', verb });
    }
  }

  #changeOption(side: TelnetSide, option: number, state: NonNullable<OptionStep['change']>): void {
    this.#emit({ type: 'option', side, option, state });
    if (option === telnetOptions['terminal-type'] && state === 'off') this.#terminalTypes.reset();
    if (state === 'off') return;
    if (side === 'local' && option === telnetOptions['window-size'] && this.#windowSize) {
      this.#reply(encodeWindowSize(this.#windowSize));
    }
    if (side === 'remote' && option === telnetOptions['terminal-type']) this.#reply(encodeSend(option));
    if (side === 'remote' && option === telnetOptions['terminal-speed']) this.#reply(encodeSend(option));
  }

  #receiveSubnegotiation(option: number, bytes: Buffer): void {
    const isRequest = bytes.length === 1 && bytes[0] === SEND;
    const variables = this.#tellsEnvironment(option) && answerEnvironment(bytes, this.#environment);
    if (variables) this.#reply(encodeSubnegotiation(option, variables));
    else if (isRequest && this.#negotiator.isOn('local', option)) this.#reply(this.#answerRequest(option));
    else if (this.#negotiator.isOn('remote', option)) this.#emit(readSubnegotiation(option, bytes));
    else this.#emit({ type: 'subnegotiation', option, bytes });
  }

  get #environment(): ReadonlyMap<string, string> {
    return this.#options.environment ?? new Map();
  }

  #tellsEnvironment(option: number): boolean {
    return option === telnetOptions['new-environ'] && this.#negotiator.isOn('local', option);
  }

  #answerRequest(option: number): Buffer {
    if (option === telnetOptions['terminal-type']) return encodeIs(option, this.#terminalTypes.next());
    if (option === telnetOptions.status) return encodeStatus(this.#negotiator.status);
    if (option === telnetOptions['terminal-speed'] && this.#options.terminalSpeed) {
      return encodeIs(option, this.#options.terminalSpeed.join(','));
    }
    return EMPTY;
  }
}
