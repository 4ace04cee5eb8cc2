import { drawBar } from './spinner.ts';
import { formatSpan } from './table.ts';

/** How far a transfer is. */
export interface Moved {
  readonly sentBytes: number;
  readonly receivedBytes: number;
}

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `0 B`, `999 B`, `1.20 MB`, `300 MB`: an amount in powers of 1000, in three digits. */
export function formatAmount(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit] ?? ''}`;
}

/** How fast both directions are, smoothed over about two seconds. */
export class TransferRates {
  #last: Moved = { sentBytes: 0, receivedBytes: 0 };
  #lastAt: number;
  #rates: { sent: number; received: number } | undefined;

  /** @param startedAt on performance.now()'s clock, as all times here */
  constructor(startedAt: number) {
    this.#lastAt = startedAt;
  }

  /** Bytes a second. */
  update(moved: Moved, now: number): { readonly sent: number; readonly received: number } {
    const passedMs = now - this.#lastAt;
    const before = this.#rates ?? { sent: 0, received: 0 };
    if (passedMs <= 0) return before;
    const weight = this.#rates ? 1 - Math.exp(-passedMs / 2_000) : 1;
    const mix = (rate: number, bytes: number) => rate + ((bytes * 1000) / passedMs - rate) * weight;
    this.#rates = {
      sent: mix(before.sent, moved.sentBytes - this.#last.sentBytes),
      received: mix(before.received, moved.receivedBytes - this.#last.receivedBytes),
    };
    [this.#last, this.#lastAt] = [moved, now];
    return this.#rates;
  }
}

export interface TransferState {
  readonly moved: Moved;
  readonly rates: { readonly sent: number; readonly received: number };
  /** How much there is to send, if that is known, and how much of it has been read. */
  readonly totalBytes?: number | undefined;
  readonly readBytes: number;
  readonly elapsedMs: number;
}

/**
 * One line about a transfer, as much of it as `columns` hold:
 *
 *     █████░░░░░░░ 42 %, sent 126 MB of 300 MB, 25.0 MB/s, 6s left; received 12 B, 0 B/s; 5s
 */
export function renderProgress(state: TransferState, columns: number): string {
  const { moved, rates, totalBytes, readBytes, elapsedMs } = state;
  const parts: string[] = [];
  if (moved.sentBytes > 0 || totalBytes !== undefined) {
    const of = totalBytes === undefined ? '' : ` of ${formatAmount(totalBytes)}`;
    const rate = `${formatAmount(rates.sent)}/s`;
    const leftBytes = (totalBytes ?? 0) - readBytes;
    const left =
      leftBytes > 0 && rates.sent >= 1 ? `, ${formatSpan((leftBytes / rates.sent) * 1000)} left` : '';
    parts.push(`sent ${formatAmount(moved.sentBytes)}${of}, ${rate}${left}`);
  }
  if (moved.receivedBytes > 0 || parts.length === 0)
    parts.push(`received ${formatAmount(moved.receivedBytes)}, ${formatAmount(rates.received)}/s`);
  const text = `${parts.join('; ')}; ${formatSpan(elapsedMs)}`;
  if (totalBytes === undefined) return text;
  const bar = drawBar(Math.min(readBytes, totalBytes), totalBytes);
  const whole = `${bar}, ${text}`;
  // Without the bar, the percentage still shows the progress.
  return whole.length <= columns ? whole : `${bar.replace(/^\S+ /, '')}, ${text}`;
}

/**
 * `sent 300 MB in 1.2 s, 250 MB/s; received 12 B`, or `partial, interrupted: sent 50 MB, received 0 B in 1.8 s`.
 *
 * @param partial why the transfer is incomplete; '' when it is complete
 */
export function renderSummary(
  { sentBytes, receivedBytes }: Moved,
  elapsedMs: number,
  partial: string,
): string {
  const seconds = Math.max(elapsedMs, 1) / 1000;
  const time = `in ${seconds.toFixed(1)} s`;
  const [sent, received] = [`sent ${formatAmount(sentBytes)}`, `received ${formatAmount(receivedBytes)}`];
  if (partial !== '') return `partial, ${partial}: ${sent}, ${received} ${time}`;
  const [more, less, bytes] =
    sentBytes > receivedBytes ? [sent, received, sentBytes] : [received, sent, receivedBytes];
  const other = Math.min(sentBytes, receivedBytes) > 0 ? `; ${less}` : '';
  return `${more} ${time}, ${formatAmount(bytes / seconds)}/s${other}`;
}
