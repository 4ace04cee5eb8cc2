import { closeSync } from 'node:fs';
import type net from 'node:net';
import { endianness } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../address/address.ts';
import { loadNativeAddon, type NativeAddon } from '../native/addon.ts';

/** The two ends of a TCP connection, as its row in /proc/self/net/tcp names them. */
interface ConnectionKey {
  readonly local: string;
  readonly remote: string;
}

/** TCP states of Linux's include/net/tcp_states.h. */
export const tcpStates = { finWait2: 5, timeWait: 6, closed: 7, lastAck: 9 } as const;

/** A connection as the system has it: `unsent` bytes not yet acknowledged (a FIN counts one), and its state. */
export interface ConnectionState {
  readonly unsent: number;
  readonly state: number;
}

/** Asks the system about one TCP connection repeatedly. */
export interface ConnectionWatch {
  /** Undefined when it is gone and its state cannot be told. */
  ask(): Promise<ConnectionState | undefined>;
  /** Releases the connection: until then it is neither closed nor reset. */
  close(): void;
}

/**
 * Watches a socket's connection, also after the socket has closed. The native addon asks through a descriptor of
 * its own, which tells to the byte what a broken connection has not delivered. Without it, Linux answers from
 * /proc/self/net/tcp: the whole table is read, so it costs more the more connections the system has, those in
 * TIME_WAIT included. Call it while the socket is open.
 */
export function watchConnection(socket: net.Socket): ConnectionWatch {
  const key = keyOf(socket);
  const addon = loadNativeAddon();
  const own = key && addon && duplicate(addon, descriptorOf(socket));
  if (!addon || own === undefined) {
    return { ask: async () => (key ? readRow(key) : undefined), close: () => undefined };
  }
  return {
    ask: () => Promise.resolve({ state: addon.tcpState(own), unsent: addon.unsentBytes(own) }),
    close: () => closeSync(own),
  };
}

/** Undefined when there is no descriptor, or none is left. */
function duplicate(addon: NativeAddon, fd: number | undefined): number | undefined {
  if (fd === undefined) return undefined;
  try {
    return addon.duplicate(fd);
  } catch {
    return undefined;
  }
}

/**
 * How many bytes written to the socket its peer's kernel has not acknowledged: those queued here and those in the
 * system's send queue. A FIN that is not acknowledged counts as one byte.
 *
 * Linux tells, as watchConnection() asks it. A Unix socket hands bytes straight to the peer's kernel queue, so only
 * what is queued here counts. Undefined when the system does not tell: on other systems, and for a connection that
 * is gone.
 */
export async function unsentBytes(socket: net.Socket): Promise<number | undefined> {
  const key = keyOf(socket);
  if (!key) return isOpen(socket) ? queuedBytes(socket) : undefined;
  const addon = loadNativeAddon();
  const fd = descriptorOf(socket);
  if (addon && fd === undefined) return undefined;
  const unsent = addon && fd !== undefined ? addon.unsentBytes(fd) : (await readRow(key))?.unsent;
  return unsent === undefined ? undefined : queuedBytes(socket) + unsent;
}

