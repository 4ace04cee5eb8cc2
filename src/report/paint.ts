import type { EventName } from './events.ts';
import { isTerminal } from './is-terminal.ts';

type Paint = (text: string) => string;

/** The colours in which a tap shows what is sent, what is received, and what happens; none without colour. */
export async function loadTapPaint(
  isColoured: boolean,
): Promise<{ readonly sent: Paint; readonly received: Paint; readonly note: Paint }> {
  const asIs: Paint = (text) => text;
  if (!isColoured) return { sent: asIs, received: asIs, note: asIs };
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  return { sent: chalk.cyan, received: chalk.green, note: chalk.dim };
}

let painters: Partial<Record<EventName, Paint>> = {};
let quiet: Paint = (text) => text;

/**
 * Whether lines for people on a descriptor are coloured: only on a terminal that supports it, unless FORCE_COLOR
 * says so, and never against NO_COLOR or `--no-color`. Source: no-color.org, force-color.org.
 */
export function wantsColor(
  args: readonly string[],
  fd: number,
  env: NodeJS.ProcessEnv = process.env,
): boolean {
  if (args.includes('--no-color') || (env.NO_COLOR ?? '') !== '') return false;
  if ((env.FORCE_COLOR ?? '') !== '') return env.FORCE_COLOR !== '0';
  return isTerminal(fd) && env.TERM !== 'dumb';
}

/** Loads chalk. Without this call nothing is coloured, and chalk is not loaded. */
export async function loadPaint(): Promise<void> {
  const { Chalk } = await import('chalk');
  const chalk = new Chalk({ level: 1 });
  painters = {
    error: chalk.red,
    'attempt-failed': chalk.yellow,
    refused: chalk.yellow,
    listening: chalk.green,
    connected: chalk.green,
    accepted: chalk.green,
    warning: chalk.yellow,
  };
  quiet = chalk.dim;
}

/** A line of little importance. */
export function paintQuiet(line: string): string {
  return quiet(line);
}

/** A line that begins with a name, with the part that should catch the eye in the colour of its event. */
export function paintLine(event: EventName, name: string, text: string): string {
  const paint = painters[event];
  if (!paint) return `${name} ${text}`;
  return `${paint(name)} ${event === 'warning' ? text.replace(/^WARNING:/, (word) => paint(word)) : text}`;
}
