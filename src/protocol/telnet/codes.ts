/** The telnet commands that follow IAC, by name. Source: RFC 854 "TELNET command structure"; 236-239 RFC 1184, RFC 885. */
export const telnetCommands = {
  eof: 236,
  susp: 237,
  abort: 238,
  eor: 239,
  se: 240,
  nop: 241,
  dm: 242,
  brk: 243,
  ip: 244,
  ao: 245,
  ayt: 246,
  ec: 247,
  el: 248,
  ga: 249,
} as const;

/** A telnet command without operand, by its name in RFC 854 in lower case. */
export type TelnetCommand = keyof typeof telnetCommands;

/** The start of a subnegotiation, RFC 855. */
export const SB = 250;
/** The end of a subnegotiation, RFC 855. */
export const SE = 240;
/** "Interpret as command": the byte that starts every command; as data it is sent twice. RFC 854. */
export const IAC = 255;

/** The four verbs of option negotiation, RFC 854. */
export const telnetVerbs = { will: 251, wont: 252, do: 253, dont: 254 } as const;

/** A verb of option negotiation. */
export type TelnetVerb = keyof typeof telnetVerbs;

/** The options this codec knows by name, with the RFC that defines each. Logout, linemode and charset it only knows to refuse. */
export const telnetOptions = {
  /** RFC 856 */
  binary: 0,
  /** RFC 857 */
  echo: 1,
  /** RFC 858 */
  'suppress-go-ahead': 3,
  /** RFC 859 */
  status: 5,
  /** RFC 860 */
  'timing-mark': 6,
  /** RFC 727 */
  logout: 18,
  /** RFC 1091 */
  'terminal-type': 24,
  /** RFC 885 */
  'end-of-record': 25,
  /** RFC 1073 */
  'window-size': 31,
  /** RFC 1079 */
  'terminal-speed': 32,
  /** RFC 1184 */
  linemode: 34,
  /** RFC 1572 */
  'new-environ': 39,
  /** RFC 2066 */
  charset: 42,
} as const;

/** The name of an option this codec knows. */
export type TelnetOptionName = keyof typeof telnetOptions;

const optionNames = new Map(Object.entries(telnetOptions).map(([name, code]) => [code as number, name]));
const commandNames = new Map(
  Object.entries(telnetCommands).map(([name, code]) => [code as number, name as TelnetCommand]),
);
const verbNames = new Map(
  Object.entries(telnetVerbs).map(([name, code]) => [code as number, name as TelnetVerb]),
);

/** The name of an option for people: `echo`, `window-size`, or `option 200` for one without a name here. */
export function nameOption(option: number): string {
  return optionNames.get(option) ?? `option ${option}`;
}

/** The number of an option by its name here. */
export function findOption(name: string): number | undefined {
  return Object.hasOwn(telnetOptions, name) ? telnetOptions[name as TelnetOptionName] : undefined;
}

/** The command of a byte after IAC, or undefined when it is not one. */
export function findCommand(byte: number): TelnetCommand | undefined {
  return commandNames.get(byte);
}

/** The verb of a byte after IAC, or undefined when it is not one. */
export function findVerb(byte: number): TelnetVerb | undefined {
  return verbNames.get(byte);
}
