import { Transform, type TransformCallback } from 'node:stream';
import type { Random } from '../random.ts';
import { BlackholeStage, LimitStage, ResetStage, SlowCloseStage, TimeoutStage } from './end-stages.ts';
import type { ConnectionActions, Fault } from './fault.ts';
import { BandwidthStage, CorruptStage, LatencyStage, SliceStage } from './line-stages.ts';
import type { Outlet, Stage } from './stage.ts';

interface Link {
  readonly name: string;
  fault: Fault;
  readonly stage: Stage<Fault>;
}

/**
 * The faults of one direction of a connection, which can be exchanged while bytes flow:
 *
 *     written ─▶ fault ─▶ fault ─▶ … ─▶ read
 *
 * What a fault holds when it is changed goes by its new settings, counted from when it came; what a fault holds when
 * it is removed goes on at once. So nothing is lost, doubled or overtaken, except by faults that are made to drop or to
 * replace bytes. Without a fault, bytes pass at once.
 */
export class FaultChain extends Transform {
  readonly #actions: ConnectionActions;
  readonly #links: Link[] = [];
  /** Set while the first fault is full: lets the next chunk in. */
  #admit: TransformCallback | undefined;
  #flushed: TransformCallback | undefined;
  #hasEnded = false;
  /** Whether a fault has closed the connection, and everything before that has been pushed. */
  #isClosed = false;
  /** Whether the reader wants no more. */
  #isBlocked = false;
  readonly #tail: Outlet;

  /** @param actions `close` is called when all that came through has been pushed, and the end after it */
  constructor(actions: ConnectionActions) {
    super();
    this.#actions = actions;
    const isBlocked = () => this.#isBlocked;
    this.#tail = {
      take: (chunk) => {
        if (!this.#isClosed && !this.destroyed) this.#isBlocked = !this.push(chunk);
      },
      end: (isClose) => {
        if (!isClose) return this.#flushed?.();
        if (this.#isClosed) return;
        this.#isClosed = true;
        this.push(null);
        this.#actions.close();
      },
      get isFull() {
        return isBlocked();
      },
    };
  }

  /** The faults, in the order in which bytes pass them. */
  get faults(): readonly { readonly name: string; readonly fault: Fault }[] {
    return this.#links.map(({ name, fault }) => ({ name, fault }));
  }

  /** How long the faults may hold a byte, in milliseconds. */
  get holdMs(): number {
    return this.#links.reduce((sum, { fault }) => {
      if (fault.kind === 'latency') return sum + fault.delayMs + (fault.jitterMs ?? 0);
      return fault.kind === 'slow-close' ? sum + fault.delayMs : sum;
    }, 0);
  }

  /** Adds a fault behind the first `at` ones. Its name is not in the chain. */
  add(name: string, fault: Fault, { at, random }: { readonly at: number; readonly random: Random }): void {
    const stage = createStage(fault, random, this.#actions);
    this.#links.splice(at, 0, { name, fault, stage });
    stage.onRoom = () => this.#giveRoom(stage);
    this.#join();
    // The end has passed this place: nothing comes here any more.
    const before = this.#links[at - 1];
    const isPassed = before ? before.stage.isOver : this.#hasEnded;
    if (isPassed) stage.destroy();
    this.#giveRoom(stage);
  }

  /** Changes the settings of a fault, or replaces it with one of another kind in the same place. */
  change(name: string, fault: Fault, random: Random): void {
    const at = this.#links.findIndex((link) => link.name === name);
    const link = this.#links[at];
    if (!link) return;
    if (link.fault.kind === fault.kind) {
      link.fault = fault;
      link.stage.change(fault);
      return;
    }
    this.remove(name);
    this.add(name, fault, { at, random });
  }

  remove(name: string): void {
    const at = this.#links.findIndex((link) => link.name === name);
    const link = this.#links[at];
    if (!link) return;
    // It keeps its place until it holds nothing: what comes meanwhile must not pass it by.
    link.stage.release();
    this.#links.splice(at, 1);
    this.#join();
    const before = this.#links[at - 1];
    if (before) before.stage.pump();
    else this.#letIn();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#head.take(chunk);
    if (this.#head.isFull && this.#links.length > 0) this.#admit = done;
    else done();
  }

  override _flush(done: TransformCallback): void {
    this.#flushed = done;
    this.#hasEnded = true;
    this.#head.end(false);
  }

  override _read(size: number): void {
    this.#isBlocked = false;
    super._read(size);
    this.#links.at(-1)?.stage.pump();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    for (const { stage } of this.#links) stage.destroy();
    done(error);
  }

  get #head(): Outlet {
    return this.#links[0]?.stage ?? this.#tail;
  }

  /** Tells each fault which one is next. */
  #join(): void {
    for (const [at, { stage }] of this.#links.entries())
      stage.next = this.#links[at + 1]?.stage ?? this.#tail;
  }

  #giveRoom(stage: Stage<Fault>): void {
    const at = this.#links.findIndex((link) => link.stage === stage);
    const before = this.#links[at - 1];
    if (before) before.stage.pump();
    else if (at === 0) this.#letIn();
  }

  #letIn(): void {
    const admit = this.#admit;
    this.#admit = undefined;
    admit?.();
  }
}

function createStage(fault: Fault, random: Random, actions: ConnectionActions): Stage<Fault> {
  return makeStage(fault, random, actions);
}

function makeStage(fault: Fault, random: Random, actions: ConnectionActions) {
  switch (fault.kind) {
    case 'latency':
      return new LatencyStage(fault, random);
    case 'bandwidth':
      return new BandwidthStage(fault);
    case 'slice':
      return new SliceStage(fault, random);
    case 'corrupt':
      return new CorruptStage(fault, random);
    case 'slow-close':
      return new SlowCloseStage(fault);
    case 'limit':
      return new LimitStage(fault);
    case 'timeout':
      return new TimeoutStage(fault);
    case 'reset':
      return new ResetStage(fault, actions);
    case 'blackhole':
      return new BlackholeStage(fault, actions);
  }
}
