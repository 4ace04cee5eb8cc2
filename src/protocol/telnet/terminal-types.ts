import { badInput } from '../protocol-error.ts';
import { isTerminalType, TERMINAL_TYPE_LIMIT_BYTES } from './subnegotiation.ts';

/**
 * The answers to repeated terminal-type requests: each name in turn, the last one twice to mark the end of the list,
 * then from the start again. Source: RFC 1091 section 5; MUD servers read client, terminal and `MTTS n` this way.
 */
export class TerminalTypeCycle {
  readonly #names: readonly string[];
  #index = 0;

  /** @throws ProtocolError TNET_E_PROTOCOL_INPUT when a name is not 1 to 40 printable ASCII characters. */
  constructor(names: readonly string[]) {
    for (const name of names) {
      if (isTerminalType(name)) continue;
      throw badInput(
        'telnet',
        'bad-terminal-type',
        `A terminal type has 1 to ${TERMINAL_TYPE_LIMIT_BYTES} printable characters: ${JSON.stringify(name)}.`,
      );
    }
    this.#names = names;
  }

  /** Whether there is a name to give at all. */
  get isEmpty(): boolean {
    return this.#names.length === 0;
  }

  /** The name to answer the next request with. */
  next(): string {
    const last = this.#names.length - 1;
    const name = this.#names[Math.min(this.#index, last)] ?? '';
    // One past the last index gives the last name again; a list of one name repeats from the first answer on.
    this.#index = this.#index > last || last === 0 ? 0 : this.#index + 1;
    return name;
  }

  /** Starts over: the option went off. */
  reset(): void {
    this.#index = 0;
  }
}
