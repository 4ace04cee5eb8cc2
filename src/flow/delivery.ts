import type { Duplex } from 'node:stream';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { errorCode } from '../errors.ts';
import { flushMark, socketOf } from '../net/connection.ts';
import { Socket } from '../net/index.ts';
import {
  descriptorOf,
  tcpStates,
  unsentBytes,
  watchConnection,
  type ConnectionWatch,
} from '../net/tuning.ts';
import type { Flow } from './flow.ts';
import { loadNativeAddon } from '../native/addon.ts';
import { guarded } from '../net/guard.ts';

/**
 * A peer that has ended its side is probed this often, for the first time this long after its end; the first
 * unanswered probe is one of `probesMost`.
 */
const probeMs = 5_000;
const probesMost = 9;

/** How often to check on a peer that has ended its side. */
const lookMs = 100;

/**
 * How much the peer has taken of what one flow sends to it, and whether it is still there.
 *
 * A byte counts as taken when the peer's system has acknowledged it (TCP on Linux), and elsewhere when our system
 * has it, which for a Unix socket is the peer's own queue. It says nothing about the peer's program: no system
 * reports that.
 */
export class Delivery {
  readonly #remote: Duplex;
  readonly #socket: Socket | undefined;
  readonly #out: Flow;
  /** What is written is what goes over the socket. */
  readonly #isPlain: boolean;
  readonly #isTcp: boolean;
  #takenBytes = 0;
  #watchedAt: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #mayHaveProbed = false;

  /**
   * `hasTransforms`: what is sent differs from what was read, and cannot be compared with it; the same is true for
   * TLS.
   */
  constructor(remote: Duplex, out: Flow, hasTransforms: boolean) {
    this.#remote = remote;
    this.#socket = socketOf(remote);
    this.#out = out;
    this.#isPlain = !hasTransforms && remote instanceof Socket && remote.secureLayer === undefined;
    this.#isTcp = this.#socket?.remoteAddress !== undefined;
  }

  /** Bytes read from the flow's source that the peer is not known to have taken: an upper bound. */
  get untakenBytes(): number {
    return this.#out.bytesRead - this.#takenBytes;
  }

  /** Whether `untakenBytes` is exact to the byte: after a break only the addon can still ask. */
  get isExact(): boolean {
    return this.#isPlain && loadNativeAddon() !== undefined;
  }

