import { Writable, type Duplex, type Readable } from 'node:stream';
import { TnetError } from '../errors.ts';
import type { Ending } from './ending.ts';
import { finishFlows } from './finish.ts';
import type { Flow } from './flow.ts';
import { startFlow } from './start-flow.ts';

/**
 * A local pair of ends (stdin and stdout, as a rule) joined to a connection, with the rules for the end of data that
 * docs/architecture.md gives. Two flows:
 *
 *     input ──▶ remote ──▶ output
 */
export interface SessionOptions {
  readonly remote: Duplex;
  /** Absent: nothing is ever sent (`-d`), or nothing is left to send. */
  readonly input?: Readable;
  /** Absent: what the peer sends is read and dropped (`--send-only`). */
  readonly output?: Writable;
  /** Whether reading the input may wait for long while it is open. True for pipes and terminals, false for files. */
  readonly inputMayWait?: boolean;
  /** Our side is half-closed when the input ends. Default true. */
  readonly halfClose?: boolean;
  /** After the peer's end, go on sending until the input ends. Default false. */
  readonly keepSending?: boolean;
  /** End when the input has been sent, without waiting for the peer's end. Default false. */
  readonly sendOnly?: boolean;
  /** End at most this long after the input's end. Default: no limit. */
  readonly quitAfterMs?: number;
  /** End when no byte has moved in either direction for this long. Default: no limit. */
  readonly idleMs?: number;
  readonly sendTransforms?: readonly Duplex[];
  readonly receiveTransforms?: readonly Duplex[];
  /** Ends the session: what has been read is delivered first. */
  readonly signal?: AbortSignal;
  /** Called when the peer has ended and the output has taken everything: closes the output. */
  readonly onReceived?: () => void;
}

export interface SessionEnding {
  readonly reason: Ending['reason'];
  /** What broke, with the side it broke on. */
  readonly error?: Error;
  readonly side?: 'input' | 'output' | 'remote';
  readonly sent: Ending | undefined;
  readonly received: Ending;
}

/** How long the input must be quiet after the peer's end before it counts as having nothing more to give. */
const quietMs = 100;

/** How long a peer that has ended its side may leave what we still have for it untaken. */
const untakenMs = 10_000;

/** Runs a session to its end. Never rejects. The caller closes `remote`, `input` and `output` afterwards. */
export async function runSession(options: SessionOptions): Promise<SessionEnding> {
  const session = new Session(options);
  return session.run();
}

class Session {
  readonly #options: SessionOptions;
  readonly #out: Flow | undefined;
  readonly #in: Flow;
  readonly #timers = new Set<NodeJS.Timeout>();
  #idleTimer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const onActivity = () => this.#idleTimer?.refresh();
    this.#in = startFlow({
      source: options.remote,
      sink: options.output ?? discard(),
      transforms: options.receiveTransforms ?? [],
      onEnd: 'keep-open',
      onActivity,
    });
    this.#out =
      options.input &&
      startFlow({
        source: options.input,
        sink: options.remote,
        transforms: options.sendTransforms ?? [],
        onEnd: options.halfClose === false ? 'keep-open' : 'half-close',
        onActivity,
      });
  }

  async run(): Promise<SessionEnding> {
    this.#watchLimits();
    try {
      const [first] = await this.#firstEnd();
      return first === 'in' ? await this.#afterPeer() : await this.#afterInput();
    } finally {
      for (const timer of this.#timers) clearTimeout(timer);
      clearTimeout(this.#idleTimer);
    }
  }

  async #firstEnd(): Promise<['in' | 'out']> {
    const ends: Promise<['in' | 'out']>[] = [this.#in.ended.then(() => ['in'])];
    if (this.#out) ends.push(this.#out.ended.then(() => ['out']));
    return Promise.race(ends);
  }

  /** The input has ended, or sending broke: the peer's side is still open. */
  async #afterInput(): Promise<SessionEnding> {
    const { quitAfterMs, sendOnly } = this.#options;
    const sent = await this.#out?.ended;
    if (sent?.reason === 'eof') {
      if (sendOnly) this.#in.stop('aborted');
      else if (quitAfterMs !== undefined) this.#after(quitAfterMs, () => this.#quit());
    } else if (sent?.side === 'source') {
      // Reading the input failed: the peer must not take what it got for the whole.
      this.#in.stop('aborted');
    }
    const received = await this.#in.ended;
    if (received.reason === 'eof') this.#options.onReceived?.();
    return this.#conclude(sent, received);
  }

  /** `-q` has run out. A reader of the output that takes nothing may not hold us: then bytes are lost, and it is said. */
  #quit(): void {
    if (!this.#in.blocked) return this.#in.finish();
    this.#in.stop(
      'timeout',
      new TnetError('TNET_E_TIMEOUT', 'the reader of the output took nothing in time'),
    );
  }

  /** The peer has ended, or receiving broke: the input may still be open. */
  async #afterPeer(): Promise<SessionEnding> {
    const received = await this.#in.ended;
    if (received.reason === 'eof') {
      this.#options.onReceived?.();
      if (this.#options.keepSending !== true) this.#sendWhatIsThere();
    } else {
      this.#out?.stop('aborted');
    }
    return this.#conclude(await this.#out?.ended, received);
  }

  /**
   * The peer has ended its side. An input that is waiting for its own source has nothing to lose: it ends now. One
   * that has bytes goes on, because nothing that was given to us may be dropped: until it is quiet, ends, or the
   * peer takes no more.
   */
  #sendWhatIsThere(): void {
    const out = this.#out;
    if (!out) return;
    let { bytes, bytesRead } = out;
    let untakenSince = Date.now();
    const look = (): void => {
      const isQuiet = out.bytesRead === bytesRead && out.untakenBytes === 0 && !out.blocked;
      if (isQuiet && this.#options.inputMayWait !== false) return out.stop('aborted');
      const now = Date.now();
      if (out.bytes !== bytes || isQuiet) untakenSince = now;
      if (now - untakenSince >= untakenMs) {
        const message = `the peer ended the connection and did not take the last ${out.untakenBytes} bytes`;
        return out.stop('limit', new TnetError('TNET_E_UNSENT', message));
      }
      ({ bytes, bytesRead } = out);
      this.#after(quietMs, look);
    };
    this.#after(quietMs, look);
    void out.ended.then(() => this.#clearTimers());
  }

  #watchLimits(): void {
    const { idleMs, signal } = this.#options;
    if (idleMs !== undefined) {
      this.#idleTimer = setTimeout(() => {
        const error = new TnetError('TNET_E_TIMEOUT', `no byte in either direction for ${idleMs} ms`);
        this.#in.stop('timeout', error);
        this.#out?.stop('timeout', error);
      }, idleMs);
    }
    const interrupt = () => finishFlows(this.#out, this.#in);
    if (signal?.aborted) interrupt();
    else signal?.addEventListener('abort', interrupt, { once: true });
  }

  #conclude(sent: Ending | undefined, received: Ending): SessionEnding {
    const broken = [
      { ending: received, side: received.side === 'sink' ? 'output' : 'remote' } as const,
      { ending: sent, side: sent?.side === 'source' ? 'input' : 'remote' } as const,
    ].find(({ ending }) => ending?.error !== undefined);
    if (broken?.ending) {
      return { reason: broken.ending.reason, error: broken.ending.error, side: broken.side, sent, received };
    }
    return { reason: received.reason, sent, received };
  }

  #after(delayMs: number, action: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, delayMs);
    this.#timers.add(timer);
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

/** A sink that takes everything and keeps nothing. */
function discard(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
