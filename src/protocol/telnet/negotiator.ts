import { badInput } from '../protocol-error.ts';
import { isTerminalType, TERMINAL_TYPE_LIMIT_BYTES, type TelnetStatus } from './subnegotiation.ts';
import { telnetOptions, type TelnetVerb } from './codes.ts';
import { OptionState, type OptionStep, type TelnetSide } from './option-state.ts';

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
        `a terminal type has 1 to ${TERMINAL_TYPE_LIMIT_BYTES} printable characters: ${JSON.stringify(name)}`,
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

/** Every option of both sides, each by the Q method (RFC 1143); one object per connection. */
export class Negotiator {
  readonly #states: Record<TelnetSide, Map<number, OptionState>> = { local: new Map(), remote: new Map() };
  readonly #accepts: (side: TelnetSide, option: number) => boolean;

  /** @param accepts whether the option may be turned on when the peer asks for it. */
  constructor(accepts: (side: TelnetSide, option: number) => boolean) {
    this.#accepts = accepts;
  }

  /** Whether both ends have agreed on the option. */
  isOn(side: TelnetSide, option: number): boolean {
    return this.#states[side].get(option)?.isOn ?? false;
  }

  /** Whether the bytes of that side obey the option right now. */
  isInForce(side: TelnetSide, option: number): boolean {
    const state = this.#states[side].get(option);
    return (side === 'remote' ? state?.isInForce : state?.isOn) ?? false;
  }

  /** Takes a verb of the peer; the step says what to answer. */
  receive(verb: TelnetVerb, option: number): OptionStep & { readonly side: TelnetSide } {
    const side = verb === 'do' || verb === 'dont' ? 'local' : 'remote';
    const state = this.#find(side, option);
    const step =
      verb === 'do' || verb === 'will'
        ? state.receiveOn(this.#accepts(side, option) ? 'accept' : 'refuse')
        : state.receiveOff();
    return { ...step, side };
  }

  /** Our own wish about an option. */
  request(side: TelnetSide, option: number, wish: 'on' | 'off'): OptionStep {
    const state = this.#find(side, option);
    return wish === 'on' ? state.ask() : state.stop();
  }

  /** The options that are on, in the order of their numbers, as RFC 859 tells them. */
  get status(): TelnetStatus {
    const listOn = (side: TelnetSide) =>
      [...this.#states[side]]
        .filter(([, state]) => state.isOn)
        .map(([option]) => option)
        .sort((a, b) => a - b);
    return { will: listOn('local'), do: listOn('remote') };
  }

  /** At most 256 states a side: an option is one byte. */
  #find(side: TelnetSide, option: number): OptionState {
    const known = this.#states[side].get(option);
    if (known) return known;
    const state = new OptionState(side);
    this.#states[side].set(option, state);
    return state;
  }
}

/** TIMING-MARK is a signal, not a state: every DO is answered (RFC 860), so the Q method does not apply. */
export const TIMING_MARK = telnetOptions['timing-mark'];
