import { telnetOptions } from './codes.ts';
import type { TelnetEvent } from './codec-options.ts';
import { decodeStatus, decodeTerminalSpeed, decodeTerminalType, decodeWindowSize } from './subnegotiation.ts';

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
