import type { ReadStream, WriteStream } from 'node:tty';
import {
  liveSorts,
  type LiveKeys,
  type WindowSize,
  renderLive,
  renderTotals,
  type LineStyle,
  type LiveNames,
} from './live-table.ts';
import type { Writable } from 'node:stream';
import { LiveRates, type LiveSample } from './live-rates.ts';

/** Control sequences of a terminal. Source: ECMA-48, and xterm's alternate screen (private mode 1049). */
const enter = '\x1b[?1049h\x1b[?25l\x1b[?7l';
const leave = '\x1b[?7h\x1b[?25h\x1b[?1049l';
const home = '\x1b[H';
const clearLine = '\x1b[K';
const clearBelow = '\x1b[J';

/** The assumed size of a terminal that does not know its own. */
const usualSize: WindowSize = { columns: 80, rows: 24 };

/** Whether a stream is a terminal on which text can be put anywhere. */
function canDraw(stream: { isTTY?: boolean }, env: NodeJS.ProcessEnv = process.env): stream is WriteStream {
  return stream.isTTY === true && env.TERM !== 'dumb' && (env.TERM ?? '') !== '';
}

/**
 * A terminal's second screen, drawn as a whole: the first one comes back unchanged at the end, on SIGTSTP and
 * SIGQUIT, and when the process crashes. SIGINT, SIGTERM and SIGHUP are left to the caller, which calls `close()`
 * first of all. The keyboard, if there is one, delivers single keys meanwhile.
 */
class FullScreen {
  readonly #stream: WriteStream;
  readonly #draw: (size: WindowSize) => readonly string[];
  readonly #keyboard: ReadStream | undefined;
  #isOpen = false;

  /** `draw` gives the lines of a frame, none wider than the window. */
  constructor(stream: WriteStream, draw: (size: WindowSize) => readonly string[], keyboard?: ReadStream) {
    this.#stream = stream;
    this.#draw = draw;
    this.#keyboard = keyboard;
    stream.on('resize', this.#onResize);
    process.on('SIGTSTP', this.#onStop).on('SIGCONT', this.#onContinue).on('exit', this.#leave);
    process.on('SIGQUIT', this.#onEnd);
    this.#enter();
  }

  /** Redraws the screen. A terminal that has not taken the last frame yet is spared this one. */
  redraw(): void {
    if (!this.#isOpen || this.#stream.writableNeedDrain) return;
    const { columns = usualSize.columns, rows = usualSize.rows } = this.#stream as Partial<WindowSize>;
    const lines = this.#draw({ columns, rows });
    // Cleared before it is written: after a full line the cursor is still on its last character. The last line has
    // no newline, which would push the first one off the screen.
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
    this.#keyboard?.setRawMode(true);
    this.redraw();
  }

  readonly #leave = () => {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#stream.write(leave);
    this.#keyboard?.setRawMode(false);
  };

  readonly #onResize = () => this.redraw();

  /** Stops by the system's default action, which spares a process that no shell could continue. */
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

export interface LiveViewOptions {
  readonly names: LiveNames;
  /** The current state. Called a few times a second. */
  readonly look: () => LiveSample;
  /**
   * Where it is shown: redrawn on a terminal that supports it, else a line of totals a second while something
   * changes.
   */
  readonly stream: Writable & { isTTY?: boolean };
  readonly isColoured: boolean;
  /** The same terminal's keyboard, if it is available. */
  readonly keyboard?: ReadStream | undefined;
}

/** What a server does, shown while it runs. */
export interface LiveView {
  /**
   * Whether the view has the whole screen: then reports go to `say()`, which shows the last of them, and the caller
   * prints them when the view is over.
   */
  readonly isOnScreen: boolean;
  say(line: string): void;
  /** Ends the view and gives the terminal back. @returns what was reported meanwhile, at most the last 200 lines */
  stop(): readonly string[];
}

const frameMs = 250;
const lineMs = 1_000;
const keptMessages = 200;

/** Starts a live view. It ends with `stop()`, and does not keep the process alive. */
export async function startLiveView(options: LiveViewOptions): Promise<LiveView> {
  const { stream } = options;
  return canDraw(stream)
    ? drawView(options, stream, options.isColoured ? await loadStyles() : plain)
    : printView(options);
}

type Styles = Partial<Record<LineStyle, (text: string) => string>>;

const plain: Styles = {};

async function loadStyles(): Promise<Styles> {
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return {
    title: chalk.bold,
    totals: chalk.cyan,
    head: chalk.inverse,
    idle: chalk.dim,
    message: chalk.yellow,
  };
}

/** The keys that send signals while the terminal delivers single keys. */
const signalKeys: Readonly<Record<string, NodeJS.Signals>> = {
  q: 'SIGINT',
  '\x03': 'SIGINT',
  '\x1a': 'SIGTSTP',
  '\x1c': 'SIGQUIT',
};

/** Handles the user's keys. @returns the state that results */
function readKeys(keyboard: ReadStream, onChange: () => void): LiveKeys {
  const keys = { sort: 'rate' as LiveKeys['sort'], offset: 0, isPaused: false };
  keyboard.on('data', (chunk: Buffer) => {
    for (const key of chunk.toString('latin1').match(/\x1b\[[AB]|[^]/g) ?? []) {
      const signal = signalKeys[key];
      // As a terminal does it: to the whole foreground process group.
      if (signal) process.kill(0, signal);
      else if (key === 's')
        keys.sort = liveSorts[(liveSorts.indexOf(keys.sort) + 1) % liveSorts.length] ?? 'rate';
      else if (key === 'p') keys.isPaused = !keys.isPaused;
      else if (key === 'k' || key === '\x1b[A') keys.offset = Math.max(0, keys.offset - 1);
      else if (key === 'j' || key === '\x1b[B') keys.offset++;
    }
    onChange();
  });
  keyboard.unref();
  return keys;
}

function drawView({ names, look, keyboard }: LiveViewOptions, stream: WriteStream, styles: Styles): LiveView {
  const startedAt = performance.now();
  const rates = new LiveRates(startedAt);
  const messages: string[] = [];
  const keys = keyboard && readKeys(keyboard, () => screen.redraw());
  let [now, sample] = [startedAt, look()];
  const draw = (size: WindowSize) => {
    if (!keys?.isPaused) {
      [now, sample] = [performance.now(), look()];
      rates.update(sample, now);
    }
    const lines = renderLive(names, { sample, rates, now, startedAt, messages, keys }, size);
    return lines.map(({ text, style }) => styles[style]?.(text) ?? text);
  };
  const screen = new FullScreen(stream, draw, keyboard);
  const timer = setInterval(() => screen.redraw(), frameMs).unref();
  return {
    isOnScreen: true,
    say(line) {
      messages.push(line.trimEnd());
      if (messages.length > keptMessages) messages.shift();
    },
    stop() {
      clearInterval(timer);
      screen.close();
      keyboard?.destroy();
      return messages;
    },
  };
}

function printView({ names, look, stream }: LiveViewOptions): LiveView {
  const rates = new LiveRates(performance.now());
  let last = '';
  const print = () => {
    const sample = look();
    rates.update(sample, performance.now());
    const line = renderTotals(names, sample.totals, rates);
    // A reader that takes nothing is not given more.
    if (line === last || stream.writableNeedDrain) return;
    last = line;
    stream.write(`${line}\n`);
  };
  print();
  const timer = setInterval(print, lineMs).unref();
  return {
    isOnScreen: false,
    say: () => undefined,
    stop() {
      clearInterval(timer);
      print();
      return [];
    },
  };
}
