import { stripVTControlCharacters } from 'node:util';
import { escapeText } from '../transform/escape-controls.ts';
import type { LiveRate, LiveRates, LiveConnection, LiveSample, LiveTotals } from './live-rates.ts';
import { formatSize, formatSpan } from './table.ts';

/** A window in characters. */
export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

/** The names that a view uses for what it shows. */
export interface LiveNames {
  /** What runs: `tnet proxy 127.0.0.1:8080`. */
  readonly title: string;
  /** What bytes received from and sent to a peer are called: `up` and `down`. */
  readonly received: string;
  readonly sent: string;
  /** What a peer is called, and what it is joined to; undefined: it is joined to nothing that has a name. */
  readonly remote: string;
  readonly target?: string;
  /** What to show before the first connection. */
  readonly notes?: readonly string[];
}

export interface LiveFrame {
  readonly sample: LiveSample;
  readonly rates: LiveRates;
  /** On performance.now()'s clock, as `startedAt` of the sample's connections. */
  readonly now: number;
  readonly startedAt: number;
  /** The last things that were reported, oldest first. */
  readonly messages: readonly string[];
  /** With a keyboard: what the user has asked for. */
  readonly keys?: LiveKeys | undefined;
}

/** The orders of the connections. */
export const liveSorts = ['rate', 'bytes', 'age', 'address'] as const;

/** What the user has asked a view for. */
export interface LiveKeys {
  readonly sort: (typeof liveSorts)[number];
  /** How many connections are above the first that is shown. */
  readonly offset: number;
  readonly isPaused: boolean;
}

/** How a line is shown. */
export type LineStyle = 'title' | 'totals' | 'head' | 'busy' | 'idle' | 'message';

export interface StyledLine {
  readonly text: string;
  readonly style: LineStyle;
}

/** The share of a window's rows that messages may have at most, and workers. */
const messageShare = 4;
const workerShare = 3;
const gap = '  ';
const numberWidth = 6;
const idWidth = 5;
const ageWidth = 6;

/**
 * The lines of a live view, from the top: title, totals, a table of the workers if there are any, a table of the
 * connections with the busiest first, and the last messages. Fits the window, whatever it is.
 */
export function renderLive(names: LiveNames, frame: LiveFrame, { columns, rows }: WindowSize): StyledLine[] {
  const { sample, rates, now, messages } = frame;
  const heads = [names.remote.toUpperCase(), (names.target ?? '').toUpperCase()] as const;
  const top: StyledLine[] = [
    { text: spread(escapeText(names.title), formatSpan(now - frame.startedAt), columns), style: 'title' },
    { text: renderTotals(names, sample.totals, rates), style: 'totals' },
    { text: '', style: 'totals' },
    ...renderWorkers(names, frame, { columns, rows }),
    { text: renderHead(names, heads, columns), style: 'head' },
  ];
  const bottom = messages
    .slice(Math.max(0, messages.length - Math.floor(rows / messageShare)))
    .map((text): StyledLine => ({ text: escapeText(stripVTControlCharacters(text)), style: 'message' }));
  if (frame.keys) bottom.push({ text: renderKeys(frame.keys), style: 'head' });
  const room = Math.max(0, rows - top.length - bottom.length);
  const { sort = 'rate', offset = 0 } = frame.keys ?? {};
  const sums = ({ receivedBytes, sentBytes }: LiveConnection) => receivedBytes + sentBytes;
  const orders = {
    rate: (one: LiveConnection, other: LiveConnection) => busyness(other) - busyness(one),
    bytes: (one: LiveConnection, other: LiveConnection) => sums(other) - sums(one),
    age: (one: LiveConnection, other: LiveConnection) => one.startedAt - other.startedAt,
    address: (one: LiveConnection, other: LiveConnection) => (one.remote < other.remote ? -1 : 1),
  };
  const all = sample.connections.toSorted((one, other) => orders[sort](one, other) || one.id - other.id);
  const sorted = all.slice(Math.min(offset, Math.max(0, all.length - 1)));
  const isLong = sorted.length > room;
  const shown = sorted.slice(0, isLong ? Math.max(0, room - 1) : room);
  const body = shown.map((connection): StyledLine => {
    const style = busyness(connection) > 0 ? 'busy' : 'idle';
    return { text: renderRow(names, connection, frame, columns), style };
  });
  if (sorted.length === 0) {
    const notes = (names.notes ?? []).slice(0, room);
    body.push(...notes.map((note): StyledLine => ({ text: escapeText(note), style: 'idle' })));
  }
  if (isLong) body.push({ text: `and ${sorted.length - shown.length} more`, style: 'idle' });
  while (bottom.length > 0 && body.length < room) body.push({ text: '', style: 'idle' });
  return [...top, ...body, ...bottom]
    .slice(0, rows)
    .map(({ text, style }) => ({ text: clipEnd(text, columns), style }));

  function busyness(connection: LiveConnection): number {
    const { received, sent } = rates.of(connection);
    return received + sent;
  }
}

function renderKeys({ sort, isPaused }: LiveKeys): string {
  return `q quit  ↑↓ scroll  s sort: ${sort}  p ${isPaused ? 'go on' : 'pause'}`;
}

