import { closeSync } from 'node:fs';
import { TnetError } from '../../errors.ts';
import { startNativeFlow, type NativeEnding } from '../../flow/native-flow.ts';
import { loadNativeAddon, nativeStatus, type NativeAddon } from '../../native/addon.ts';
import { Socket } from '../../net/index.ts';

/** What happens on the way to a device, and back. Each is called once. */
export interface BridgeEvents {
  /** Nothing more is written to the device: it has been given all that our user wrote up to its end, or not. */
  readonly onInputOver: (isWhole: boolean) => void;
  /** Nothing more is read of the device: it has ended, or our user has closed the socket. */
  readonly onOutputOver: (by: 'device' | 'user') => void;
  /** Both are over: nothing uses the device any more. */
  readonly onOver: () => void;
}

/**
 * A descriptor of a terminal or a serial line as a socket: the engine carries the bytes between the device and the
 * far side of a socket pair. Everything that is done with a connection is then done with a Unix socket.
 *
 *     device ◀──▶ engine ◀──▶ far side │ socket
 */
export class Bridge {
  readonly socket: Socket;
  readonly #addon: NativeAddon;
  readonly #far: number;
  readonly #input: number;
  readonly #output: number;
  #running = 2;
  #isEnded = false;

  /** @param fd the device: it must not block, and the caller closes it when it is not used any more */
  constructor(addon: NativeAddon, fd: number, events: BridgeEvents) {
    const pair = new Int32Array(2);
    addon.socketPair(pair);
    const [near = -1, far = -1] = pair;
    this.#addon = addon;
    this.#far = far;
    this.socket = new Socket({
      fd: near,
      readable: true,
      writable: true,
      allowHalfOpen: true,
      dataBeforeError: true,
    });
    this.socket.once('close', () => addon.stop(this.#output));
    const own = { lent: 0, fd } as const;
    const other = { lent: 0, fd: far } as const;
    const leave = (then: () => void): void => {
      this.#running--;
      if (this.#running === 0) closeSync(far);
      then();
      if (this.#running === 0) events.onOver();
    };
    this.#output = startNativeFlow(
      addon,
      { source: own, sink: other, halfClose: true, lastWordsMs: 0 },
      // Only a close of the socket, or endOutput() after the device's last word, stops it.
      ({ side, error }) =>
        leave(() => events.onOutputOver(side === 'sink' || error?.code === 'ECANCELED' ? 'user' : 'device')),
    );
    this.#input = startNativeFlow(
      addon,
      { source: other, sink: own, halfClose: false, lastWordsMs: 0 },
      (ending) => leave(() => events.onInputOver(!this.isCut && isWhole(ending))),
    );
  }

  /** Whether our user has broken off, and not only ended. */
  get isCut(): boolean {
    return this.socket.destroyed && !this.socket.writableFinished;
  }

  /** How many bytes have come from the device. */
  get bytesRead(): number {
    const state = new Float64Array(4);
    this.#addon.read(this.#output, state);
    return state[0] ?? 0;
  }

  /** The device says no more: the reader sees the end, after all that was read. */
  endOutput(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    try {
      this.#addon.endSending(this.#far);
    } catch {
      // The reader has gone first.
    }
    this.#addon.stop(this.#output);
  }

  /** The device takes no more: writers are told. */
  stopInput(): void {
    this.#addon.stop(this.#input);
  }
}

/**
 * Whether the flow's source has been read to its end. A socket that is closed before all that came was read breaks the
 * far side (ECONNRESET), behind the last byte that was written.
 */
function isWhole({ side, error }: NativeEnding): boolean {
  return !error || (side === 'source' && error.code !== 'ECANCELED');
}

/**
 * The addon, for what cannot be done without it.
 *
 * @throws TnetError TNET_E_UNSUPPORTED
 */
export function requireAddon(subject: string, what: string): NativeAddon {
  const addon = loadNativeAddon();
  if (addon) return addon;
  const { reason = 'it is not there' } = nativeStatus();
  throw new TnetError('TNET_E_UNSUPPORTED', `${what} needs the native addon: ${reason}`, { subject });
}
