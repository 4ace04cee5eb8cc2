export { TelnetCodec } from './telnet-codec.ts';
export type { TelnetCodecOptions, TelnetEvent, TelnetRole } from './codec-options.ts';
export {
  nameOption,
  telnetCommands,
  telnetOptions,
  telnetVerbs,
  type TelnetCommand,
  type TelnetOptionName,
  type TelnetVerb,
} from './codes.ts';
export type { TelnetSide } from './option-state.ts';
export type { TelnetStatus, TelnetWindowSize } from './subnegotiation.ts';
export type { TelnetNewline } from './nvt.ts';
export { SUBNEGOTIATION_LIMIT_BYTES } from './parser.ts';
