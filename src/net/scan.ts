import { closeSync } from 'node:fs';
import net from 'node:net';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { isIPv6 } from '../address/ip.ts';
import { errorCode } from '../errors.ts';
import { loadNativeAddon, type NativeAddon } from '../native/addon.ts';
import { longestDelayMs } from '../quantities.ts';
import { createSelfRefusal, createTimeoutError } from './connect-failure.ts';
import { isOwnPeer } from './happy-eyeballs.ts';

/** A port to be checked. */
export interface Probe {
  /** An IP address. */
  readonly address: string;
  readonly port: number;
}

/** What a port answered: the open connection, or why there is none. */
export interface Answer {
  readonly socket?: net.Socket;
  readonly error?: Error;
  /** The error's code. */
  readonly code?: string | undefined;
  /** From our SYN to the answer, in milliseconds. */
  readonly durationMs: number;
}

/**
 * Connects to many ports in parallel, at little cost for each: no name lookup, no race, no socket options. The
 * errors are those of connectTcp().
 */
export interface PortScan<P extends Probe> {
  /** Begins a connect in a later turn. */
  start(probe: P): void;
  /** Gives up all that have no answer yet: their error is `reason`. */
  stop(reason: Error): void;
}

export interface ScanOptions<P extends Probe> {
  /** The most that may be started and have no answer yet. */
  readonly atOnce: number;
  /** The limit of each, in milliseconds. Default: the system's. */
  readonly timeoutMs?: number | undefined;
  /** Called once for each that was started. The callee closes the socket. */
  readonly onAnswer: (probe: P, answer: Answer) => void;
}

/** With the addon by a few system calls, else by a Node socket for each. */
export function createPortScan<P extends Probe>(options: ScanOptions<P>): PortScan<P> {
  const addon = loadNativeAddon();
  return addon ? new NativeScan(addon, options) : new NodeScan(options);
}

function createLimitError({ address, port }: Probe, timeoutMs: number | undefined): Error {
  const family = isIPv6(address) ? 6 : 4;
  return createTimeoutError(
    { host: address, port, timeoutMs },
    { tried: [{ address, family, port }], failed: new Set(), errors: [] },
  );
}

/** An open connection, unless both ends of it are the same socket. */
function judge({ address, port }: Probe, socket: net.Socket, durationMs: number): Answer {
  if (!isOwnPeer(socket, port)) return { socket, durationMs };
  socket.on('error', () => undefined).resetAndDestroy();
  return fail(createSelfRefusal(address, port), durationMs);
}

function fail(error: Error, durationMs: number): Answer {
  return { error, code: errorCode(error), durationMs };
}

/** For how long the addon waits for answers before timers and signals have their turn. */
const sliceMs = 10;
/** See NativeAddon: the numbers before the rows, and the rows `port, key`, `fd, key, begunMs`, `key, errno, durationMs, fd`. */
const headFields = 3;
const beginFields = 2;
const pendingFields = 3;
const answerFields = 4;

class NativeScan<P extends Probe> implements PortScan<P> {
  readonly #addon: NativeAddon;
  readonly #options: ScanOptions<P>;
  readonly #numbers: Float64Array;
  readonly #pending: Float64Array;
  readonly #answers: Float64Array;
  /** By key, and the keys that are free. */
  readonly #probes: (P | undefined)[];
  readonly #free: number[];
  #addresses: string[] = [];
  #isStopped = false;
  #turn: NodeJS.Immediate | undefined;

  constructor(addon: NativeAddon, options: ScanOptions<P>) {
    this.#addon = addon;
    this.#options = options;
    const { atOnce, timeoutMs = 0 } = options;
    this.#numbers = new Float64Array(headFields + beginFields * atOnce);
    this.#numbers.set([timeoutMs, sliceMs, 0]);
    this.#pending = new Float64Array(pendingFields * atOnce);
    this.#answers = new Float64Array(answerFields * atOnce);
    this.#probes = Array.from({ length: atOnce });
    this.#free = Array.from({ length: atOnce }, (_, key) => key);
  }

  start(probe: P): void {
    const key = this.#free.pop() ?? 0;
    const at = headFields + beginFields * this.#addresses.length;
    this.#probes[key] = probe;
    this.#addresses.push(probe.address);
    this.#numbers[at] = probe.port;
    this.#numbers[at + 1] = key;
    this.#turn ??= setImmediate(() => this.#step());
  }

