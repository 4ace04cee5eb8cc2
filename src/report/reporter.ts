import { escapeJson, escapeText } from '../transform/escape-controls.ts';
import type { Event, EventName } from './events.ts';
import { paintLine, paintQuiet } from './paint.ts';
import { failureFields } from './sentences.ts';
import { isSaid, renderEvent, type Verbosity } from './text.ts';

/** A line that is printed once, and its repeats. */
interface Repeated {
  count: number;
  /** Prints the last of them, with a note after it. */
  tell: (note: string) => void;
}

/**
 * Keeps a line that recurs from filling the screen: the first is printed at once, those with the same key within
 * `withinMs` after it are counted, and then one line shows the last of them and how many there were: as long as
 * they keep coming, one line every `withinMs`.
 */
class Repeats {
  readonly #withinMs: number;
  readonly #known = new Map<string, Repeated>();
  #timer: NodeJS.Timeout | undefined;

  constructor(withinMs = 1_000) {
    this.#withinMs = withinMs;
  }

  /** Prints a line, now or later. `tell` gets the note to append. */
  take(key: string, tell: (note: string) => void): void {
    const known = this.#known.get(key);
    if (known) {
      known.count++;
      known.tell = tell;
      return;
    }
    this.#known.set(key, { count: 0, tell });
    // One timer for all: a line may be counted a little longer than `withinMs`.
    this.#timer ??= setInterval(() => this.#look(), this.#withinMs).unref();
    tell('');
  }

  /** Prints what has been counted, and forgets all. */
  flush(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const repeated of this.#known.values()) this.#tell(repeated);
    this.#known.clear();
  }

  #look(): void {
    for (const [key, repeated] of this.#known) {
      if (repeated.count === 0) this.#known.delete(key);
      else this.#tell(repeated);
    }
    if (this.#known.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tell(repeated: Repeated): void {
    const { count, tell } = repeated;
    repeated.count = 0;
    if (count === 1) tell('');
    else if (count > 1) tell(` (and ${count} more within ${this.#withinMs / 1000} s)`);
  }
}

const rowIndent = ' '.repeat(11);

export interface ReporterOptions {
  /** The name before each line: `tnet connect`. */
  readonly name: string;
  readonly verbosity: Verbosity;
  /** One JSON object a line for every event, and no text. */
  readonly json: boolean;
  /** Whether the lines go to a terminal. Default false. */
  readonly isTerminal?: boolean;
  /** How wide the terminal is. Default 80. */
  readonly columns?: () => number | undefined;
  /** Events that are always shown on a terminal, in a line of little importance. */
  readonly quiet?: readonly EventName[];
  /** Takes each finished line. */
  readonly write: (line: string) => void;
  /**
   * How long a failure's repeats are counted before they are reported, in one line; not with `json`. Default 1000.
   */
  readonly repeatMs?: number;
}

/** The most addresses of a target whose failures are held until the target's own is reported. */
const attemptsMost = 16;

type AttemptFailed = Extract<Event, { readonly event: 'attempt-failed' }>;

/** Reports what happens, as lines for people or for programs. No control characters from outside get through. */
export class Reporter {
  /** What ends a line: CR LF while the terminal is in a mode that does not translate LF. */
  lineEnd: '\n' | '\r\n' = '\n';
  /** Takes each finished line. A screen that is drawn on the same terminal takes this over while it is there. */
  write: (line: string) => void;
  readonly #options: Omit<ReporterOptions, 'write'>;
  readonly #repeats: Repeats;
  readonly #hearers = new Set<(event: Event) => void>();
  /** Attempts that failed: the resulting error may report them too, and each should be reported once. */
  #attempts: AttemptFailed[] = [];

  constructor({ write, ...options }: ReporterOptions) {
    this.write = write;
    this.#options = options;
    this.#repeats = new Repeats(options.repeatMs);
  }

  /** Whether events of this name are reported anywhere: one that is not need not be created. */
  hears(name: EventName): boolean {
    return this.#hearers.size > 0 || this.#prints(name);
  }

  /** Calls back for every event, before it is printed. @returns a function that ends this */
  listen(onEvent: (event: Event) => void): () => void {
    const hear = (event: Event) => onEvent(event);
    this.#hearers.add(hear);
    return () => void this.#hearers.delete(hear);
  }

