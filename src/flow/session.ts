import { Writable, type Duplex, type Readable } from 'node:stream';
import { TnetError } from '../errors.ts';
import type { Ending } from './ending.ts';
import { finishFlows } from './finish.ts';
import type { Flow, FlowOptions } from './flow.ts';
import { startFlow, startFlowPair } from './start-flow.ts';

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
  /**
   * What the input is: a `file` never waits for its own source, a `terminal` has given all there is. Default `pipe`.
   */
  readonly inputKind?: 'terminal' | 'pipe' | 'file' | 'device';
  /** Our side is half-closed when the input ends. Default true. */
  readonly halfClose?: boolean;
  /** After the peer's end, go on sending until the input ends. Default false. */
  readonly keepSending?: boolean;
  /** End when the input has been sent, without waiting for the peer's end. Default false. */
  readonly sendOnly?: boolean;
  /** End at most this long after the input's end. Default: no limit. */
  readonly quitAfterMs?: number;
  /** After the input's end, end when no byte has come from the peer for this long. Default: no limit. */
  readonly replyQuietMs?: number;
  /** End when no byte has moved in either direction for this long. Default: no limit. */
  readonly idleMs?: number;
  readonly sendTransforms?: readonly Duplex[];
  readonly receiveTransforms?: readonly Duplex[];
  /** Ends the session: what has been read is delivered first. */
  readonly signal?: AbortSignal;
  /**
   * With `signal`: what is being sent is cut and not brought to an end in order, for the caller to reset `remote`.
   * Default false.
   */
  readonly cutOnSignal?: boolean;
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
  /** What the peer sent, before any transform. */
  readonly receivedBytes: number;
}

/**
 * How long an input that is a pipe must be quiet after the peer's end before it counts as having nothing more to give:
 * one that waits (or whose program is just starting, or starved), and one that went on speaking after the peer's end,
 * which is a stream.
 */
const quietMs = { waiting: 500, streaming: 5_000 } as const;

/** How long a peer that has ended its side may leave what we still have for it untaken. */
const untakenMs = 10_000;

/** How often a session whose peer has ended looks whether its input still moves. */
const lookMs = 25;

/** Runs a session to its end. Never rejects. The caller closes `remote`, `input` and `output` afterwards. */
export async function runSession(options: SessionOptions): Promise<SessionEnding> {
  const session = new Session(options);
  return session.run();
}

class Session {
  readonly #options: SessionOptions;
  readonly #out: Flow | undefined;
  readonly #in: Flow;
  #quitTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #replyTimer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const onActivity = () => this.#idleTimer?.refresh();
    const onReply = () => this.#replyTimer?.refresh();
    const receive: FlowOptions = {
      source: options.remote,
      sink: options.output ?? discard(),
      transforms: options.receiveTransforms ?? [],
      onEnd: 'keep-open',
      onActivity() {
        onActivity();
        onReply();
      },
    };
    if (!options.input) {
      this.#in = startFlow(receive);
      return;
    }
    const send: FlowOptions = {
      source: options.input,
      sink: options.remote,
      transforms: options.sendTransforms ?? [],
      onEnd: options.halfClose === false ? 'keep-open' : 'half-close',
      onActivity,
    };
    [this.#out, this.#in] = startFlowPair(send, receive);
  }

  async run(): Promise<SessionEnding> {
    this.#watchLimits();
    try {
      const [first] = await this.#firstEnd();
      return first === 'in' ? await this.#afterPeer() : await this.#afterInput();
    } finally {
      clearTimeout(this.#quitTimer);
      clearTimeout(this.#idleTimer);
      clearTimeout(this.#replyTimer);
    }
  }

  async #firstEnd(): Promise<['in' | 'out']> {
    const ends: Promise<['in' | 'out']>[] = [this.#in.ended.then(() => ['in'])];
    if (this.#out) ends.push(this.#out.ended.then(() => ['out']));
    return Promise.race(ends);
  }

  /** The input has ended, or sending broke: the peer's side is still open. */
  async #afterInput(): Promise<SessionEnding> {
    const { quitAfterMs, sendOnly, replyQuietMs } = this.#options;
    const sent = await this.#out?.ended;
    if (sent?.reason === 'eof') {
      if (sendOnly) this.#in.stop('aborted');
      else if (quitAfterMs !== undefined) this.#quitTimer = setTimeout(() => this.#quit(), quitAfterMs);
      if (replyQuietMs !== undefined) this.#replyTimer = setTimeout(() => this.#quit(), replyQuietMs);
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
    if (this.#options.inputKind === 'terminal' && out.untakenBytes === 0) {
      out.stop('aborted');
      return;
    }
    const bytesAtEnd = out.bytesRead;
    let { bytes, bytesRead } = out;
    let movedAt = performance.now();
    const look = (): void => {
      const hasMoved = out.bytesRead !== bytesRead || out.bytes !== bytes;
      ({ bytes, bytesRead } = out);
      const now = performance.now();
      if (hasMoved) movedAt = now;
      const stillMs = now - movedAt;
      if (out.untakenBytes > 0 || out.blocked) {
        if (stillMs >= untakenMs) out.stop('limit', createUntakenError(out.untakenBytes));
      } else if (this.#options.inputKind !== 'file') {
        const limitMs = bytesRead > bytesAtEnd ? quietMs.streaming : quietMs.waiting;
        if (stillMs >= limitMs) out.stop('aborted');
      }
    };
    const timer = setInterval(look, lookMs);
    void out.ended.then(() => clearInterval(timer));
  }

  #watchLimits(): void {
    const { idleMs, signal, cutOnSignal } = this.#options;
    if (idleMs !== undefined) {
      this.#idleTimer = setTimeout(() => {
        const error = new TnetError('TNET_E_TIMEOUT', `no byte in either direction for ${idleMs} ms`);
        this.#in.stop('timeout', error);
        this.#out?.stop('timeout', error);
      }, idleMs);
    }
    const interrupt = () => {
      if (cutOnSignal) this.#out?.stop('aborted');
      finishFlows(this.#out, this.#in);
    };
    if (signal?.aborted) interrupt();
    else signal?.addEventListener('abort', interrupt, { once: true });
  }

  #conclude(sent: Ending | undefined, received: Ending): SessionEnding {
    const broken = [
      { ending: received, side: received.side === 'sink' ? 'output' : 'remote' } as const,
      { ending: sent, side: sent?.side === 'source' ? 'input' : 'remote' } as const,
    ].find(({ ending }) => ending?.error !== undefined);
    const ends = { sent, received, receivedBytes: this.#in.bytesRead };
    if (!broken?.ending) return { reason: received.reason, ...ends };
    return { reason: broken.ending.reason, error: broken.ending.error, side: broken.side, ...ends };
  }
}

function createUntakenError(untaken: number): TnetError {
  const message = `the peer ended the connection and did not take the last ${untaken} bytes`;
  return new TnetError('TNET_E_UNSENT', message);
}

/** A sink that takes everything and keeps nothing. */
function discard(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
