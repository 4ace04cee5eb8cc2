import type { Writable } from 'node:stream';

/** What is in the last lines of the terminal for a while: a status, or the line that the user is typing. */
export interface BottomLine {
  /** Removes it from the screen; the cursor is then where the next text belongs. */
  readonly clear: () => void;
  /** @param printed what has been printed since `clear`: bytes of the output, or undefined for a line of its own */
  readonly draw: (printed?: Uint8Array) => void;
}

let shown: BottomLine | undefined;
/** Whether the last text written to the terminal has not ended its line. */
let isInLine = false;

/** Shows a bottom line. There is one at a time: while another one is there, this does nothing. */
export function showBottomLine(line: BottomLine): void {
  shown ??= line;
  if (shown === line) line.draw();
}

export function removeBottomLine(line: BottomLine): void {
  if (shown !== line) return;
  line.clear();
  shown = undefined;
}

/** Prints something that begins a line of its own, above the bottom line. */
export function printLine(print: (before: string) => void, lineEnd = '\n'): void {
  shown?.clear();
  print(isInLine ? lineEnd : '');
  isInLine = false;
  shown?.draw();
}

/** The next text begins a line: the user has ended the last one. */
export function beginLine(): void {
  isInLine = false;
}

/** Whether the cursor is after text over which a bottom line must not be drawn. */
export function isWithinLine(): boolean {
  return isInLine;
}

const plainWrites = new WeakMap<Writable, (text: string) => unknown>();

/** A function that writes to such a terminal without regard to its bottom line. */
export function plainWriter(terminal: Writable): (text: string) => unknown {
  return plainWrites.get(terminal) ?? ((text) => terminal.write(text));
}

/** Makes everything that is written to a stream, which is the terminal, appear above the bottom line. */
export function printAbove(terminal: Writable): void {
  const write = terminal.write.bind(terminal) as (...args: unknown[]) => boolean;
  const writeAbove = (bytes: Uint8Array, ...rest: unknown[]) => {
    if (bytes.length === 0) return write(bytes, ...rest);
    shown?.clear();
    isInLine = bytes.at(-1) !== 0x0a;
    const isRoom = write(bytes, ...rest);
    shown?.draw(bytes);
    return isRoom;
  };
  plainWrites.set(terminal, (text) => write(Buffer.from(text)));
  terminal.write = writeAbove as Writable['write'];
}