  stop(reason: Error): void {
    this.#isStopped = true;
    clearImmediate(this.#turn);
    const [, , count = 0] = this.#numbers;
    for (let i = 0; i < count; i++) closeSync(this.#pending[pendingFields * i] ?? -1);
    this.#numbers[2] = 0;
    const probes = this.#probes.splice(0);
    for (const probe of probes) if (probe) this.#options.onAnswer(probe, fail(reason, 0));
  }

  #step(): void {
    this.#turn = undefined;
    const [addresses, answers] = [this.#addresses, this.#answers];
    this.#addresses = [];
    const count = this.#addon.scan(this.#numbers, addresses, this.#pending, answers);
    for (let at = 0; at < answerFields * count; at += answerFields) this.#take(at);
    const isOver = this.#isStopped || this.#free.length === this.#options.atOnce;
    if (!isOver) this.#turn ??= setImmediate(() => this.#step());
  }

  #take(at: number): void {
    const answers = this.#answers;
    const key = answers[at] ?? 0;
    const fd = answers[at + 3] ?? -1;
    const probe = this.#probes[key];
    if (!probe) {
      // An answer before it has stopped the scan.
      if (fd >= 0) closeSync(fd);
      return;
    }
    this.#probes[key] = undefined;
    this.#free.push(key);
    this.#options.onAnswer(probe, this.#read(probe, fd, answers[at + 1] ?? 0, answers[at + 2] ?? 0));
  }

  #read(probe: P, fd: number, errno: number, durationMs: number): Answer {
    if (errno !== 0) return new ConnectFailure(probe, errno, durationMs);
    if (fd < 0) return fail(createLimitError(probe, this.#options.timeoutMs), durationMs);
    return judge(probe, new net.Socket({ fd, allowHalfOpen: true }), durationMs);
  }
}

/** A system error, created when it is read: thousands are counted and few are read. */
class ConnectFailure implements Answer {
  readonly durationMs: number;
  readonly #probe: Probe;
  readonly #errno: number;

  constructor(probe: Probe, errno: number, durationMs: number) {
    this.durationMs = durationMs;
    this.#probe = probe;
    this.#errno = errno;
  }

  get code(): string {
    return this.#errno === constants.errno.ECONNREFUSED ? 'ECONNREFUSED' : getSystemErrorName(-this.#errno);
  }

  /** As Node's own. */
  get error(): Error {
    const { address, port } = this.#probe;
    const { code } = this;
    const error = new Error(`connect ${code} ${address}:${port}`);
    return Object.assign(error, { errno: -this.#errno, code, syscall: 'connect', address, port });
  }
}

/**
 * How many connects begin in a turn. The answers of this machine's ports arrive at once and wait for the turn's
 * end: the time measured should be the port's own.
 */
const batch = 16;

class NodeScan<P extends Probe> implements PortScan<P> {
  readonly #options: ScanOptions<P>;
  #waiting: P[] = [];
  /** In the order of their beginning, which is the order in which their limits run out. */
  readonly #running = new Map<net.Socket, { readonly probe: P; begunMs: number }>();
  #turn: NodeJS.Immediate | undefined;
  /** When this turn's first answer was seen; all of its answers had arrived by then. */
  #seenMs: number | undefined;
  #limit: NodeJS.Timeout | undefined;
  #stackTraceLimit: number | undefined;

  constructor(options: ScanOptions<P>) {
    this.#options = options;
  }

  start(probe: P): void {
    if (this.#running.size + this.#waiting.length === 0) this.#spareStacks(true);
    this.#waiting.push(probe);
    this.#turn ??= setImmediate(() => this.#endTurn());
  }

  stop(reason: Error): void {
    clearImmediate(this.#turn);
    clearTimeout(this.#limit);
    const probes = [...[...this.#running.values()].map(({ probe }) => probe), ...this.#waiting];
    for (const socket of this.#running.keys()) socket.destroy();
    this.#running.clear();
    this.#waiting = [];
    this.#spareStacks(false);
    for (const probe of probes) this.#options.onAnswer(probe, fail(reason, 0));
  }

  #endTurn(): void {
    this.#turn = undefined;
    this.#seenMs = undefined;
    for (const probe of this.#waiting.splice(0, batch)) this.#connect(probe);
    if (this.#waiting.length > 0) this.#turn = setImmediate(() => this.#endTurn());
    this.#watchLimit();
  }

  #connect(probe: P): void {
    const socket = new net.Socket({ allowHalfOpen: true });
    const run = { probe, begunMs: performance.now() };
    this.#running.set(socket, run);
    socket
      // Node connects at the end of the turn, and says when.
      .on('connectionAttempt', () => (run.begunMs = performance.now()))
      .on('connect', () => this.#settle(socket))
      .on('error', (error) => this.#settle(socket, error));
    const { address: host, port } = probe;
    socket.connect({ host, port, autoSelectFamily: false });
  }

  #settle(socket: net.Socket, error?: Error): void {
    const run = this.#running.get(socket);
    if (!run) return;
    this.#running.delete(socket);
    this.#turn ??= setImmediate(() => this.#endTurn());
    this.#seenMs ??= performance.now();
    const { probe, begunMs } = run;
    const durationMs = this.#seenMs - begunMs;
    this.#options.onAnswer(probe, error ? fail(error, durationMs) : judge(probe, socket, durationMs));
    if (this.#running.size + this.#waiting.length === 0) this.#spareStacks(false);
  }

  /**
   * Node makes an error with a stack for each port that refuses: a tenth of the time, and the stack is never read.
   */
  #spareStacks(on: boolean): void {
    if (on) this.#stackTraceLimit ??= Error.stackTraceLimit;
    Error.stackTraceLimit = on ? 0 : (this.#stackTraceLimit ?? Error.stackTraceLimit);
    if (!on) this.#stackTraceLimit = undefined;
  }

  #watchLimit(): void {
    const { timeoutMs } = this.#options;
    const [oldest] = this.#running.values();
    if (timeoutMs === undefined || timeoutMs > longestDelayMs || !oldest || this.#limit) return;
    const leftMs = Math.max(1, oldest.begunMs + timeoutMs - performance.now());
    // A turn later, so that an answer of this same turn comes first. The connects themselves keep the process
    // alive.
    this.#limit = setTimeout(() => setImmediate(() => this.#expire(timeoutMs)), leftMs).unref();
  }

  #expire(timeoutMs: number): void {
    this.#limit = undefined;
    const nowMs = performance.now();
    for (const [socket, { probe, begunMs }] of this.#running) {
      if (nowMs - begunMs < timeoutMs) break;
      this.#running.delete(socket);
      socket.destroy();
      this.#options.onAnswer(probe, fail(createLimitError(probe, timeoutMs), nowMs - begunMs));
    }
    this.#watchLimit();
  }
}
