import { telnetOptions, type TelnetCommand, type TelnetOptionName, type TelnetVerb } from './codes.ts';
import type { TelnetLineFeed, TelnetNewline } from './nvt.ts';
import {
  type TelnetStatus,
  type TelnetWindowSize,
  decodeStatus,
  decodeTerminalSpeed,
  decodeTerminalType,
  decodeWindowSize,
} from './subnegotiation.ts';
import type { TelnetSide } from './option-state.ts';
import type { TelnetAnomaly } from './parser.ts';

/** Which end of the connection the codec plays. */
export type TelnetRole = 'client' | 'server';

/** What a {@link TelnetCodec} is made with. Everything is optional but the role. */
export interface TelnetCodecOptions {
  readonly role: TelnetRole;
  /** Speak first: `start()` offers the options of the role. Without it nothing is sent until the peer negotiates. */
  readonly active?: boolean;
  /** Client: the terminal type, or several in the order they are given to repeated requests. None = refused. */
  readonly terminalType?: string | readonly string[];
  /** Client: the window. Absent = the option is refused until `resize()` gives one. */
  readonly windowSize?: TelnetWindowSize;
  /** Client: bits a second as `[transmit, receive]`. Absent = refused. */
  readonly terminalSpeed?: readonly [transmit: number, receive: number];
  /** Client: variables for a peer that asks (NEW-ENVIRON, RFC 1572). None = refused. */
  readonly environment?: ReadonlyMap<string, string>;
  /** Whether BINARY (RFC 856) is accepted, and offered when active. Default `accept`. */
  readonly binary?: 'accept' | 'offer' | 'refuse';
  /**
   * The answer to DO TIMING-MARK (RFC 860). Both mark the place; servers that ask it at the start take a WILL for the
   * word of a client that edits lines itself while SGA is off, and then echo nothing. Default `will`.
   */
  readonly timingMark?: 'will' | 'wont';
  /** How CR LF of the peer is handed on. Default `crlf`: as it came. */
  readonly newline?: TelnetNewline;
  /** What a lone LF is in what is sent. Default `newline`: it is sent as CR LF. */
  readonly lineFeed?: TelnetLineFeed;
}

/** What {@link TelnetCodec.receive} finds, in the order of the bytes. */
export type TelnetEvent =
  /** Data for the program: no byte of any command is ever in it. */
  | { readonly type: 'data'; readonly bytes: Buffer }
  /** Bytes to send to the peer, before anything else is encoded. */
  | { readonly type: 'reply'; readonly bytes: Buffer }
  /** The peer negotiated; the reply, if any, follows. */
  | { readonly type: 'negotiation'; readonly verb: TelnetVerb; readonly option: number }
  /** An option came on or went off. */
  | {
      readonly type: 'option';
      readonly side: TelnetSide;
      readonly option: number;
      readonly state: 'on' | 'off';
    }
  | { readonly type: 'command'; readonly command: TelnetCommand }
  /** Server: the peer's window (NAWS). */
  | ({ readonly type: 'window-size' } & TelnetWindowSize)
  /** Server: the peer's terminal type (TTYPE). */
  | { readonly type: 'terminal-type'; readonly name: string }
  /** Server: the peer's speeds in bits a second (TSPEED). */
  | { readonly type: 'terminal-speed'; readonly transmit: number; readonly receive: number }
  /** The peer's view of the options, after `requestStatus()`. */
  | ({ readonly type: 'status' } & TelnetStatus)
  /** The peer has worked through everything sent before `requestTimingMark()`, or it does not know the option. */
  | { readonly type: 'timing-mark'; readonly verb: 'will' | 'wont' }
  /** A subnegotiation of an option the codec does not speak; for a trace. */
  | { readonly type: 'subnegotiation'; readonly option: number; readonly bytes: Buffer }
  /** Something that is not telnet; its bytes were dropped and the session goes on. */
  | { readonly type: 'anomaly'; readonly anomaly: TelnetAnomaly | 'bad-subnegotiation' };

/** The options a role accepts on each side; what is in neither list (LINEMODE, CHARSET, …) is refused. */
export const acceptedOptions: Record<TelnetRole, Record<TelnetSide, readonly TelnetOptionName[]>> = {
  client: {
    local: [
      'binary',
      'suppress-go-ahead',
      'status',
      'terminal-type',
      'end-of-record',
      'window-size',
      'terminal-speed',
      'new-environ',
    ],
    remote: ['binary', 'echo', 'suppress-go-ahead', 'status', 'end-of-record'],
  },
  server: {
    local: ['binary', 'echo', 'suppress-go-ahead', 'status', 'end-of-record'],
    remote: [
      'binary',
      'suppress-go-ahead',
      'status',
      'terminal-type',
      'end-of-record',
      'window-size',
      'terminal-speed',
    ],
  },
};

/** What an active end asks for, in this order: telnet(1)'s own offers, without what is refused here. */
export const offeredOptions: Record<TelnetRole, readonly (readonly [TelnetSide, number])[]> = {
  client: [
    ['remote', telnetOptions['suppress-go-ahead']],
    ['local', telnetOptions['terminal-type']],
    ['local', telnetOptions['window-size']],
    ['local', telnetOptions['terminal-speed']],
    ['local', telnetOptions['new-environ']],
    ['remote', telnetOptions.status],
  ],
  server: [
    ['local', telnetOptions.echo],
    ['local', telnetOptions['suppress-go-ahead']],
    ['remote', telnetOptions['terminal-type']],
    ['remote', telnetOptions['window-size']],
  ],
};

const ANOMALY: TelnetEvent = { type: 'anomaly', anomaly: 'bad-subnegotiation' };

/** What a subnegotiation of an option that the peer performs says, as the event of it. */
export function readSubnegotiation(option: number, bytes: Buffer): TelnetEvent {
  switch (option) {
    case telnetOptions['window-size']: {
      const size = decodeWindowSize(bytes);
      return size ? { type: 'window-size', ...size } : ANOMALY;
    }
    case telnetOptions['terminal-type']: {
      const name = decodeTerminalType(bytes);
      return name === undefined ? ANOMALY : { type: 'terminal-type', name };
    }
    case telnetOptions['terminal-speed']: {
      const speed = decodeTerminalSpeed(bytes);
      return speed ? { type: 'terminal-speed', ...speed } : ANOMALY;
    }
    case telnetOptions.status: {
      const status = decodeStatus(bytes);
      return status ? { type: 'status', ...status } : ANOMALY;
    }
    default:
      return { type: 'subnegotiation', option, bytes };
  }
}
