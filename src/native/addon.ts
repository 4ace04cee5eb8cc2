import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { debuglog } from 'node:util';
import type { MessageCalls } from './messages.ts';

/**
 * The kinds of descriptors that `describe` tells apart, by number.
 * Source: enum kind in native/engine.h.
 */
export const descriptorKinds = ['socket', 'pipe', 'file', 'device', 'terminal', 'other'] as const;
export type DescriptorKind = (typeof descriptorKinds)[number];

/** Socket options that take a number, by name: native/socket_option.c has the table. `linger` is in seconds, -1 for off. */
export type NumberOption = 'rcvbuf' | 'sndbuf' | 'ttl' | 'tos' | 'linger' | 'nodelay';

/**
 * The addon's functions. They check no arguments: a descriptor is an integer, an array has the length that is asked.
 * A failing system call throws an Error with `errno` (negative, as Node's) and `syscall`.
 */
export interface NativeAddon extends MessageCalls {
  /**
   * Registers the listener for endings: rows of `id, errno, side (1 source, 2 sink), bytesRead, bytesSent, restMs
   * (-1 for none), oppositeRead (-1 for none), handedBytes (-1: it is not handed back)`, and the bytes of flows that
   * are handed back, one after the other. Once.
   */
  listen(listener: (endings: Float64Array, handed?: Uint8Array) => void): void;
  /**
   * Starts a flow: `numbers` are `sourceFd, sinkFd, halfClose, lastWordsMs, sourceLent, sinkLent`. What is lent (1:
   * a Unix socket, 2: TCP) has to be kept open until the ending is reported; everything else is duplicated. `head`
   * is sent first; a source of -1 ends after it. `lastWordsMs` is the time that the sink has for the bytes that a
   * source delivered before it broke; 0 for no limit.
   */
  start(numbers: Int32Array, head: Uint8Array | undefined): number;
  /** Flows that are started between `true` and `false` begin together, in the thread too. */
  gather(on: boolean): void;
  stop(id: number): void;
  finish(id: number): void;
  /**
   * Ends flows where they stand, and reports them to `deliver` before it returns, as the listener of `listen` would
   * hear of them: with what was read and not taken; the side is the source if that had ended. A flow that has ended, or
   * is breaking, is left alone; of the two flows of a connection, which are given together, both or neither.
   */
  handBack(ids: Float64Array, deliver: (endings: Float64Array, handed?: Uint8Array) => void): void;
  /** Fills `state` with `bytesRead, bytesSent, idleMs, blocked`; leaves it alone when the flow is over. */
  read(id: number, state: Float64Array): void;
  /** Registers the listener for express lanes: express-lane.ts describes the rows. Once, after `listen`. */
  listenToLanes(listener: (rows: Float64Array, bytes: Uint8Array) => void): void;
  /** Reports to that listener, before it returns, what has not been reported yet. */
  tellLanes(): void;
  /**
   * `numbers` are `listenFd, noDelay, maxConnections, idleMs, connectMs, lifeMs, lastFreeFd, lastWordsMs, hasAllow, hasDeny,
   * asks, hears, echoes`.
   * `addresses` are those of the targets, one for each of `ports`, and then those of the access lists' blocks. A port of
   * -1 makes an address a Unix path; `blocks` has two numbers for each block: 1 where it allows and 0 where it denies,
   * and its bits.
   */
  openLane(
    numbers: Float64Array,
    addresses: readonly string[],
    ports: Int32Array,
    blocks: Int32Array,
  ): number;
  closeLane(id: number): void;
  stopLane(id: number): void;
  stopConnection(id: number): void;
  cutConnection(id: number): void;
  /**
   * Answers for connections that were asked about: `numbers` are `id, port, skippedBytes, headLength` of each, with
   * an address of each; a port of -1 makes it a Unix path, -2 means the lane's own targets, and -3 takes the
   * connection. The heads follow each other.
   */
  answerConnections(numbers: Float64Array, addresses: readonly string[], heads: Uint8Array): void;
  takeConnection(id: number): void;
  /** Fills `state` with `bytesRead, bytesSent, blocked` of both directions; leaves it alone when it is over. */
  readConnection(id: number, state: Float64Array): void;
  /** An index of `descriptorKinds`, or a negative errno. */
  describe(fd: number): number;
  getOption(fd: number, name: NumberOption): number;
  setOption(fd: number, name: NumberOption, value: number): void;
  /** 1 ESTABLISHED … 7 CLOSE … as in /proc/net/tcp. Source: tcp(7), TCP_INFO. */
  tcpState(fd: number): number;
  /** Bytes sent that the peer has not acknowledged (TCP) or read (Unix). Source: tcp(7), SIOCOUTQ. */
  unsentBytes(fd: number): number;
  /** Bytes that are not sent yet at all, for which a TCP peer has no room. Source: tcp(7), SIOCOUTQNSD. */
  withheldBytes(fd: number): number;
  /** Bytes received and not yet read. Source: tcp(7), SIOCINQ. */
  unreadBytes(fd: number): number;
  /**
   * Where an accepted connection was going before a rule of this machine (DNAT, REDIRECT) diverted it here, as
   * `10.0.0.1:80` or `[fd00::1]:80`; undefined if the system knows of none. Without a rule it may be our own
   * address.
   */
  originalDestination(fd: number): string | undefined;
  /** A new descriptor for the same open file, close-on-exec. The caller closes it. */
  duplicate(fd: number): number;
  /**
   * Begins a connect to each address, and waits for an answer to any of those under way, at most `sliceMs`.
   * `numbers` are `limitMs (0 for none), sliceMs, pendingCount`, and `port, key` of each address. `pending` has the
   * rows `fd, key, begunMs` and is carried from call to call; a caller that gives up closes its descriptors. Fills
   * `answers` with rows of `key, errno, durationMs, fd`: without an error the open connection, or -1 when the limit
   * ran out.
   *
   * @returns how many answers there are
   */
  scan(
    numbers: Float64Array,
    addresses: readonly string[],
    pending: Float64Array,
    answers: Float64Array,
  ): number;
  /**
   * The pid of a child of this process that has ended and has not been waited for; 0 for none. Does not reap it.
   */
  deadChild(): number;
  /** Waits for a child that has ended, so that no zombie is left. Its exit status is lost. */
  reap(pid: number): void;
  /**
   * Opens a new pseudo-terminal and fills `fds` with our side, which does not block, and the side of the program. The
   * caller closes both.
   *
   * @returns the path of the program's side
   */
  openTerminal(fds: Int32Array, columns: number, rows: number): string;
  /** Sets a terminal's size in characters. */
  resizeTerminal(fd: number, columns: number, rows: number): void;
  /** What a user of the terminal types for the end of the input; 0 for nothing. */
  endCharacter(fd: number): number;
  /** Fills `fds` with two connected Unix stream sockets, which do not block. The caller closes both. */
  socketPair(fds: Int32Array): void;
  /**
   * Makes a serial line ours alone, and sets it: every byte as it is, and as `asked` says: bits a second, bits of a
   * character (5 to 8), parity (0 none, 1 even, 2 odd), stop bits, flow control (0 none, 1 RTS/CTS, 2 XON/XOFF); -1
   * leaves one as it is. Fills `found` (64 bytes are enough) with the settings before. Throws ENOTTY, EBUSY.
   *
   * @returns the speed that the line has now
   */
  claimSerial(fd: number, asked: Int32Array, found: Uint8Array): number;
  /** Gives a line back with those settings; with `drops` of 1, what has not been sent yet is dropped. */
  releaseSerial(fd: number, found: Uint8Array, drops: 0 | 1): void;
}