/** The number of a socket's open descriptor; undefined without one. The socket still closes it. */
export function descriptorOf(socket: net.Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { _handle: { fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

/**
 * How waiting for acknowledgement ended: `acknowledged`: the peer's kernel has everything (with `fin` also our FIN);
 * `closed`: the connection is gone, and whether the rest arrived cannot be told; `timeout`: the limit ran out;
 * `unknown`: this system does not tell.
 */
export type Acknowledgement = 'acknowledged' | 'closed' | 'timeout' | 'unknown';

export interface AcknowledgementOptions {
  /** The most to wait, in milliseconds. Default: no limit. */
  readonly timeoutMs?: number | undefined;
  /** Wait for our FIN too; for after `end()`. Default false. */
  readonly fin?: boolean | undefined;
  /** Stops waiting; the promise is then rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until the peer's kernel has acknowledged every byte written so far. Call it while the socket is open: it
 * remembers the connection, and may go on after the socket has closed. It never closes the socket.
 */
export async function waitAcknowledged(
  socket: net.Socket,
  { timeoutMs = Infinity, fin = false, signal }: AcknowledgementOptions = {},
): Promise<Acknowledgement> {
  const deadline = performance.now() + timeoutMs;
  const watch = keyOf(socket) && watchConnection(socket);
  try {
    for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
      const asked = performance.now();
      const answer = watch ? await askTcp(socket, watch, fin) : askLocal(socket, fin);
      if (answer) return answer;
      const now = performance.now();
      if (now >= deadline) return 'timeout';
      // A system with many connections takes long to list them: no more than half the time is spent on asking.
      const pauseMs = Math.min(Math.max(waitMs, now - asked), deadline - now);
      await delay(pauseMs, undefined, signal ? { signal } : {});
    }
  } finally {
    watch?.close();
  }
}

async function askTcp(
  socket: net.Socket,
  watch: ConnectionWatch,
  fin: boolean,
): Promise<Acknowledgement | undefined> {
  if (process.platform !== 'linux') return 'unknown';
  const row = await watch.ask();
  if (!row) return 'closed';
  const { unsent, state } = row;
  // A connection that is broken off here is to be released; what the system still holds for it no longer matters.
  const isOver = state === tcpStates.closed || (socket.destroyed && !socket.writableFinished);
  if (isOver) return unsent === 0 && socket.writableFinished ? 'acknowledged' : 'closed';
  if (queuedBytes(socket) + unsent > 0) return undefined;
  return !fin || state === tcpStates.finWait2 || state === tcpStates.timeWait ? 'acknowledged' : undefined;
}

function askLocal(socket: net.Socket, fin: boolean): Acknowledgement | undefined {
  if (queuedBytes(socket) > 0 && isOpen(socket)) return undefined;
  if (fin ? socket.writableFinished : queuedBytes(socket) === 0) return 'acknowledged';
  return isOpen(socket) ? undefined : 'closed';
}

function isOpen(socket: net.Socket): boolean {
  return !socket.destroyed && !socket.pending;
}

/** Bytes that Node and libuv hold. */
function queuedBytes(socket: net.Socket): number {
  const { _handle: handle, _writableState: state } = socket as unknown as {
    _handle: { writeQueueSize?: number } | null;
    _writableState: { writelen: number };
  };
  const inFlight = socket.writableLength > 0 ? state.writelen : 0;
  return socket.writableLength - inFlight + (handle?.writeQueueSize ?? inFlight);
}

function keyOf(socket: net.Socket): ConnectionKey | undefined {
  const { localAddress, localPort, remoteAddress, remotePort } = socket;
  if (!localAddress || !localPort || !remoteAddress || !remotePort) return undefined;
  return { local: toKernelForm(localAddress, localPort), remote: toKernelForm(remoteAddress, remotePort) };
}

/** One table being read, and the reading that begins when it is done. */
interface TableReading {
  readonly current: Promise<string>;
  next: Promise<string> | undefined;
}

const readings = new Map<string, TableReading>();

/**
 * Reads a table of /proc/self/net, once for all callers that ask while an earlier reading runs: it has a line for
 * every connection of the machine, and many sockets may wait at once. A reading that began before the question
 * cannot answer it.
 */
function readTable(table: string): Promise<string> {
  const running = readings.get(table);
  if (running) return (running.next ??= running.current.then(() => startReading(table)));
  return startReading(table);
}

function startReading(table: string): Promise<string> {
  const { readFile } = process.getBuiltinModule('node:fs/promises');
  const current = readFile(`/proc/self/net/${table}`, 'latin1').catch(() => '');
  const reading: TableReading = { current, next: undefined };
  readings.set(table, reading);
  return current.finally(() => {
    if (readings.get(table) === reading && !reading.next) readings.delete(table);
  });
}

async function readRow({ local, remote }: ConnectionKey): Promise<ConnectionState | undefined> {
  const table = local.length > '00000000:0000'.length ? 'tcp6' : 'tcp';
  const text = await readTable(table);
  const needle = ` ${local} ${remote} `;
  const start = text.indexOf(needle);
  if (start < 0) return undefined;
  // sl local remote st tx_queue:rx_queue …   (proc_pid_net(5))
  const fields = text.slice(start + needle.length, start + needle.length + 20);
  return { state: Number.parseInt(fields.slice(0, 2), 16), unsent: Number.parseInt(fields.slice(3, 11), 16) };
}

/** The address and port as /proc/self/net/tcp writes them: 32-bit words of network-order bytes in host order. */
function toKernelForm(address: string, port: number): string {
  const view = Buffer.from(parseAddress(address)?.bytes ?? []);
  if (endianness() === 'LE') view.swap32();
  const hexPort = port.toString(16).padStart(4, '0');
  return `${view.toString('hex')}:${hexPort}`.toUpperCase();
}
