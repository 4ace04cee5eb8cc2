import type { WriteStream } from 'node:tty';
import { type BottomLine, isWithinLine, removeBottomLine, showBottomLine } from './bottom-line.ts';
import { escapeText } from '../transform/escape-controls.ts';

export interface StatusOptions {
  /** The text to show, asked for each time; without unintended control characters. '': nothing for now. */
  readonly text: (columns: number) => string;
  /** Work that is over sooner needs no sign of life. Default 300. */
  readonly afterMs?: number;
}

const updateMs = 200;

/**
 * A line at the bottom of a terminal that shows the progress of something, until `stop()`. Does not keep the
 * process alive.
 */
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
