import type { TapListener } from '../../../src/record/live-taps.ts';
import type { RecordedChunk, RecordedDirection, RecordedEnding } from '../../../src/record/record-format.ts';
import type { TapNews } from './worker-messages.ts';

const directions: readonly RecordedDirection[] = ['sent', 'received'];

/** A tap of a connection of this worker, whose bytes go to the process that has been asked for it. */
export class OutgoingTap implements TapListener {
  readonly #tap: number;
  readonly #most: number;
  readonly #tell: (news: TapNews) => void;
  #underWay = 0;
  readonly #missed: Record<RecordedDirection, number> = { sent: 0, received: 0 };

  /** @param most how many bytes may be under way; what passes besides is counted as missed */
  constructor(tap: number, most: number, tell: (news: TapNews) => void) {
    this.#tap = tap;
    this.#most = most;
    this.#tell = tell;
  }

  data({ direction, bytes, offset, atMicros }: RecordedChunk): void {
    // Once some are missed, all are until half of what is under way has arrived.
    if (this.#isMissing || this.#underWay + bytes.length > this.#most) {
      this.#missed[direction] += bytes.length;
      return;
    }
    this.#underWay += bytes.length;
    const base64 = bytes.toString('base64');
    this.#tell({ tap: this.#tap, tell: 'data', direction, base64, offset, atMicros });
  }

  ended(direction: RecordedDirection, atMicros: number): void {
    this.#tellMissed();
    this.#tell({ tap: this.#tap, tell: 'ended', direction, atMicros });
  }

  closed(ending: RecordedEnding, atMicros: number): void {
    this.#tellMissed();
    this.#tell({ tap: this.#tap, tell: 'closed', ending, atMicros });
  }

  /** That many bytes have arrived. */
  taken(bytes: number): void {
    this.#underWay -= bytes;
    if (this.#underWay <= this.#most / 2) this.#tellMissed();
  }

  get #isMissing(): boolean {
    return this.#missed.sent + this.#missed.received > 0;
  }

  #tellMissed(): void {
    for (const direction of directions) {
      const bytes = this.#missed[direction];
      if (bytes > 0) this.#tell({ tap: this.#tap, tell: 'missed', direction, bytes });
      this.#missed[direction] = 0;
    }
  }
}
