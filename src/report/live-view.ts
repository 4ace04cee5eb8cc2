import type { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { canDraw, FullScreen } from './full-screen.ts';
import { LiveRates, type LiveSample } from './live-rates.ts';
import { renderLive, renderTotals, type LineStyle, type LiveNames } from './live-table.ts';

export interface LiveViewOptions {
  readonly names: LiveNames;
  /** What is the case now. Called a few times a second. */
  readonly look: () => LiveSample;
  /** Where it is shown: redrawn on a terminal that can, else a line of totals a second while something changes. */
  readonly stream: Writable & { isTTY?: boolean };
  readonly isColoured: boolean;
}

/** What a server does, shown while it runs. */
export interface LiveView {
  /**
   * Whether the view has the whole screen: then what is reported is given to `say()`, which shows the last of it, and
   * is printed by the caller when the view is over.
   */
  readonly isOnScreen: boolean;
  say(line: string): void;
  /** Ends the view and gives the terminal back. @returns what was said meanwhile, at most the last 200 lines */
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

function drawView({ names, look }: LiveViewOptions, stream: WriteStream, styles: Styles): LiveView {
  const startedAt = performance.now();
  const rates = new LiveRates(startedAt);
  const messages: string[] = [];
  const screen = new FullScreen(stream, (size) => {
    const now = performance.now();
    const sample = look();
    rates.update(sample, now);
    const lines = renderLive(names, { sample, rates, now, startedAt, messages }, size);
    return lines.map(({ text, style }) => styles[style]?.(text) ?? text);
  });
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
