import { Readable, Writable } from 'node:stream';
import { TnetError } from '../../errors.ts';
import { flushMark } from '../../net/connection.ts';

/**
 * How far a branch may fall behind before it is cut off. Chunks are shared, so for one source all branches together
 * hold about this much, and not each of them.
 */
const branchLimitBytes = 8 * 1024 * 1024;

/** A source goes on while some branch has less than this waiting: the fastest branch sets the pace. */
const paceBytes = 64 * 1024;

/** A chunk's own cost: ten thousand chunks of one byte take more memory than one chunk of ten thousand bytes. */
const overheadBytes = 512;

export interface BroadcastOptions {
  /** See branchLimitBytes. */
  readonly limitBytes?: number;
  /**
   * Whether a source waits while there is no branch to take its bytes; otherwise they are dropped. Default false.
   */
  readonly waitForBranch?: boolean;
}

/**
 * Many sinks for the same bytes. Broadcast is n flows: one from each source to an input, and one from each branch to
 * its client.
 *
 *     source ──▶ input ─┬▶ branch ──▶ client
 *                       ├▶ branch ──▶ client
 *                       └▶ branch ──▶ client
 *
 * No branch delays another: the fastest sets the pace, and one that falls limitBytes behind is destroyed with
 * TNET_E_OVERRUN.
 */
export class Broadcast {
  readonly #limitBytes: number;
  readonly #waitForBranch: boolean;
  readonly #branches = new Set<Branch>();
  readonly #aside = new Set<Branch>();
  /** Sources that wait for a branch to have room. */
  readonly #waiting: (() => void)[] = [];
  #isEnded = false;

  constructor(options: BroadcastOptions = {}) {
    this.#limitBytes = options.limitBytes ?? branchLimitBytes;
    this.#waitForBranch = options.waitForBranch === true;
  }

  /**
   * A new branch: it gets every chunk from now on, and ends when the broadcast does. Destroy it to leave. With
   * `isAside` it sets the pace only while there is no other.
   */
  addBranch({ isAside = false } = {}): Branch {
    const branch = new Branch(this.#limitBytes, {
      onRoom: () => this.#release(),
      onClose: () => {
        this.#branches.delete(branch);
        this.#aside.delete(branch);
        this.#release();
      },
    });
    this.#branches.add(branch);
    if (isAside) this.#aside.add(branch);
    if (this.#isEnded) branch.finish();
    this.#release();
    return branch;
  }

  /** Where a source writes. `except` does not get what is written here: it is the branch of the source's client. */
  createInput(except?: Branch): Writable {
    const accept = (chunk: Buffer, done: () => void): void => {
      if (this.#waitForBranch && this.#branches.size === 0) {
        this.#waiting.push(() => accept(chunk, done));
        return;
      }
      this.send(chunk, except);
      this.#pace(except, done);
    };
    return new Writable({
      write: (chunk: Buffer, _encoding, done) => (chunk === flushMark ? done() : accept(chunk, done)),
    });
  }

  /** Gives a chunk to every branch but one, no matter how much is waiting there already. */
  send(chunk: Buffer, except?: Branch): void {
    for (const branch of this.#branches) if (branch !== except) branch.offer(chunk);
  }

  /** Ends every branch, including future ones, after what is waiting for it. */
  end(): void {
    this.#isEnded = true;
    for (const branch of this.#branches) branch.finish();
  }

  /** Lets a source go on when a branch has room, or when there is none. */
  #pace(except: Branch | undefined, done: () => void): void {
    const all = [...this.#branches].filter((branch) => branch !== except);
    const main = all.filter((branch) => !this.#aside.has(branch));
    const others = main.length > 0 ? main : all;
    if (others.length === 0 || others.some((branch) => branch.waitingBytes < paceBytes)) done();
    else this.#waiting.push(() => this.#pace(except, done));
  }

  #release(): void {
    for (const go of this.#waiting.splice(0)) go();
  }
}

interface BranchEvents {
  readonly onRoom: () => void;
  readonly onClose: () => void;
}

/** What one client of a broadcast still has to get. A chunk that was read counts as sent. */
export class Branch extends Readable {
  /** Bytes that wait, with a surcharge for every chunk. */
  waitingBytes = 0;
  readonly #limitBytes: number;
  readonly #events: BranchEvents;
  #queue: Buffer[] = [];
  /** The first chunk of the queue that has not been read. */
  #head = 0;
  #isReaderWaiting = false;
  #isFinished = false;

  constructor(limitBytes: number, events: BranchEvents) {
    // Object mode keeps chunks separate and preserves empty ones: datagrams need both.
    super({ objectMode: true, highWaterMark: 1 });
    this.#limitBytes = limitBytes;
    this.#events = events;
  }

  /** Adds a chunk; destroys the branch when it has fallen too far behind. */
  offer(chunk: Buffer): void {
    if (this.destroyed || this.#isFinished) return;
    this.#queue.push(chunk);
    this.waitingBytes += chunk.length + overheadBytes;
    if (this.#isReaderWaiting) this._read();
    if (this.waitingBytes <= this.#limitBytes) return;
    const message = `dropped: more than ${this.#limitBytes} bytes were waiting for it`;
    this.destroy(new TnetError('TNET_E_OVERRUN', message));
  }

  /** No chunk follows. */
  finish(): void {
    this.#isFinished = true;
    if (this.#isReaderWaiting) this._read();
  }

  override _read(): void {
    const before = this.waitingBytes;
    this.#isReaderWaiting = true;
    while (this.#isReaderWaiting && this.#head < this.#queue.length) {
      const chunk = this.#take();
      this.#isReaderWaiting = this.push(chunk);
    }
    if (this.#isFinished && this.#head >= this.#queue.length) this.push(null);
    if (before >= paceBytes && this.waitingBytes < paceBytes) this.#events.onRoom();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#queue = [];
    this.#head = 0;
    this.waitingBytes = 0;
    this.#events.onClose();
    done(error);
  }

  #take(): Buffer | undefined {
    const chunk = this.#queue[this.#head++];
    this.waitingBytes -= (chunk?.length ?? 0) + overheadBytes;
    if (this.#head === this.#queue.length || this.#head > 4096) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    return chunk;
  }
}
