import type { WriteStream } from 'node:tty';
import type { WindowSize } from './live-table.ts';

/** Control sequences of a terminal. Source: ECMA-48, and xterm's alternate screen (private mode 1049). */
const enter = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const leave = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const home = '\x1b[H';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';

/** What a terminal that does not know its size is taken for. */
const usualSize: WindowSize = { columns: 80, rows: 24 };

/** Whether a stream is a terminal on which text can be put anywhere. */
export function canDraw(
  stream: { isTTY?: boolean },
  env: NodeJS.ProcessEnv = process.env,
): stream is WriteStream {
  return stream.isTTY === true && env.TERM !== 'dumb' && (env.TERM ?? '') !== '';
}

/**
 * A terminal's second screen, drawn as a whole: the first one comes back unchanged at the end, on SIGTSTP and SIGQUIT,
 * and when the process crashes. SIGINT, SIGTERM and SIGHUP are the caller's, who calls `close()` first of all. The
 * keyboard is left alone.
 */
export class FullScreen {
  readonly #stream: WriteStream;
  readonly #draw: (size: WindowSize) => readonly string[];
  #isOpen = false;

  /** `draw` gives the lines of a frame, none wider than the window. */
  constructor(stream: WriteStream, draw: (size: WindowSize) => readonly string[]) {
    this.#stream = stream;
    this.#draw = draw;
    stream.on('resize', this.#onResize);
    process.on('SIGTSTP', this.#onStop).on('SIGCONT', this.#onContinue).on('exit', this.#leave);
    process.on('SIGQUIT', this.#onEnd);
    this.#enter();
  }

  /** Draws the screen anew. A terminal that has not taken the last frame yet is spared this one. */
  redraw(): void {
    if (!this.#isOpen || this.#stream.writableNeedDrain) return;
    const { columns = usualSize.columns, rows = usualSize.rows } = this.#stream as Partial<WindowSize>;
    const lines = this.#draw({ columns, rows });
    // Cleared before it is written: after a line that is full the cursor still stands on its last character. The last
    // line has no newline, which would push the first one off the screen.
    const [frame, below] = [lines.map((line) => clearLine + line).join('\r\n'), lines.length < rows];
    this.#stream.write(home + frame + (below ? `\r\n${clearBelow}` : ''));
  }

  /** Gives the terminal back for good. May be called more than once. */
  close(): void {
    this.#leave();
    this.#stream.off('resize', this.#onResize);
    process.off('SIGTSTP', this.#onStop).off('SIGCONT', this.#onContinue).off('exit', this.#leave);
    process.off('SIGQUIT', this.#onEnd);
  }

  #enter(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#stream.write(enter);
    this.redraw();
  }

  readonly #leave = () => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stream.write(leave);
  };

  readonly #onResize = () => this.redraw();

  /** Stops by the system's own action, which leaves alone a process that no shell could continue. */
  readonly #onStop = () => {
    this.#leave();
    process.off('SIGTSTP', this.#onStop);
    process.kill(process.pid, 'SIGTSTP');
  };

  readonly #onContinue = () => {
    process.off('SIGTSTP', this.#onStop).on('SIGTSTP', this.#onStop);
    this.#enter();
  };

  readonly #onEnd = (signal: NodeJS.Signals) => {
    this.close();
    process.kill(process.pid, signal);
  };
}
