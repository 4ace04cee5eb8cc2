import { TnetError } from '../errors.ts';

/** Statuses that were asked for. */
export interface Statuses {
  /** As they were written: `200`, `2xx,304`. */
  readonly text: string;
  /** The first and the last of each part. */
  readonly ranges: readonly (readonly [first: number, last: number])[];
}

/**
 * Reads statuses of HTTP: `200`, a class such as `2xx`, or several of both with commas.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function parseStatuses(written: string): Statuses {
  const text = written.toLowerCase();
  const parts = text.split(',');
  if (!parts.every((part) => /^[1-5](?:\d\d|xx)$/.test(part)))
    throw new TnetError(
      'TNET_E_USAGE',
      'expected a status such as 200, a class such as 2xx, or a list: 200,3xx',
    );
  const ranges = parts.map(
    (part) => [Number(part.replace('xx', '00')), Number(part.replace('xx', '99'))] as const,
  );
  return { text, ranges };
}

/** Whether a status is one of them. */
export function hasStatus({ ranges }: Statuses, status: number): boolean {
  return ranges.some(([first, last]) => status >= first && status <= last);
}
