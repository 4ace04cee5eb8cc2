import type { TelnetVerb } from './codes.ts';

/** Which end's behaviour an option is about: ours (we say WILL, the peer DO) or the peer's (it says WILL, we DO). */
export type TelnetSide = 'local' | 'remote';

/** What a step of the negotiation asks of the codec. */
export interface OptionStep {
  /** The answer to send, or undefined for silence. */
  readonly send?: TelnetVerb;
  /** The option came on or went off with this step. */
  readonly change?: 'on' | 'off';
}

const STAY: OptionStep = {};

/**
 * One option on one side, by the Q method of RFC 1143 section 7: answers are sent only for changes, so two ends can
 * never answer each other for ever. The state is the RFC's `us` (local) or `him` (remote) with its queue bit.
 */
export class OptionState {
  #state: 'no' | 'yes' | 'want-no' | 'want-yes' = 'no';
  /** A request for the opposite waits until the peer has answered the one on its way (the RFC's "opposite"). */
  #isOppositeQueued = false;
  readonly #on: TelnetVerb;
  readonly #off: TelnetVerb;

  constructor(side: TelnetSide) {
    this.#on = side === 'local' ? 'will' : 'do';
    this.#off = side === 'local' ? 'wont' : 'dont';
  }

  /** Whether both ends have agreed that the option is on. */
  get isOn(): boolean {
    return this.#state === 'yes';
  }

  /** Whether the peer's bytes still obey the option: after our DONT it holds until the peer's WONT has arrived. */
  get isInForce(): boolean {
    return this.#state === 'yes' || this.#state === 'want-no';
  }

  /** The peer asks for the option or agrees to it: DO for the local side, WILL for the remote one. */
  receiveOn(policy: 'accept' | 'refuse'): OptionStep {
    switch (this.#state) {
      case 'no':
        if (policy === 'refuse') return { send: this.#off };
        this.#state = 'yes';
        return { send: this.#on, change: 'on' };
      case 'yes':
        return STAY;
      case 'want-no':
        // "Error: DONT answered by WILL", RFC 1143: the peer's word cannot turn on what we are turning off.
        this.#state = this.#isOppositeQueued ? 'yes' : 'no';
        if (!this.#isOppositeQueued) return STAY;
        this.#isOppositeQueued = false;
        return { change: 'on' };
      case 'want-yes':
        if (!this.#isOppositeQueued) {
          this.#state = 'yes';
          return { change: 'on' };
        }
        this.#state = 'want-no';
        this.#isOppositeQueued = false;
        return { send: this.#off };
    }
  }

  /** The peer forbids the option or declines it: DONT for the local side, WONT for the remote one. */
  receiveOff(): OptionStep {
    switch (this.#state) {
      case 'no':
        return STAY;
      case 'yes':
        this.#state = 'no';
        return { send: this.#off, change: 'off' };
      case 'want-no':
        if (!this.#isOppositeQueued) {
          this.#state = 'no';
          return STAY;
        }
        this.#state = 'want-yes';
        this.#isOppositeQueued = false;
        return { send: this.#on };
      case 'want-yes':
        this.#state = 'no';
        this.#isOppositeQueued = false;
        return STAY;
    }
  }

  /** Our own wish to turn the option on. */
  ask(): OptionStep {
    switch (this.#state) {
      case 'no':
        this.#state = 'want-yes';
        return { send: this.#on };
      case 'yes':
        return STAY;
      case 'want-no':
        this.#isOppositeQueued = true;
        return STAY;
      case 'want-yes':
        this.#isOppositeQueued = false;
        return STAY;
    }
  }

  /** Our own wish to turn the option off; it is off for us from the moment the answer is sent. */
  stop(): OptionStep {
    switch (this.#state) {
      case 'no':
        return STAY;
      case 'yes':
        this.#state = 'want-no';
        return { send: this.#off, change: 'off' };
      case 'want-no':
        this.#isOppositeQueued = false;
        return STAY;
      case 'want-yes':
        this.#isOppositeQueued = true;
        return STAY;
    }
  }
}