/** The totals as one line: also what is printed when there is no screen to draw on. */
export function renderTotals(names: LiveNames, totals: LiveTotals, rates: LiveRates): string {
  const { connections, open, failed = 0, refused = {}, datagrams, dropped = 0 } = totals;
  const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0);
  const { received, sent } = rates.total;
  return [
    ...(datagrams === undefined
      ? [`${open} open`, `${connections} in all`]
      : [`${datagrams} ${datagrams === 1 ? 'datagram' : 'datagrams'}`]),
    ...(dropped > 0 ? [`${dropped} dropped`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(refusals > 0 ? [`${refusals} refused`] : []),
    `${names.received} ${formatSize(totals.receivedBytes)} ${formatSize(received)}/s`,
    `${names.sent} ${formatSize(totals.sentBytes)} ${formatSize(sent)}/s`,
  ].join(', ');
}

/** What the workers do, in the columns of the connections, and a line between the two. */
function renderWorkers(
  names: LiveNames,
  frame: LiveFrame,
  { columns, rows }: WindowSize,
): readonly StyledLine[] {
  const { workers } = frame.sample;
  if (workers === undefined) return [];
  const room = Math.floor(rows / workerShare);
  const shown = workers.slice(0, workers.length > room ? Math.max(0, room - 1) : room);
  const lines = shown.map((worker): StyledLine => {
    const { received, sent } = frame.rates.ofWorker(worker);
    const style = received + sent > 0 ? 'busy' : 'idle';
    const text = renderMoving(
      names,
      [String(worker.number), ...describeWorker(names, `pid ${worker.pid}`, worker)],
      [worker, { received, sent }, frame.now],
      columns,
    );
    return { text, style };
  });
  if (shown.length < workers.length)
    lines.push({ text: `and ${workers.length - shown.length} more`, style: 'idle' });
  const head = renderHead(
    names,
    describeWorker(names, 'WORKER', { open: 'OPEN', connections: 'ALL' }),
    columns,
  );
  return [{ text: head, style: 'head' }, ...lines, { text: '', style: 'totals' }];
}

/** A worker in the columns of client and target, or in a single one without targets. */
function describeWorker(
  { target }: LiveNames,
  name: string,
  { open, connections }: { readonly [K in 'open' | 'connections']: number | string },
): readonly [string, string] {
  const counts = `${open} / ${connections}`;
  return target === undefined ? [`${name}, ${counts}`, ''] : [name, counts];
}

function renderHead(names: LiveNames, [first, second]: readonly [string, string], columns: number): string {
  const { received, sent } = names;
  const heads = [received, `${received}/s`, sent, `${sent}/s`].map((head) => head.toUpperCase());
  return joinCells(names, ['ID', first, second, ...heads, 'AGE'], columns);
}

function renderRow(names: LiveNames, connection: LiveConnection, frame: LiveFrame, columns: number): string {
  const { id, remote, target = '' } = connection;
  const cells = [String(id), escapeText(remote), escapeText(target)];
  return renderMoving(names, cells, [connection, frame.rates.of(connection), frame.now], columns);
}

function renderMoving(
  names: LiveNames,
  cells: readonly string[],
  [{ receivedBytes, sentBytes, startedAt }, { received, sent }, now]: readonly [
    Pick<LiveConnection, 'receivedBytes' | 'sentBytes' | 'startedAt'>,
    LiveRate,
    number,
  ],
  columns: number,
): string {
  const numbers = [receivedBytes, received, sentBytes, sent].map(formatSize);
  return joinCells(names, [...cells, ...numbers, formatSpan(now - startedAt)], columns);
}

/**
 * Numbers have the width they need; the addresses share the rest, and lose their beginning when it is too narrow.
 */
function joinCells(names: LiveNames, cells: readonly string[], columns: number): string {
  const [id = '', remote = '', target = '', ...rest] = cells;
  const addresses = names.target === undefined ? [remote] : [remote, target];
  const numbers = rest.map((cell, index) =>
    cell.padStart(index === rest.length - 1 ? ageWidth : numberWidth),
  );
  const fixed = idWidth + numbers.reduce((sum, cell) => sum + gap.length + cell.length, 0);
  const share = Math.floor((columns - fixed) / addresses.length) - gap.length;
  const width = Math.max(4, Math.min(share, longestAddress));
  const shown = addresses.map((address) => clipStart(address, width).padEnd(width));
  return [id.padStart(idWidth), ...shown, ...numbers].join(gap);
}

/** An IPv6 address with brackets and port. */
const longestAddress = 47;

function spread(left: string, right: string, columns: number): string {
  const space = columns - left.length - right.length;
  return space < 1 ? left : left + ' '.repeat(space) + right;
}

/** The end of an address says more than its beginning. */
function clipStart(text: string, width: number): string {
  const characters = Array.from(text);
  return characters.length <= width ? text : `…${characters.slice(characters.length - width + 1).join('')}`;
}

function clipEnd(text: string, width: number): string {
  const characters = Array.from(text);
  return characters.length <= width ? text : characters.slice(0, width).join('');
}
