import { Readable, type Duplex } from 'node:stream';
import type { Endpoint } from '../src/address/endpoint.ts';
import { isTerminal } from '../src/report/is-terminal.ts';
import { isNullDevice, openInput, openOutput, type Input, type Output } from '../src/dial/stdio.ts';
import { errorCode, TnetError, formatLimit } from '../src/errors.ts';
import { runSession, type SessionEnding, type SessionOptions } from '../src/flow/session.ts';
import { closeConnection, resetConnection, type Connection } from '../src/net/connection.ts';
import type { DatagramPeer } from '../src/net/datagram-peer.ts';
import { CrlfOut, CrlfIn } from '../src/transform/crlf.ts';
import type { Context } from './context.ts';
import type { TableFlags } from './options/row.ts';
import type { limits } from './options/table/limits.ts';
import type { dialogue, endOfData, lines } from './options/table/session.ts';
import type { progress, timing as timingTable } from './options/table/reports.ts';
import { recordOf, recordTransforms } from './options/recording.ts';
import { elapsedMs } from '../src/quantities.ts';
import { endingReason, type Interruption } from './signals.ts';

/** The flags of connect and listen that say when a session ends and what goes through it. */
export type SessionFlags = Pick<TableFlags<typeof limits, 'connect'>, 'idle'> &
  TableFlags<typeof endOfData & typeof progress, 'connect'> &
  Pick<TableFlags<typeof lines, 'connect'>, 'sendCrlf' | 'crlf'>;

/** The flags of what else can be between stdin, stdout and the connection. */
export type StreamFlags = SessionFlags & TableFlags<typeof lines & typeof dialogue, 'connect'>;

/** Whether there is nothing between stdin, stdout and the connection except what every session has. */
export function isPlainSession(flags: StreamFlags & TableFlags<typeof timingTable, 'connect'>): boolean {
  const { telnet, raw, delay, expect, send, timing } = flags;
  return ![telnet, raw, delay, expect, send, timing].some((flag) => flag !== undefined);
}

/** Transforms of both directions, each in the order of the bytes. */
export interface TransformPair {
  readonly send: Duplex[];
  readonly receive: Duplex[];
}

/** What a command adds to a session besides what the flags say. */
export interface PreparedSession {
  /** Next to stdin and stdout. */
  readonly local: TransformPair;
  /** Next to the connection. */
  readonly wire: TransformPair;
  /** Something is sent although stdin is not read. */
  readonly sendsOnItsOwn: boolean;
  /** Ends the session, as an interruption does. */
  readonly signal: AbortSignal;
  /** Called when the session is over and before its end is reported. */
  readonly onEnded: () => void;
}

/** stdin and stdout, as far as the flags want them. */
export interface Stdio {
  readonly input: Input | undefined;
  readonly output: Output | undefined;
}

/**
 * Opens what the flags want. Once: reading stdin ahead takes bytes from the next command of a script. For a server,
 * a stdin that is the null device does not count: the shell, cron or the service manager gave it, and its end says
 * nothing.
 */
export function openStdio(flags: SessionFlags, { isServer = false } = {}): Stdio {
  const hasNoInput = flags.recvOnly === true || (isServer && !flags.sendOnly && isNullDevice());
  return {
    input: hasNoInput ? undefined : openInput(),
    output: flags.sendOnly ? undefined : openOutput(),
  };
}

/** The session that the flags ask for, between stdin and stdout and a connection. */
export function sessionOptions(
  remote: Connection,
  flags: SessionFlags,
  { input, output }: Stdio,
  signal: AbortSignal,
): SessionOptions {
  const { sendTransforms, receiveTransforms } = recordTransforms(remote);
  return {
    remote,
    input: input?.stream,
    output: output?.stream,
    halfClose: flags.shutdown,
    endWithPeer: flags.endWithPeer === true || (input?.kind === 'terminal' && !flags.keepSending),
    sendOnly: flags.sendOnly,
    quitAfterMs: flags.quit,
    idleMs: flags.idle,
    // The recording is next to the connection: it shows what goes over it, except telnet's own commands.
    receiveTransforms: [...receiveTransforms, ...(receivesCrlf(flags) ? [new CrlfIn()] : [])],
    sendTransforms: [...(sendsCrlf(flags) ? [new CrlfOut()] : []), ...sendTransforms],
    replyQuietMs: flags.waitReply,
    signal,
  };
}

/**
 * What the flags mean with an end that is no peer: a file is read or, with --send-only, written, and never both; what
 * is typed for a terminal or a serial line goes there key by key.
 */
export function fitToEnd<Flags extends StreamFlags>({ kind }: Endpoint, flags: Flags): Flags {
  if (kind === 'file' && !flags.sendOnly) return { ...flags, recvOnly: true };
  const isTyped = (kind === 'pty' || kind === 'serial') && flags.telnet === undefined;
  return isTyped && isTerminal(0) ? { ...flags, raw: true } : flags;
}

/** Whether -C or --crlf asks for CRLF in what is sent. */
export function sendsCrlf({ sendCrlf, crlf }: SessionFlags): boolean {
  return sendCrlf === true || crlf === 'out' || crlf === 'both';
}

/** Whether --crlf asks for LF in place of a received CRLF. */
export function receivesCrlf({ crlf }: SessionFlags): boolean {
  return crlf === 'in' || crlf === 'both';
}

/** Adds what a command puts into a session to what the flags ask for. */
function addPrepared(options: SessionOptions, prepared: PreparedSession): SessionOptions {
  const { local, wire, sendsOnItsOwn } = prepared;
  const hasNoInput = options.input === undefined && sendsOnItsOwn;
  return {
    ...options,
    ...(hasNoInput && { input: Readable.from([]), halfClose: false }),
    sendTransforms: [...local.send, ...(options.sendTransforms ?? []), ...wire.send],
    receiveTransforms: [...wire.receive, ...(options.receiveTransforms ?? []), ...local.receive],
  };
}

