import { badInput } from '../protocol-error.ts';
import { escapeIac } from './nvt.ts';
import { IAC, SB, SE, telnetOptions, telnetVerbs, type TelnetVerb } from './codes.ts';

/** The first byte of most subnegotiations: the value itself, or a request for it. RFC 1091, 1079, 859. */
export const IS = 0;
/** See {@link IS}. */
export const SEND = 1;

/** RFC 1091: "terminal type names are at most 40 characters". */
export const TERMINAL_TYPE_LIMIT_BYTES = 40;
const SPEED_LIMIT_BYTES = 32;

const printable = /^[\x21-\x7e]+$/;
const speeds = /^(\d{1,10}),(\d{1,10})$/;

/** A whole subnegotiation: IAC SB option bytes IAC SE, with IAC doubled inside (RFC 855). */
export function encodeSubnegotiation(option: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([IAC, SB, option]), escapeIac(bytes), Buffer.from([IAC, SE])]);
}

/** A negotiation: IAC verb option (RFC 854). */
export function encodeNegotiation(verb: TelnetVerb, option: number): Buffer {
  return Buffer.from([IAC, telnetVerbs[verb], option]);
}

/** A size of the window in characters, 0 to 65535; 0 means "as you like". RFC 1073. */
export interface TelnetWindowSize {
  readonly columns: number;
  readonly rows: number;
}

/** @throws ProtocolError TNET_E_PROTOCOL_INPUT when a size is not a whole number of 16 bits. */
export function encodeWindowSize({ columns, rows }: TelnetWindowSize): Buffer {
  for (const size of [columns, rows]) {
    if (!Number.isInteger(size) || size < 0 || size > 0xffff) {
      throw badInput(
        'telnet',
        'bad-window-size',
        `a window of ${columns}x${rows} cannot be sent to the peer`,
      );
    }
  }
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16BE(columns, 0);
  bytes.writeUInt16BE(rows, 2);
  return encodeSubnegotiation(telnetOptions['window-size'], bytes);
}

/** Reads the four bytes of RFC 1073; undefined for any other length. */
export function decodeWindowSize(bytes: Buffer): TelnetWindowSize | undefined {
  if (bytes.length !== 4) return undefined;
  return { columns: bytes.readUInt16BE(0), rows: bytes.readUInt16BE(2) };
}

/** IS and a text, as RFC 1091 and RFC 1079 send it. */
export function encodeIs(option: number, text: string): Buffer {
  return encodeSubnegotiation(option, Buffer.concat([Buffer.from([IS]), Buffer.from(text, 'latin1')]));
}

/** IAC SB option SEND IAC SE. */
export function encodeSend(option: number): Buffer {
  return encodeSubnegotiation(option, Buffer.from([SEND]));
}

/** The terminal type after IS, or undefined when it is not 1 to 40 printable characters (RFC 1091). */
export function decodeTerminalType(bytes: Buffer): string | undefined {
  const name = bytes.toString('latin1', 1);
  return bytes[0] === IS && isTerminalType(name) ? name : undefined;
}

/** Whether a name may be sent as terminal type: 1 to 40 printable characters. MTTS sends `MTTS 137`, so a space passes. */
export function isTerminalType(name: string): boolean {
  return name.length <= TERMINAL_TYPE_LIMIT_BYTES && name.split(' ').every((word) => printable.test(word));
}

/** The speeds after IS in bits a second, or undefined when they are not `digits,digits` (RFC 1079). */
export function decodeTerminalSpeed(bytes: Buffer): { transmit: number; receive: number } | undefined {
  if (bytes[0] !== IS || bytes.length > SPEED_LIMIT_BYTES) return undefined;
  const found = speeds.exec(bytes.toString('latin1', 1));
  return found ? { transmit: Number(found[1]), receive: Number(found[2]) } : undefined;
}

/** Which options are on, as one end sees them. */
export interface TelnetStatus {
  /** The options that the sender of the status performs: its WILLs. */
  readonly will: readonly number[];
  /** The options that it lets the other end perform: its DOs. */
  readonly do: readonly number[];
}

/** The perception of the sender: IS and WILL/DO pairs, a byte of the value SE doubled. RFC 859. */
export function encodeStatus(status: TelnetStatus): Buffer {
  const bytes = [IS];
  const write = (verb: TelnetVerb, option: number) => {
    bytes.push(telnetVerbs[verb], option);
    if (option === SE) bytes.push(SE);
  };
  for (const option of status.will) write('will', option);
  for (const option of status.do) write('do', option);
  return encodeSubnegotiation(telnetOptions.status, Buffer.from(bytes));
}

/** Reads what {@link encodeStatus} writes; nested SB … SE parts are skipped. Undefined when it cannot be read. */
export function decodeStatus(bytes: Buffer): TelnetStatus | undefined {
  if (bytes[0] !== IS) return undefined;
  const status = { will: [] as number[], do: [] as number[] };
  let index = 1;
  while (index < bytes.length) {
    const verb = bytes[index];
    const option = bytes[index + 1];
    index += 2;
    if (verb === SB) {
      index = skipNested(bytes, index);
      continue;
    }
    if (option === undefined) return undefined;
    if (option === SE && bytes[index] === SE) index += 1;
    if (verb === telnetVerbs.will) status.will.push(option);
    else if (verb === telnetVerbs.do) status.do.push(option);
    else if (verb !== telnetVerbs.wont && verb !== telnetVerbs.dont) return undefined;
  }
  return status;
}

function skipNested(bytes: Buffer, from: number): number {
  let index = from;
  while (index < bytes.length) {
    if (bytes[index] !== SE) index += 1;
    else if (bytes[index + 1] === SE) index += 2;
    else return index + 1;
  }
  return index;
}
