import { errorCode } from '../errors.ts';
import { escapeJson, escapeText } from '../transform/escape-controls.ts';
import type { Event } from './events.ts';
import { paintFor } from './paint.ts';
import { Repeats } from './repeats.ts';
import { describeError } from './sentences.ts';
import { renderEvent, type Verbosity } from './text.ts';

export interface ReporterOptions {
  /** The name before each line: `tnet connect`. */
  readonly name: string;
  readonly verbosity: Verbosity;
  /** One JSON object a line for every event, and no text. */
  readonly json: boolean;
  /** Whether the lines go to a terminal. Default false. */
  readonly isTerminal?: boolean;
  /** Takes each finished line. */
  readonly write: (line: string) => void;
  /** How long a failure's repeats are counted before they are told, in one line; not with `json`. Default 1000. */
  readonly repeatMs?: number;
}

/** Says what happens, as lines for people or for programs. No control character of what came from outside gets through. */
export class Reporter {
  /** What ends a line: CR LF while the terminal is in a mode that makes nothing of a LF. */
  lineEnd: '\n' | '\r\n' = '\n';
  /** Takes each finished line. A screen that is drawn on the same terminal takes this over while it is there. */
  write: (line: string) => void;
  readonly #options: Omit<ReporterOptions, 'write'>;
  readonly #repeats: Repeats;

  constructor({ write, ...options }: ReporterOptions) {
    this.write = write;
    this.#options = options;
    this.#repeats = new Repeats(options.repeatMs);
  }

  emit(event: Event): void {
    const { name, verbosity, json, isTerminal } = this.#options;
    if (json) {
      const object = JSON.stringify({ time: new Date().toISOString(), ...event });
      this.write(`${escapeJson(object)}${this.lineEnd}`);
      return;
    }
    const { text, from, fromOnTerminal = from } = renderEvent(event);
    if (verbosity < (isTerminal ? fromOnTerminal : from)) return;
    const tell = (note: string) =>
      this.write(`${paintFor(event.event, `${name}:`)} ${escapeText(text)}${note}${this.lineEnd}`);
    if (event.event === 'error') return this.#repeats.take(`${event.subject} ${event.code}`, tell);
    // The sums stand behind all that led to them.
    if (event.event === 'totals') this.#repeats.flush();
    tell('');
  }

  /** Tells what has been held back: a repeated failure is one line a second. To be called at the end. */
  flush(): void {
    this.#repeats.flush();
  }

  /** One line for a failure. `subject` is what failed, as the user knows it: an address, a path, a file. */
  fail(subject: string, error: unknown, id?: number): void {
    const code = errorCode(error) ?? 'ERROR';
    this.emit({
      event: 'error',
      ...(id !== undefined && { id }),
      subject,
      code,
      message: describeError(error),
    });
  }
}