  /**
   * What broke the sending to a peer that had ended its side and has taken everything; undefined when the peer has
   * merely gone. TCP then reports every reset as EPIPE: one that may answer a keep-alive probe only says that the
   * peer had gone before. A Unix socket reports a mere end that way.
   */
  explainBreak(error: Error | undefined): Error | undefined {
    const code = errorCode(error);
    if (code === 'ETIMEDOUT') return undefined;
    if (code !== 'EPIPE') return error;
    // A WebSocket's peer that has closed it is gone in order.
    if (this.#socket !== this.#remote) return undefined;
    return this.#isTcp && !this.#mayHaveProbed ? createResetError(error) : undefined;
  }

  /**
   * The peer has ended its side, and nothing is read any more: makes the flow's sink fail when the peer is gone
   * altogether. A Unix socket reports that to an empty write; TCP after a reset, which answers the first bytes or a
   * keep-alive probe.
   */
  watch(): void {
    this.#watchedAt = performance.now();
    guarded(() => this.#look())();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#watchedAt = undefined;
  }

  /** Asks the system what has been taken by now. */
  async measure(): Promise<void> {
    const { bytes, bytesRead, untakenBytes } = this.#out;
    if (bytesRead === this.#takenBytes) return;
    this.#note(bytes, untakenBytes === 0 ? bytesRead : 0, await this.#askUnsent());
  }

  /**
   * Waits until everything that was written is taken; with `fin`, for after end(), the end too. `lost`: the connection
   * broke before. `open`: the signal came first.
   */
  async settle(fin: boolean, signal: AbortSignal): Promise<'taken' | 'lost' | 'open'> {
    const socket = this.#socket;
    if (!socket || this.#out.bytes === 0 || process.platform !== 'linux') return 'taken';
    // A check may have found the connection broken meanwhile, and node:net closed the socket.
    const fd = this.#isTcp ? descriptorOf(socket) : undefined;
    if (fd === undefined) return socket.errored && this.untakenBytes > 0 ? 'lost' : 'taken';
    const watch = watchConnection(socket);
    try {
      return await this.#settleBy(watch, socket, fin, signal);
    } finally {
      watch.close();
    }
  }

  async #settleBy(
    watch: ConnectionWatch,
    socket: Socket,
    fin: boolean,
    signal: AbortSignal,
  ): Promise<'taken' | 'lost' | 'open'> {
    const { bytes } = this.#out;
    let last: number | undefined;
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
      const startedAt = performance.now();
      const { writableLength, writableFinished } = this.#remote;
      const isDone = writableLength + socket.writableLength === 0 && (!fin || writableFinished);
      const row = await watch.ask();
      // After both our end and the peer's, a connection disappears in order; not before.
      if (!row) return last !== undefined && last !== tcpStates.lastAck ? 'lost' : 'taken';
      last = row.state;
      // A FIN that is not acknowledged counts as a byte.
      const unsent = Math.max(0, row.unsent - (socket.writableFinished ? 1 : 0));
      this.#note(bytes, this.#out.bytesRead, unsent);
      if (isDone && row.unsent === 0) return 'taken';
      const isOver = row.state === tcpStates.closed;
      if (isOver || signal.aborted) return isDone && unsent === 0 ? 'taken' : isOver ? 'lost' : 'open';
      const pauseMs = Math.max(waitMs, performance.now() - startedAt);
      await delay(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #look(): Promise<void> {
    const startedAt = performance.now();
    await this.measure();
    if (!this.#isTcp) await this.#readAgain();
    if (this.#watchedAt === undefined) return;
    if (!this.#mayHaveProbed && startedAt - this.#watchedAt >= probeMs) this.#probe();
    const { destroyed, writableEnded, writableLength } = this.#remote;
    if (!destroyed && !writableEnded && writableLength === 0) this.#remote.write(flushMark);
    // Asking takes long when the system has many connections: no more than half the time is spent on it.
    const waitMs = Math.max(lookMs, performance.now() - startedAt);
    this.#timer = setTimeout(
      guarded(() => this.#look()),
      waitMs,
    );
  }

  /**
   * Not earlier: the system counts from what it last received, which may be long ago, and would probe at once. A
   * reset before that is the peer's own.
   */
  #probe(): void {
    this.#mayHaveProbed = true;
    this.#socket?.setKeepAlive(true, probeMs, probeMs, probesMost);
  }

  /**
   * When the peer closed its Unix socket with bytes of ours unread, a read reports that even after the end, when
   * node:net no longer reads.
   */
  async #readAgain(): Promise<void> {
    const { _handle: handle } = this.#remote as unknown as { _handle?: { readStart?: () => number } | null };
    if (this.#socket?.secureLayer) return;
    handle?.readStart?.();
    // The read happens in the loop's next round.
    await setImmediate();
    await setImmediate();
  }

  /** Bytes that our system holds for the peer; undefined when the connection is gone and that cannot be told. */
  async #askUnsent(): Promise<number | undefined> {
    const socket = this.#socket;
    if (!socket || !this.#isTcp || process.platform !== 'linux') return 0;
    return unsentBytes(socket);
  }

  /**
   * `sent` bytes have gone out, which are all that resulted from the first `given` bytes of the source; `unsent`
   * wait.
   */
  #note(sent: number, given: number, unsent: number | undefined): void {
    if (unsent === undefined) return;
    const taken = this.#isPlain ? sent - unsent : unsent === 0 ? given : 0;
    this.#takenBytes = Math.max(this.#takenBytes, taken);
  }
}

/** A reset after the peer's end, reported like one before it. */
function createResetError(cause: Error | undefined): Error {
  return Object.assign(new Error('read ECONNRESET', { cause }), { code: 'ECONNRESET', syscall: 'read' });
}