/** Which engine this process has, and why. For `tnet --version --verbose`. */
export interface NativeStatus {
  readonly used: boolean;
  /** The addon's file when it is used, or the executable that contains it. */
  readonly file?: string;
  /** One sentence without a full stop: why it is not used. */
  readonly reason?: string;
}

const debug = debuglog('tnet');

let loaded: { addon?: NativeAddon; status: NativeStatus } | undefined;

/** The addon, or undefined when none works here. Looks once, on the first call. */
export function loadNativeAddon(): NativeAddon | undefined {
  loaded ??= find();
  return loaded.addon;
}

/** Whether the native engine is used in this process, and why not. */
export function nativeStatus(): NativeStatus {
  loaded ??= find();
  return loaded.status;
}

function find(): { addon?: NativeAddon; status: NativeStatus } {
  const found = search();
  debug('native engine: %s', found.status.file ?? found.status.reason);
  return found;
}

function search(): { addon?: NativeAddon; status: NativeStatus } {
  const wish = process.env['TNET_NATIVE'];
  if (wish === '0') return without('TNET_NATIVE=0 turns it off');
  if (process.platform !== 'linux') return without(`it needs Linux, and this is ${process.platform}`);
  if (wish === undefined) {
    const embedded = openEmbedded();
    if (embedded) return embedded;
  }
  // A path is another build of the addon, with a sanitizer in it for instance.
  const files = wish?.startsWith('/') ? [wish] : candidates(import.meta.dirname);
  let reason = `there is no addon for ${process.platform}-${process.arch}`;
  for (const file of files) {
    try {
      return { addon: open(file), status: { used: true, file } };
    } catch (error) {
      reason = `${file} cannot be loaded: ${(error as Error).message}`;
      debug('native engine: %s', reason);
    }
  }
  return without(reason);
}

/** The addon inside a single executable (scripts/build-sea.mjs), or undefined when this is not one. */
function openEmbedded(): { addon?: NativeAddon; status: NativeStatus } | undefined {
  const sea = process.getBuiltinModule('node:sea');
  if (!sea.isSea()) return undefined;
  // The loader wants a file. It is private, and gone again as soon as it is loaded.
  let folder: string | undefined;
  try {
    folder = mkdtempSync(join(tmpdir(), 'tnet-'));
    const file = join(folder, 'tnet.node');
    writeFileSync(file, new Uint8Array(sea.getRawAsset('tnet.node')), { mode: 0o700 });
    return { addon: open(file), status: { used: true, file: process.execPath } };
  } catch (error) {
    return without(`the addon inside ${process.execPath} cannot be loaded: ${(error as Error).message}`);
  } finally {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
}

function without(reason: string): { status: NativeStatus } {
  return { status: { used: false, reason } };
}

/** Prebuilt for this machine, then built in this checkout; sought from this module's folder up to the package's. */
function candidates(folder: string): string[] {
  const names = [`prebuilds/${process.platform}-${process.arch}/tnet.node`, 'native/build/tnet.node'];
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return names.map((name) => join(at, name)).filter(existsSync);
    if (at === dirname(at)) return [];
  }
}

// Not require(): the same source runs as an ES module and inside the one CommonJS file of the command line.
function open(file: string): NativeAddon {
  const module = { exports: {} };
  process.dlopen(module, file);
  return module.exports as NativeAddon;
}