/** A session between stdin, stdout and one connection. */
export interface StdioSession {
  readonly context: Context;
  readonly socket: Connection;
  readonly id: number;
  readonly remote: string;
  readonly flags: SessionFlags;
  readonly interruption: Interruption;
  readonly stdio: Stdio;
  readonly prepared?: PreparedSession | undefined;
}

/** How such a session ended, for its caller to report. */
export interface StdioEnding extends SessionEnding {
  /** What to report: a reader of stdout that is gone is not a failure. */
  readonly failure: Error | undefined;
  /** What the failure is about. */
  readonly subject: string;
  /** Closes stdin, stdout and the connection, once the end has been reported. */
  readonly close: () => Promise<void>;
}

/** Joins stdin and stdout to one connection until the session's end. */
export async function runStdioSession({
  context,
  socket,
  id,
  remote,
  flags,
  interruption,
  stdio,
  prepared,
}: StdioSession): Promise<StdioEnding> {
  const part = flags.readBytes === undefined ? undefined : await takeFirst(flags.readBytes);
  const signals = [prepared?.signal, part?.signal].filter((one) => one !== undefined);
  const signal =
    signals.length > 0 ? AbortSignal.any([interruption.signal, ...signals]) : interruption.signal;
  const plain = sessionOptions(socket, flags, stdio, signal);
  const screen = wantsProgress(context, flags, stdio)
    ? (await import('./transfer.ts')).watchTransfer(context, stdio, flags.progress === true)
    : undefined;
  const whole = prepared ? addPrepared(plain, prepared) : plain;
  const ending = await runSession({
    ...whole,
    ...(part && { receiveTransforms: [...(whole.receiveTransforms ?? []), part.take] }),
    onStarted: screen?.started,
    onReceived: () => stdio.output?.close(),
    onSendingOn: () => context.reporter.emit({ event: 'sending-on', id, remote }),
  });
  prepared?.onEnded();
  const { side, isCut } = ending;
  const error = ending.error ?? (interruption.status === undefined ? part?.findShortage() : undefined);
  const reason = endingReason(ending.reason, interruption);
  recordOf(socket)?.closed(recordedEnding({ ...ending, reason }));
  screen?.finish({ ...ending, reason });
  return {
    ...ending,
    reason,
    failure: isReaderGone(ending) ? undefined : error,
    subject: side === 'input' ? 'stdin' : side === 'output' ? 'stdout' : remote,
    async close() {
      stdio.input?.close();
      stdio.output?.close();
      // What arrived could not be kept: the peer must not mistake a clean end for delivery.
      if (isCut) await resetConnection(socket);
      else closeConnection(socket, side === 'output' ? undefined : error);
    },
  };
}

/** The first bytes of what is received, which end the session: what `signal` tells. */
async function takeFirst(limitBytes: number) {
  const { TakeBytes } = await import('../src/transform/take-bytes.ts');
  const full = new AbortController();
  const take = new TakeBytes(limitBytes, () => full.abort());
  return {
    take,
    signal: full.signal,
    /** The failure of a session that is over without them. */
    findShortage(): TnetError | undefined {
      if (take.isFull) return undefined;
      const message = `the peer ended after ${take.takenBytes} of the ${limitBytes} bytes of --read-bytes`;
      return new TnetError('TNET_E_TRUNCATED', message);
    },
  };
}

/** Progress is shown when asked for, and to a user who cannot see the bytes pass. */
function wantsProgress({ reporter }: Context, { progress }: SessionFlags, { input, output }: Stdio): boolean {
  if (progress !== undefined) return progress;
  return reporter.isSeen && [input, output].some((end) => end?.kind === 'file' || end?.kind === 'pipe');
}

/** Runs the session of a client to its end, reports it, and closes all three. */
export async function runClientSession(session: StdioSession): Promise<StdioEnding> {
  const { context, socket, id, remote, flags, interruption } = session;
  const startedAt = performance.now();
  const ending = await runStdioSession(session);
  const { reason, failure, subject, sent, receivedBytes } = ending;
  if (failure) context.fail(subject, failure);
  const sentBytes = sent?.bytes ?? 0;
  const durationMs = elapsedMs(startedAt);
  context.reporter.emit({ event: 'ended', id, remote, reason, sentBytes, receivedBytes, durationMs });
  if (flags.waitReply !== undefined && !ending.error) requireReply(context, socket, remote, flags.waitReply);
  if (interruption.status !== undefined) context.exit(interruption.status);
  await ending.close();
  return ending;
}

/** --wait-reply without a reply is a time limit that ran out; a reply may be a datagram without a byte. */
function requireReply(context: Context, peer: Connection, remote: string, waitMs: number): void {
  if ((peer as Partial<DatagramPeer>).received !== 0) return;
  context.fail(remote, new TnetError('TNET_E_TIMEOUT', `no reply within ${formatLimit(waitMs)}`));
}

/** How a recording describes the end: only the peer's side can have been reset. */
function recordedEnding({ reason, side }: SessionEnding): SessionEnding['reason'] {
  return reason === 'reset' && side !== 'remote' ? 'aborted' : reason;
}

/** The reader of our stdout has left, as `| head` does: no more is wanted, which is not a failure. */
export function isReaderGone(ending: Pick<SessionEnding, 'side' | 'error'>): boolean {
  return ending.side === 'output' && errorCode(ending.error) === 'EPIPE';
}
