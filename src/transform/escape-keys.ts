import { Transform, type TransformCallback } from 'node:stream';
import { TnetError } from '../errors.ts';

/** The key that opens the command mode when no other is named: Ctrl-], as in telnet. */
export const defaultEscape = 0x1d;

/** The byte of a key, or that there is none. */
export type EscapeKey = number | 'none';

/**
 * Reads an escape key: `^X` for a control key, a single character for itself, `none` for no key.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function parseEscape(text: string): EscapeKey {
  if (text === 'none') return 'none';
  if (/^\^[@-_a-z]$/.test(text)) return text.toUpperCase().charCodeAt(1) & 0x1f;
  if (text === '^?') return 0x7f;
  if (/^[\x01-\x7e]$/.test(text) && text !== '\n' && text !== '\r') return text.charCodeAt(0);
  throw new TnetError('TNET_E_USAGE', `an escape key is ^ and a letter, one character, or none: not ${text}`);
}

/** The key as a user writes it: `^]`, `~`, `none`. */
export function formatEscape(escape: EscapeKey): string {
  if (escape === 'none') return escape;
  if (escape === 0x7f) return '^?';
  return escape < 0x20 ? `^${String.fromCharCode(escape + 0x40)}` : String.fromCharCode(escape);
}

const LF = 0x0a;
const CR = 0x0d;

/** What a line of the command mode does: go back to the session, or ask for another command. */
export type CommandOutcome = 'session' | 'ask';

export interface EscapeKeysOptions {
  /** The byte of the key that opens the command mode. */
  readonly escape: number | 'none';
  /** The escape key was typed: what follows, up to the end of the line, is a command. */
  readonly onEscape: () => void;
  readonly onCommand: (line: string) => CommandOutcome | Promise<CommandOutcome>;
  /** stdin ended in the command mode. */
  readonly onEnd: () => void;
}

/** The longest command that is kept; the rest of a longer line is dropped. */
const commandLimitBytes = 1024;

/**
 * Passes the user's keys on, and takes out the commands: the escape key and the line that follows it. Works with
 * keys one by one, with whole lines, and with pasted text.
 */
export class EscapeKeys extends Transform {
  escape: number | 'none';
  readonly #options: EscapeKeysOptions;
  /** The command as typed so far; undefined in the session. */
  #command: number[] | undefined;
  /** A command that is still running: what was typed after it waits. */
  #running: Promise<CommandOutcome> | undefined;

  constructor(options: EscapeKeysOptions) {
    super();
    this.#options = options;
    this.escape = options.escape;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#read(chunk, done);
  }

  #read(chunk: Buffer, done: TransformCallback): void {
    let at = 0;
    while (at < chunk.length && !this.#running)
      at = this.#command ? this.#readCommand(chunk, at) : this.#readKeys(chunk, at);
    if (!this.#running) return done();
    void this.#running.then((outcome) => {
      this.#running = undefined;
      this.#goOn(outcome);
      this.#read(chunk.subarray(at), done);
    });
  }

  #goOn(outcome: CommandOutcome): void {
    this.#command = outcome === 'ask' ? [] : undefined;
  }

  override _flush(done: TransformCallback): void {
    if (this.#command) this.#options.onEnd();
    done();
  }

  #readKeys(chunk: Buffer, from: number): number {
    const escape = this.escape === 'none' ? -1 : chunk.indexOf(this.escape, from);
    const end = escape < 0 ? chunk.length : escape;
    if (end > from) this.push(chunk.subarray(from, end));
    if (escape < 0) return end;
    this.#command = [];
    this.#options.onEscape();
    // A terminal that delivers whole lines delivers the escape together with the end of its line.
    return escape + (chunk[escape + 1] === LF ? 2 : 1);
  }

  #readCommand(chunk: Buffer, from: number): number {
    const command = this.#command ?? [];
    const byte = chunk[from];
    if (byte === LF || byte === CR) {
      const line = Buffer.from(command).toString().trim();
      const outcome = this.#options.onCommand(line);
      if (typeof outcome === 'string') this.#goOn(outcome);
      else this.#running = outcome;
    } else if (byte !== undefined && command.length < commandLimitBytes) {
      command.push(byte);
    }
    return from + 1;
  }
}
