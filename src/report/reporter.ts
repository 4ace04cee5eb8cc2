import { errorCode } from '../errors.ts';
import type { Event } from './events.ts';
import { paintFor } from './paint.ts';
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
}

/** Says what happens, as lines for people or for programs. */
export class Reporter {
  /** What ends a line: CR LF while the terminal is in a mode that makes nothing of a LF. */
  lineEnd: '\n' | '\r\n' = '\n';
  /** Takes each finished line. A screen that is drawn on the same terminal takes this over while it is there. */
  write: (line: string) => void;
  readonly #options: Omit<ReporterOptions, 'write'>;

  constructor({ write, ...options }: ReporterOptions) {
    this.write = write;
    this.#options = options;
  }

  emit(event: Event): void {
    const { name, verbosity, json, isTerminal } = this.#options;
    if (json) {
      this.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}${this.lineEnd}`);
      return;
    }
    const { text, from, fromOnTerminal = from } = renderEvent(event);
    if (verbosity >= (isTerminal ? fromOnTerminal : from))
      this.write(`${paintFor(event.event, `${name}:`)} ${text}${this.lineEnd}`);
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