  #prints(name: EventName): boolean {
    const { json, verbosity, isTerminal, quiet } = this.#options;
    return json || isSaid(name, verbosity) || (isTerminal === true && quiet?.includes(name) === true);
  }

  emit(event: Event): void {
    for (const hear of this.#hearers) hear(event);
    if (this.#options.json) {
      const object = JSON.stringify({ time: new Date().toISOString(), ...event });
      this.write(`${escapeJson(object)}${this.lineEnd}`);
    } else if (event.event === 'attempt-failed') this.#hold(event);
    else if (event.event === 'attempt') this.#tell(event);
    else {
      const whole = this.#takeAttempts(event);
      for (const attempt of this.#attempts.splice(0)) this.#tell(attempt);
      this.#tell(whole);
    }
  }

  /** An attempt that is not shown is held for the failure that may follow, but not for ever. */
  #hold(attempt: AttemptFailed): void {
    this.#attempts.push(attempt);
    if (this.#attempts.length > attemptsMost && !this.#prints('attempt-failed')) this.#attempts.shift();
  }

  /**
   * Drops the attempts that a failure is going to report itself.
   *
   * @returns the event, with the address that was tried if it would otherwise name none
   */
  #takeAttempts(event: Event): Event {
    if (event.event !== 'error' && event.event !== 'retry') return event;
    const { message } = event;
    const isTold = ({ address, message: own }: AttemptFailed) => message === own || message.includes(address);
    const told = this.#attempts.filter(isTold);
    this.#attempts = this.#attempts.filter((attempt) => !isTold(attempt));
    const [only] = told;
    const place = event.event === 'error' ? event.subject : event.address;
    const isNamed = only === undefined || message.includes(only.address) || place.includes(only.address);
    return isNamed || !/^[^ ]+:\d+$/.test(place)
      ? event
      : { ...event, message: `${message}: ${only.address}` };
  }

  /** Reports an event as -v asks for. */
  #tell(event: Event): void {
    if (!this.#prints(event.event)) return;
    const { name, verbosity, isTerminal, quiet } = this.#options;
    const { text, from, fromOnTerminal = from, rows } = renderEvent(event);
    const isQuiet = verbosity < (isTerminal ? fromOnTerminal : from);
    if (isQuiet && !(isTerminal && quiet?.includes(event.event))) return;
    if (isTerminal && rows) {
      for (const [key, value] of rows) this.#printRow(key, escapeText(value));
      return;
    }
    const tell = (note: string) => {
      const said = `${escapeText(text)}${note}`;
      const line = isQuiet ? paintQuiet(`${name}: ${said}`) : paintLine(event.event, `${name}:`, said);
      this.write(`${line}${this.lineEnd}`);
    };
    if (event.event === 'error') return this.#repeats.take(`${event.subject} ${event.code}`, tell);
    // The sums come after everything that led to them.
    if (event.event === 'totals') this.#repeats.flush();
    tell('');
  }

  /** Whether a user sees the lines on a terminal. */
  get isSeen(): boolean {
    return this.#options.isTerminal === true && !this.#options.json;
  }

  /** A line of a table, as it is. */
  print(line: string): void {
    this.write(`${line}${this.lineEnd}`);
  }

  /** A line for people only. */
  note(text: string): void {
    const { name, json } = this.#options;
    if (!json) this.write(`${paintQuiet(`${name}: ${escapeText(text)}`)}${this.lineEnd}`);
  }

  /** Prints what has been held back: a repeated failure is one line a second. To be called at the end. */
  flush(): void {
    for (const attempt of this.#attempts.splice(0)) this.#tell(attempt);
    this.#repeats.flush();
  }

  /** A row of a table, its value wrapped after commas. */
  #printRow(key: string, value: string): void {
    const room = Math.max(20, (this.#options.columns?.() ?? 80) - rowIndent.length);
    const lines = [''];
    for (const part of value.split(/(?<=, )/)) {
      const last = lines.at(-1) ?? '';
      if (last !== '' && (last + part).trimEnd().length > room) lines.push(part);
      else lines[lines.length - 1] = last + part;
    }
    for (const [at, line] of lines.entries())
      this.print(`${at === 0 ? `  ${key}`.padEnd(rowIndent.length) : rowIndent}${line.trimEnd()}`);
  }

  /** One line for a failure. `subject` is what failed, as the user knows it: an address, a path, a file. */
  fail(subject: string, error: unknown, id?: number): void {
    this.emit({ event: 'error', ...(id !== undefined && { id }), subject, ...failureFields(error) });
  }
}
