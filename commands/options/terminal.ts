import { Option, type Command } from 'commander';
import { defaultEscape, parseEscape, type EscapeKey } from '../../src/dial/escape-key.ts';
import { parseTimeMs } from './values.ts';

/** The flags for telnet and for a person at a terminal. */
export interface TerminalFlags {
  /** How telnet begins; true for a plain -t. */
  readonly telnet?: 'passive' | 'active' | true;
  readonly raw?: boolean;
  readonly escape: EscapeKey;
  readonly delay?: number;
}

export function addTelnetOption(command: Command): void {
  command.addOption(
    new Option('-t, --telnet [mode]', 'speak telnet; --telnet=active speaks first on any port').choices([
      'passive',
      'active',
    ]),
  );
}

export function addTerminalOptions(command: Command): void {
  command
    .addOption(new Option('--raw', 'give each key on the terminal as it is typed; the escape key leaves'))
    .addOption(
      new Option('--escape <key>', 'the key for the command mode on a terminal: ^X, a character, or none')
        .argParser(parseEscape)
        .default(defaultEscape, '^]'),
    )
    .addOption(
      new Option('--delay <time>', 'wait this long between lines that are sent').argParser(parseTimeMs),
    );
}
