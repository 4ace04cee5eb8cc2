import type { Ending, Flow } from '../../../flow/flow.ts';
import type { ExpressLane, LaneEvent, LaneFlowState } from '../../../flow/express-lane.ts';
import type { Relay } from '../../../flow/relay.ts';

type LaneEnding = Extract<LaneEvent, { type: 'ended' }>;

const nothing: LaneFlowState = { bytesRead: 0, bytes: 0, blocked: false };

/** A connection of an express lane, as the rest of the proxy sees a relay. */
export class ExpressRelay implements Pick<Relay, 'up' | 'down' | 'stop'> {
  readonly up: Flow;
  readonly down: Flow;
  readonly #lane: ExpressLane;
  readonly #id: number;
  #last: { readonly up: LaneFlowState; readonly down: LaneFlowState } = { up: nothing, down: nothing };
  #settle: (() => void) | undefined;
  #over: Promise<void> | undefined;
  #isOver = false;

  constructor(lane: ExpressLane, id: number) {
    this.#lane = lane;
    this.#id = id;
    this.up = new ExpressFlow(this, 'up');
    this.down = new ExpressFlow(this, 'down');
  }

  /** Of both directions, at this moment or at the end. */
  read(): { readonly up: LaneFlowState; readonly down: LaneFlowState } {
    if (!this.#isOver) this.#last = this.#lane.readConnection(this.#id) ?? this.#last;
    return this.#last;
  }

  get over(): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    this.#over ??= new Promise((resolve) => {
      this.#settle = resolve;
    });
    return this.#over;
  }

  /** The engine has told its end. */
  end({ upBytes, downBytes }: LaneEnding): void {
    this.#isOver = true;
    const [up, down] = [upBytes, downBytes].map((bytes) => ({ bytesRead: bytes, bytes, blocked: false }));
    this.#last = { up: up ?? nothing, down: down ?? nothing };
    this.#settle?.();
  }

  /** What was read is delivered, within a bound; then both sides are reset. */
  stop(): void {
    this.#lane.cutConnection(this.#id);
  }
}

/** One direction. The engine ends both together. */
class ExpressFlow implements Flow {
  readonly #relay: ExpressRelay;
  readonly #direction: 'up' | 'down';

  constructor(relay: ExpressRelay, direction: 'up' | 'down') {
    this.#relay = relay;
    this.#direction = direction;
  }

  get bytes(): number {
    return this.#relay.read()[this.#direction].bytes;
  }

  get bytesRead(): number {
    return this.#relay.read()[this.#direction].bytesRead;
  }

  get untakenBytes(): number {
    const { bytesRead, bytes } = this.#relay.read()[this.#direction];
    return bytesRead - bytes;
  }

  get blocked(): boolean {
    return this.#relay.read()[this.#direction].blocked;
  }

  get ended(): Promise<Ending> {
    return this.#relay.over.then(() => ({ reason: 'eof', bytes: this.bytes, unsentBytes: 0 }));
  }

  stop(): void {
    this.#relay.stop();
  }

  /** As stop(): a stream that has not come to its own end must not look whole. */
  finish(): void {
    this.#relay.stop();
  }
}
