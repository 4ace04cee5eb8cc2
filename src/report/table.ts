import { stripVTControlCharacters } from 'node:util';

const units = ['', 'k', 'M', 'G', 'T', 'P'];

/** `0`, `999`, `1.2k`, `64k`, `1.5G`: a size in powers of 1024, as tnet takes sizes, in at most five characters. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit > 0 && value < 9.95 ? 1 : 0;
  // What rounds up to a whole unit more is told as that.
  if (unit < units.length - 1 && Number(value.toFixed(digits)) >= 1024) return `1.0${units[unit + 1] ?? ''}`;
  return `${value.toFixed(digits)}${units[unit] ?? ''}`;
}

/** `5s`, `2m05s`, `3h07m`, `4d23h`: a time span by its two largest units. */
export function formatSpan(spanMs: number): string {
  const seconds = Math.max(0, Math.floor(spanMs / 1000));
  const [minutes, hours, days] = [60, 3_600, 86_400].map((unit) => Math.floor(seconds / unit)) as [
    number,
    number,
    number,
  ];
  if (minutes === 0) return `${seconds}s`;
  if (hours === 0) return `${minutes}m${pad(seconds % 60)}s`;
  if (days === 0) return `${hours}h${pad(minutes % 60)}m`;
  return days < 100 ? `${days}d${pad(hours % 24)}h` : `${days}d`;
}

function pad(count: number): string {
  return String(count).padStart(2, '0');
}

/** Lines of a table: the head, then the rows, every column as wide as its widest cell, two spaces between. */
export function renderTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((cells) => widthOf(cells[column] ?? ''))),
  );
  return [head, ...rows].map((cells) =>
    cells
      .map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - widthOf(cell)))
      .join('  ')
      .trimEnd(),
  );
}

function widthOf(cell: string): number {
  return stripVTControlCharacters(cell).length;
}
