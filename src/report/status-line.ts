import type { WriteStream } from 'node:tty';
import { type BottomLine, isWithinLine, removeBottomLine, showBottomLine } from './bottom-line.ts';
import { escapeText } from '../transform/escape-controls.ts';

export interface StatusOptions {
  /** What is shown, asked for each time; without control characters that are not meant. '': nothing for now. */
  readonly text: (columns: number) => string;
  /** What is over sooner needs no sign of life. Default 300. */
  readonly afterMs?: number;
}

const updateMs = 200;

/** A line at the bottom of a terminal that says how something goes on, until `stop()`. Keeps no process. */
export function startStatus(terminal: WriteStream, { text, afterMs = 300 }: StatusOptions): { stop(): void } {
  let isDrawn = false;
  const clear = () => {
    if (isDrawn) terminal.write('\r\x1b[K');
    isDrawn = false;
  };
  const draw = () => {
    const columns = terminal.columns || 80;
    // The last column stays free: a terminal may wrap a line that is full.
    const line = Array.from(escapeText(text(columns - 1))).slice(0, columns - 1);
    if (line.length === 0 || isWithinLine()) {
      clear();
      return;
    }
    terminal.write(`\r\x1b[K${line.join('')}`);
    isDrawn = true;
  };
  const bottom: BottomLine = { clear, draw };
  let timer = setTimeout(() => {
    showBottomLine(bottom);
    timer = setInterval(() => showBottomLine(bottom), updateMs);
    timer.unref();
  }, afterMs);
  timer.unref();
  return {
    stop() {
      clearTimeout(timer);
      removeBottomLine(bottom);
    },
  };
}
