import { Writable, type Duplex, type Readable } from 'node:stream';
import { errorCode, idleError, TnetError } from '../errors.ts';
import { Delivery } from './delivery.ts';
import type { Ending, Flow, FlowOptions } from './flow.ts';
import { finishFlows, startFlow, startFlowPair } from './start-flow.ts';
import { waitingBytes } from './waiting-input.ts';
import { guarded } from '../net/guard.ts';

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
  /** Our side is half-closed when the input ends. Default true. */
  readonly halfClose?: boolean;
  /** After the peer's end, send what has been read of the input and end. Default: send until the input ends. */
  readonly endWithPeer?: boolean;
  /** End when the peer's system has the whole input, without waiting for the peer's end. Default false. */
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
   * Like `signal`, but what is being sent is cut off and not ended in order, so that the caller can reset `remote`.
   */
  readonly cutSignal?: AbortSignal;
  /** Called at once, with a function that returns the session's progress. */
  readonly onStarted?: (progress: () => SessionProgress) => void;
  /** Called when the peer has ended and the output has taken everything: closes the output. */
  readonly onReceived?: () => void;
  /** Called when the input is still being sent a second after the peer's end. */
  readonly onSendingOn?: () => void;
}

export interface SessionProgress {
  /** What the peer's system has taken, and how much of the input has been read for it. */
  readonly sentBytes: number;
  readonly readBytes: number;
  readonly receivedBytes: number;
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
  /** The peer ended its side after our half-close, without having sent a byte. */
  readonly isUnanswered: boolean;
  /**
   * Set when the output failed with bytes in flight to it, or before the input was sent: the peer must see a break.
   */
  readonly isCut: boolean;
}

/** How long after the peer's end to report that the input is still being sent. */
const sendingOnMs = 1_000;

/** Runs a session to its end. Never rejects. The caller closes `remote`, `input` and `output` afterwards. */
export async function runSession(options: SessionOptions): Promise<SessionEnding> {
  const session = new Session(options);
  options.onStarted?.(() => session.progress);
  return session.run();
}

class Session {
  readonly #options: SessionOptions;
  readonly #out: Flow | undefined;
  readonly #in: Flow;
  readonly #delivery: Delivery | undefined;
  /** Aborted when there is no more time to wait: by `signal`, and when `-q` has run out. */
  readonly #hurry = new AbortController();
  #closing: Promise<Error | undefined> | undefined;
  /** Whether our side was half-closed before the peer's. */
  #hasHalfClosed = false;
  /** Why `hurry` was aborted, unless from outside. */
  #limit: 'quit' | TnetError | undefined;
  #quitTimer: NodeJS.Timeout | undefined;
  #idleTimer: NodeJS.Timeout | undefined;
  #replyTimer: NodeJS.Timeout | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    const { remote, input, output, sendTransforms = [], receiveTransforms = [] } = options;
    const onActivity = () => this.#idleTimer?.refresh();
    const onReply = () => this.#replyTimer?.refresh();
    const receive: FlowOptions = {
      source: remote,
      sink: output ?? discard(),
      transforms: receiveTransforms,
      onEnd: 'keep-open',
      onActivity() {
        onActivity();
        onReply();
      },
    };
    if (!input) {
      this.#in = startFlow(receive);
      return;
    }
    // The session does the half-close: after the peer's end it waits until the bytes before it are taken.
    const send: FlowOptions = {
      source: input,
      sink: remote,
      transforms: sendTransforms,
      onEnd: 'keep-open',
      onActivity,
    };
    [this.#out, this.#in] = startFlowPair(send, receive);
    this.#delivery = new Delivery(remote, this.#out, sendTransforms.length > 0);
  }

