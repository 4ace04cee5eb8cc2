import { stripVTControlCharacters } from 'node:util';

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
