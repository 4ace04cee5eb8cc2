import { roundMs } from '../../src/quantities.ts';
import { randomBytes } from 'node:crypto';
import { closeConnection, type Connection, formatRemote, nameClient } from '../../src/net/connection.ts';
import { formatTargetEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { parsePath, parseWords } from '../../src/address/parse.ts';
import { runPing, type PingEnding } from '../../src/dial/ping.ts';
import { TnetError, formatLimit } from '../../src/errors.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import { maxDatagramBytes, maxUnixMessageBytes } from '../../src/net/datagram-peer.ts';
import { DatagramCheck, StreamCheck } from '../../src/protocol/echo-check/checks.ts';
import {
  noiseBytes,
  PayloadMaker,
  payloadHeaderBytes,
  type EchoCheck,
  type EchoCounts,
} from '../../src/protocol/echo-check/echo-check.ts';
import { Reporter } from '../../src/report/reporter.ts';
import { type PingEvent, RoundTrips } from '../../src/report/ping-summary.ts';
import { checkSides, openConnection } from '../connect/dial-options.ts';
import { commandName, createContext, type Context } from '../context.ts';
import { applyUdp } from '../options/server-address.ts';
import { checkEchoOptions, type EchoOptions } from './options.ts';
import { PingScreen } from './ping-screen.ts';
import { catchInterruption, type Interruption } from '../signals.ts';
import { writeResult } from '../output.ts';
import type { Called } from '../options/called.ts';

/** The most bytes of a payload on a stream: each is checked as a whole. */
const maxPayloadBytes = 16 * 1024 * 1024;
/**
 * What may be in flight at once: without a rate, so that round trips are measured and not queues; with one, as a
 * bound.
 */
const windows = {
  unpaced: { payloads: 64, bytes: 1024 * 1024 },
  paced: { payloads: 32_768, bytes: 64 * 1024 * 1024 },
} as const;
const defaultIntervalMs = 1_000;

/** Measures an echo server: `--ping`. */
export async function pingEcho(words: string[], options: EchoOptions, command: Called): Promise<void> {
  const context = createContext(command, options);
  // A server's flag may be why no target is named.
  checkEchoOptions(command, options, undefined);
  const endpoint = applyUdp(readTarget(words, options), options);
  checkEchoOptions(command, options, [endpoint]);
  checkSides([endpoint], options);
  checkSize(endpoint, options.size);
  using interruption = catchInterruption(readRunLimit(context, options.timeout));
  const hasOwnLimit = command.getOptionValueSource('waitConnect') === 'cli';
  const connection = await openConnection({ context, options, hasOwnLimit, interruption }, endpoint);
  const run = { context, options, interruption, name: commandName(command) };
  if (connection) await ping(run, endpoint, connection);
}

interface PingRun {
  readonly context: Context;
  readonly options: EchoOptions;
  readonly interruption: Interruption;
  readonly name: string;
}

async function ping(run: PingRun, endpoint: Endpoint, connection: Connection): Promise<void> {
  const { context, options, interruption, name } = run;
  const { reporter } = context;
  const remote = formatRemote(connection, formatTargetEndpoint(endpoint));
  const local = nameClient(connection, endpoint);
  reporter.emit({ event: 'connected', id: 1, ...(local !== undefined && { local }), remote });
  const { size, rate, count = Infinity, interval = defaultIntervalMs, quit, idle, verbose } = options;
  const maker = new PayloadMaker(randomBytes(4).readUInt32BE(), size, randomBytes(noiseBytes(size)));
  const isDatagram = endpoint.kind === 'udp' || endpoint.kind === 'unix-dgram';
  const check = isDatagram ? new DatagramCheck(maker) : new StreamCheck(maker);
  const roundTrips = new RoundTrips();
  const screen = new PingScreen(options, check);
  const ending = await runPing({
    connection,
    check,
    count,
    intervalMs: rate === 'none' ? undefined : rate ? rate.perMs / rate.count : interval,
    window: chooseWindow(size, rate === 'none'),
    quitMs: quit,
    idleMs: idle,
    signal: interruption.signal,
    onReply({ sequence, roundTripMs, isWrong }) {
      roundTrips.add(roundTripMs);
      screen.replied(roundTripMs);
      if (verbose > 0) reporter.emit({ event: 'reply', remote, sequence, roundTripMs, isWrong });
    },
  });
  await screen.finish();
  const result = conclude(check, roundTrips, {
    remote,
    payloadBytes: size,
    durationMs: ending.durationMs,
    lifeMs: interruption.status ? quit : 0,
  });
  closeConnection(connection, ending.error);
  await printResult(result, roundTrips, options, name);
  setStatus(run, result, check.counts, ending);
}

/** What counts as lost: with `lifeMs`, what was sent longer ago than that. */
function conclude(
  check: EchoCheck,
  roundTrips: RoundTrips,
  {
    remote,
    payloadBytes,
    durationMs,
    lifeMs,
  }: Pick<PingEvent, 'remote' | 'payloadBytes' | 'durationMs'> & { lifeMs: number },
): PingEvent {
  const { sent, received, wrong, wrongBytes, duplicates, reordered, sentBytes, receivedBytes } = check.counts;
  const pending = lifeMs > 0 ? check.pending(performance.now(), lifeMs) : 0;
  return {
    event: 'ping',
    remote,
    payloadBytes,
    sent,
    received,
    lost: sent - received - pending,
    pending,
    wrong,
    wrongBytes,
    duplicates,
    reordered,
    sentBytes,
    receivedBytes,
    durationMs: roundMs(durationMs),
    bytesPerSecond: durationMs > 0 ? Math.round((receivedBytes / durationMs) * 1000) : 0,
    ...roundTrips.times,
  };
}

/** On stdout: one JSON object, or lines, with a histogram on a terminal. */
async function printResult(
  result: PingEvent,
  roundTrips: RoundTrips,
  { json }: EchoOptions,
  name: string,
): Promise<void> {
  if (json) {
    new Reporter({ name, verbosity: 0, json: true, write: writeResult }).emit(result);
    return;
  }
  const { stdout } = process;
  const { renderHistogram, renderPing } = await import('../../src/report/ping-summary.ts');
  const histogram = stdout.isTTY ? renderHistogram(roundTrips.buckets, stdout.columns) : [];
  writeResult([...renderPing(result), ...histogram].map((line) => `${line}\n`).join(''));
}

function setStatus(
  { context, interruption: { status } }: PingRun,
  { remote, sent, lost, wrong, wrongBytes }: PingEvent,
  { firstWrong }: EchoCounts,
  { error }: PingEnding,
): void {
  if (error) context.fail(remote, error);
  if (wrong > 0) {
    const place = firstWrong?.sequence === undefined ? '' : ` of payload ${firstWrong.sequence}`;
    const first = `the first is byte ${firstWrong?.offset ?? 0}${place}`;
    const message = `${wrongBytes} ${wrongBytes === 1 ? 'byte that came back is' : 'bytes that came back are'} wrong: ${first}`;
    context.fail(remote, new TnetError('TNET_E_ECHO', message));
  } else if (lost > 0 && !error) {
    context.fail(remote, new TnetError('TNET_E_ECHO', `${lost} of ${sent} payloads did not come back`));
  }
  if (wrong > 0) context.exit(exitCodes.failed);
  if (status !== undefined) context.exit(status);
}

/** @throws TnetError TNET_E_ADDRESS, or TNET_E_USAGE when none or more than one is named. */
function readTarget(words: readonly string[], { unix, udp }: EchoOptions): Endpoint {
  if (unix !== undefined && words.length === 0) return parsePath(unix);
  if (unix !== undefined)
    throw new TnetError('TNET_E_USAGE', 'name one address to ping: as words or with -U');
  if (words.length === 0)
    throw new TnetError('TNET_E_USAGE', 'name an address to ping: HOST PORT, or -U PATH');
  return parseWords(words, udp ? 'udp' : 'tcp');
}

/** The longest payload where it has to be one message. */
const mostBytes: Readonly<Partial<Record<Endpoint['kind'], number>>> = {
  udp: maxDatagramBytes,
  'unix-dgram': maxUnixMessageBytes,
};

/** @throws TnetError TNET_E_USAGE */
function checkSize({ kind }: Endpoint, size: number): void {
  const most = mostBytes[kind] ?? maxPayloadBytes;
  if (size >= payloadHeaderBytes && size <= most) return;
  throw new TnetError('TNET_E_USAGE', `--size is from ${payloadHeaderBytes} to ${most} bytes here`);
}

function chooseWindow(sizeBytes: number, isUnpaced: boolean): number {
  const { payloads, bytes } = isUnpaced ? windows.unpaced : windows.paced;
  return Math.max(1, Math.min(payloads, Math.floor(bytes / sizeBytes)));
}

function readRunLimit(context: Context, timeoutMs: number | undefined) {
  if (timeoutMs === undefined) return undefined;
  const onTimeout = () =>
    context.reporter.fail(
      '--timeout',
      new TnetError('TNET_E_TIMEOUT', `the run reached its limit of ${formatLimit(timeoutMs)}`),
    );
  return { timeoutMs, onTimeout };
}