  get progress(): SessionProgress {
    const { bytes: sentBytes = 0, bytesRead: readBytes = 0 } = this.#out ?? {};
    return { sentBytes, readBytes, receivedBytes: this.#in.bytesRead };
  }

  async run(): Promise<SessionEnding> {
    this.#watchLimits();
    try {
      const [first] = await this.#firstEnd();
      return first === 'in' ? await this.#afterPeer() : await this.#afterInput();
    } finally {
      this.#delivery?.stop();
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
    const { remote, sendOnly, replyQuietMs } = this.#options;
    let sent = await this.#out?.ended;
    let isSettled: Promise<'taken' | 'lost' | 'open'> | undefined;
    if (sent?.reason === 'eof') {
      this.#closing = this.#halfClose();
      this.#hasHalfClosed = this.#closing !== undefined;
      this.#limitQuit();
      if (replyQuietMs !== undefined)
        this.#replyTimer = setTimeout(
          guarded(() => this.#quit()),
          replyQuietMs,
        );
      if (sendOnly) {
        isSettled = this.#settle();
        void isSettled.then(guarded(() => this.#in.stop('aborted')));
      } else {
        // Asked before node:net closes the socket, both sides of which have then ended.
        remote.once('end', () => void (isSettled ??= this.#settle()));
      }
    } else if (sent?.side === 'source') {
      // Reading the input failed: the peer must not mistake what it got for the whole.
      this.#in.stop('aborted');
    }
    const received = await this.#in.ended;
    if (received.reason === 'eof') this.#options.onReceived?.();
    if (sent?.reason === 'eof' && !received.error) {
      isSettled ??= this.#settle();
      sent = await this.#judge(sent, await isSettled);
    } else if (sent && received.reason === 'eof' && this.#delivery) {
      // Both were reported at once.
      sent = await this.#judgeBreak(sent, this.#delivery);
    }
    return this.#conclude(sent, received);
  }

  /** The peer has ended, or receiving broke: the input may still be open. */
  async #afterPeer(): Promise<SessionEnding> {
    const received = await this.#in.ended;
    const [out, delivery] = [this.#out, this.#delivery];
    if (received.reason !== 'eof') {
      out?.stop('aborted');
      return this.#conclude(await out?.ended, received);
    }
    this.#options.onReceived?.();
    if (!out || !delivery) return this.#conclude(undefined, received);
    if (this.#options.endWithPeer) out.finish();
    const timer = setTimeout(
      guarded(() => this.#options.onSendingOn?.()),
      sendingOnMs,
    );
    delivery.watch();
    const sent = await this.#sendToEnd(out, delivery);
    clearTimeout(timer);
    return this.#conclude(sent, received);
  }

  /** The peer has ended its side: sends on until the input ends, or the peer is found to be gone. */
  async #sendToEnd(out: Flow, delivery: Delivery): Promise<Ending> {
    const sent = await out.ended;
    if (sent.reason === 'eof') {
      this.#limitQuit();
      const outcome = await delivery.settle(false, this.#hurry.signal);
      delivery.stop();
      if (outcome !== 'lost') this.#closing = this.#halfClose();
      return this.#judge(sent, outcome);
    }
    delivery.stop();
    return this.#judgeBreak(sent, delivery);
  }

  /** The peer had ended its side when sending to it broke off: it is gone. Did it have everything? */
  async #judgeBreak(sent: Ending, delivery: Delivery): Promise<Ending> {
    if (sent.reason !== 'reset' || sent.side === 'source') return sent;
    const waiting = this.#options.input ? await waitingBytes(this.#options.input) : 0;
    await delivery.measure();
    if (delivery.untakenBytes > 0) return { ...sent, error: this.#createUntakenError() };
    if (waiting > 0) return { ...sent, error: this.#createUntakenError(waiting) };
    const error = delivery.explainBreak(sent.error);
    return error ? { ...sent, error } : { ...sent, reason: 'eof', error };
  }

  #settle(): Promise<'taken' | 'lost' | 'open'> {
    const fin = this.#options.halfClose !== false;
    return this.#delivery?.settle(fin, this.#hurry.signal) ?? Promise.resolve('taken');
  }

  /** The result of sending once the whole input was given to the system. */
  async #judge(sent: Ending, outcome: 'taken' | 'lost' | 'open'): Promise<Ending> {
    if (outcome === 'taken') {
      const error = await this.#closing;
      return error ? { ...sent, reason: 'reset', error, side: 'sink' } : sent;
    }
    if (outcome === 'open' && !this.#limit) return sent;
    await this.#delivery?.measure();
    const error = this.#limit instanceof TnetError ? this.#limit : this.#createUntakenError();
    return { ...sent, reason: outcome === 'open' ? 'timeout' : 'reset', error, side: 'sink' };
  }

  #halfClose(): Promise<Error | undefined> | undefined {
    const { remote, halfClose } = this.#options;
    if (halfClose === false || remote.destroyed || remote.writableEnded) return undefined;
    return new Promise((resolve) => remote.end((error?: Error | null) => resolve(error ?? undefined)));
  }

  #limitQuit(): void {
    const { quitAfterMs } = this.#options;
    if (quitAfterMs !== undefined)
      this.#quitTimer ??= setTimeout(
        guarded(() => this.#quit()),
        quitAfterMs,
      );
  }

  /**
   * `-q` has run out. A reader of the output that takes nothing must not hold us up: then bytes are lost, which is
   * reported.
   */
  #quit(): void {
    this.#limit = 'quit';
    this.#hurry.abort();
    guarded(() => this.#stopSending())();
    if (!this.#in.blocked) return this.#in.finish();
    this.#in.stop(
      'timeout',
      new TnetError('TNET_E_TIMEOUT', 'the reader of the output did not read in time'),
    );
  }

  async #stopSending(): Promise<void> {
    await this.#delivery?.measure();
    this.#out?.stop('timeout', this.#createUntakenError());
  }

  #createUntakenError(waiting?: number): TnetError {
    const { isExact = false } = this.#delivery ?? {};
    const untakenBytes = waiting ?? this.#delivery?.untakenBytes ?? 0;
    const what = `${isExact ? '' : 'all of '}the last ${untakenBytes} bytes of the input`;
    // What did not come from the input is not counted: the steps of a dialogue, telnet negotiation.
    const message = `the peer did not take ${untakenBytes > 0 ? what : 'everything that was sent'}`;
    return new TnetError('TNET_E_UNSENT', message);
  }

  #watchLimits(): void {
    const { idleMs, signal, cutSignal, input } = this.#options;
    if (idleMs !== undefined) {
      const expire = () => {
        const error = idleError(idleMs);
        this.#in.stop('timeout', error);
        this.#out?.stop('timeout', error);
        this.#limit = error;
        this.#hurry.abort();
      };
      this.#idleTimer = setTimeout(guarded(expire), idleMs);
    }
    input?.once('end', () => this.#limitQuit());
    const interrupt = () => {
      this.#hurry.abort();
      finishFlows(this.#out, this.#in);
    };
    whenAborted(signal, interrupt);
    whenAborted(cutSignal, () => {
      this.#out?.stop('aborted');
      interrupt();
    });
  }

  #conclude(sent: Ending | undefined, received: Ending): SessionEnding {
    const broken = [
      { ending: received, side: received.side === 'sink' ? 'output' : 'remote' } as const,
      { ending: sent, side: sent?.side === 'source' ? 'input' : 'remote' } as const,
    ].find(({ ending }) => ending?.error !== undefined);
    const receivedBytes = this.#in.bytesRead;
    const isUnanswered = this.#hasHalfClosed && received.reason === 'eof' && receivedBytes === 0;
    const ends = { sent, received, receivedBytes, isUnanswered };
    if (!broken?.ending) return { reason: received.reason, isCut: false, ...ends };
    const { reason, error } = broken.ending;
    const { side } = broken;
    return { reason, error, side, isCut: side === 'output' && isCutByOutput(sent, received), ...ends };
  }
}

/** A reader that leaves when it has everything, as tar does at the end of its archive, has cut nothing off. */
function isCutByOutput(sent: Ending | undefined, { error, unsentBytes }: Ending): boolean {
  const isSendingCut = sent !== undefined && sent.bytes > 0 && sent.reason !== 'eof';
  return errorCode(error) !== 'EPIPE' || unsentBytes > 0 || isSendingCut;
}

function whenAborted(signal: AbortSignal | undefined, act: () => void): void {
  if (signal?.aborted) act();
  else signal?.addEventListener('abort', act, { once: true });
}

/** A sink that takes everything and keeps nothing. */
function discard(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
