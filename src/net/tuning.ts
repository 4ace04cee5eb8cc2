import { readFile } from 'node:fs/promises';
import type net from 'node:net';
import { endianness } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseAddress } from '../address/address.ts';

/** The two ends of a TCP connection, as its row in /proc/self/net/tcp names them. */
interface ConnectionKey {
  readonly local: string;
  readonly remote: string;
}

/** TCP states of Linux's include/net/tcp_states.h that say that the peer's kernel has our FIN. */
const finAcknowledged = new Set(['05', '06']);

/** A connection's row: `unsent` bytes not yet acknowledged (a FIN counts one), and its state as two hex digits. */
export interface ConnectionRow {
  readonly unsent: number;
  readonly state: string;
}

/**
 * How many bytes written to the socket its peer's kernel has not acknowledged: those queued here and those in the
 * system's send queue. A FIN that is not acknowledged counts as one byte.
 *
 * Linux answers from /proc/self/net/tcp; a Unix socket hands bytes straight to the peer's kernel queue, so only what
 * is queued here counts. Undefined where the system does not tell: elsewhere, and for a connection that is gone.
 * The whole table is read, so it costs more the more connections the system has, those in TIME_WAIT included.
 */
export async function unsentBytes(socket: net.Socket): Promise<number | undefined> {
  const key = keyOf(socket);
  if (!key) return isOpen(socket) ? queuedBytes(socket) : undefined;
  const row = await readRow(key);
  return row && queuedBytes(socket) + row.unsent;
}

/**
 * Asks Linux's /proc for a TCP connection again and again, also after the socket has closed; undefined when it is gone.
 * Call it while the socket is open.
 */
export function followConnection(socket: net.Socket): () => Promise<ConnectionRow | undefined> {
  const key = keyOf(socket);
  return async () => (key ? readRow(key) : undefined);
}

/** The number of a socket's open descriptor; undefined without one. It stays the socket's to close. */
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
  const key = keyOf(socket);
  for (let waitMs = 1; ; waitMs = Math.min(waitMs * 2, 50)) {
    const asked = performance.now();
    const answer = key ? await askTcp(socket, key, fin) : askLocal(socket, fin);
    if (answer) return answer;
    const now = performance.now();
    if (now >= deadline) return 'timeout';
    // A system with many connections takes long to list them: no more than half the time is spent on asking.
    const pauseMs = Math.min(Math.max(waitMs, now - asked), deadline - now);
    await delay(pauseMs, undefined, signal ? { signal } : {});
  }
}

async function askTcp(
  socket: net.Socket,
  key: ConnectionKey,
  fin: boolean,
): Promise<Acknowledgement | undefined> {
  if (process.platform !== 'linux') return 'unknown';
  const row = await readRow(key);
  if (!row) return 'closed';
  if (queuedBytes(socket) + row.unsent > 0) return undefined;
  return !fin || finAcknowledged.has(row.state) ? 'acknowledged' : undefined;
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
 * Reads a table of /proc/self/net, once for everybody who asks while an earlier reading runs: it has a line for every
 * connection of the machine, and many sockets may wait at once. A reading that began before the question is no answer.
 */
function readTable(table: string): Promise<string> {
  const running = readings.get(table);
  if (running) return (running.next ??= running.current.then(() => startReading(table)));
  return startReading(table);
}

function startReading(table: string): Promise<string> {
  const current = readFile(`/proc/self/net/${table}`, 'latin1').catch(() => '');
  const reading: TableReading = { current, next: undefined };
  readings.set(table, reading);
  return current.finally(() => {
    if (readings.get(table) === reading && !reading.next) readings.delete(table);
  });
}

async function readRow({ local, remote }: ConnectionKey): Promise<ConnectionRow | undefined> {
  const table = local.length > '00000000:0000'.length ? 'tcp6' : 'tcp';
  const text = await readTable(table);
  const needle = ` ${local} ${remote} `;
  const start = text.indexOf(needle);
  if (start < 0) return undefined;
  // sl local remote st tx_queue:rx_queue …   (proc_pid_net(5))
  const fields = text.slice(start + needle.length, start + needle.length + 20);
  return { state: fields.slice(0, 2), unsent: Number.parseInt(fields.slice(3, 11), 16) };
}

/** The address and port as /proc/self/net/tcp writes them: 32-bit words of network-order bytes in host order. */
function toKernelForm(address: string, port: number): string {
  const view = Buffer.from(parseAddress(address)?.bytes ?? []);
  if (endianness() === 'LE') view.swap32();
  const hexPort = port.toString(16).padStart(4, '0');
  return `${view.toString('hex')}:${hexPort}`.toUpperCase();
}
