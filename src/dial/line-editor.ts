import { clearScreenDown, createInterface, cursorTo, moveCursor, type Interface } from 'node:readline';
import { Readable, Transform, Writable, type TransformCallback } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import {
  beginLine,
  plainWriter,
  removeBottomLine,
  showBottomLine,
  type BottomLine,
} from '../report/bottom-line.ts';

export interface LineHistory {
  /** The newest first. */
  readonly lines: readonly string[];
  readonly add: (line: string) => void;
}

/** The longest text without a newline that counts as a prompt. */
const promptLength = 512;
const historyLines = 1_000;

/** Prompts for a secret that no file should contain, and commands that contain one. */
const asksSecret = /pass(?:word|phrase|code)|secret|token|\bpin\b/i;
const givesSecret = /^\s*(?:\S+\s+)?(?:pass|auth|login)\b/i;

/**
 * Lines as a person edits them, with node:readline: keys come in, whole lines go out. What is printed on `terminal`
 * meanwhile appears above the line that is being typed; a text without a newline becomes its prompt. While the
 * editor is not active, input passes through unchanged.
 */
export class LineEditor extends Transform {
  readonly #terminal: Writable & { columns?: number };
  readonly #write: (text: string) => unknown;
  readonly #history: LineHistory | undefined;
  readonly #keys = new Readable({ read: () => undefined });
  readonly #output: Writable & { columns?: number };
  readonly #lines: Interface & { prevRows?: number; history?: string[] };
  readonly #bottom: BottomLine = { clear: () => this.#clear(), draw: (printed) => this.#draw(printed) };
  #prompt = '';
  #isActive = false;
  #isOver = false;

  constructor(terminal: Writable & { columns?: number }, history?: LineHistory) {
    super();
    this.#terminal = terminal;
    this.#write = plainWriter(terminal);
    this.#history = history;
    const write = this.#write;
    this.#output = new Writable({
      decodeStrings: false,
      write(text: string | Buffer, _encoding, done) {
        write(text.toString());
        done();
      },
    });
    Object.defineProperty(this.#output, 'columns', { get: () => terminal.columns || 80 });
    terminal.on('resize', this.#resize);
    this.#lines = createInterface({
      input: this.#keys,
      output: this.#output,
      terminal: true,
      prompt: '',
      historySize: historyLines,
      history: [...(history?.lines ?? [])],
      removeHistoryDuplicates: true,
    });
    this.#lines.on('line', (line) => this.#takeLine(line));
    // Ctrl-D in an empty line.
    this.#lines.on('close', () => this.#end());
  }

  /** Whether lines are edited here. What has been typed when that ends is passed on as it is. */
  set isActive(isActive: boolean) {
    if (isActive === this.#isActive || this.#isOver) return;
    if (isActive) {
      this.#isActive = true;
      showBottomLine(this.#bottom);
      return;
    }
    const { line } = this.#lines;
    if (line !== '') this.push(Buffer.from(line));
    this.#forget();
    this.hide();
  }

  /** Removes the line that is being typed from the screen, until the editor is active again. */
  hide(): void {
    this.#isActive = false;
    removeBottomLine(this.#bottom);
  }

  /** Redraws the line that is being typed. */
  redraw(): void {
    if (!this.#isActive || this.#lines.line === '') return;
    this.#lines.prevRows = 0;
    this.#lines.prompt(true);
  }

  /** Gives the terminal back. */
  release(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#lines.line !== '') this.#write('\n');
    this.#forget();
    removeBottomLine(this.#bottom);
    this.#terminal.off('resize', this.#resize);
    this.#lines.close();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#isOver) done();
    else if (this.#isActive) {
      this.#keys.emit('data', chunk);
      done();
    } else done(null, chunk);
  }

  readonly #resize = () => this.#output.emit('resize');

  #takeLine(line: string): void {
    const isSecret = asksSecret.test(this.#prompt) || givesSecret.test(line);
    if (isSecret) this.#lines.history?.shift();
    else if (line.trim() !== '') this.#history?.add(line);
    this.#setPrompt('');
    beginLine();
    if (!this.#isOver) this.push(Buffer.from(`${line}\n`));
  }

  #end(): void {
    if (this.#isOver) return;
    this.release();
    this.push(null);
  }

  /** Leaves the cursor where the output stopped. */
  #clear(): void {
    if (this.#lines.line === '') return;
    const { rows } = this.#lines.getCursorPos();
    moveCursor(this.#output, 0, -rows);
    cursorTo(this.#output, 0);
    clearScreenDown(this.#output);
    this.#write(this.#prompt);
  }

  #draw(printed?: Uint8Array): void {
    this.#setPrompt(printed === undefined ? '' : tailOf(this.#prompt, printed));
    // The cursor is after the prompt: what readline knows about the rows above no longer holds.
    const { columns = 80 } = this.#output;
    this.#lines.prevRows = Math.floor(stripVTControlCharacters(this.#prompt).length / columns);
    if (this.#lines.line !== '') this.#lines.prompt(true);
  }

  #setPrompt(prompt: string): void {
    this.#prompt = prompt;
    this.#lines.setPrompt(prompt);
  }

  #forget(): void {
    (this.#lines as { line: string }).line = '';
    (this.#lines as { cursor: number }).cursor = 0;
  }
}

/** The content of the last line after more has been printed. */
function tailOf(prompt: string, printed: Uint8Array): string {
  const text = Buffer.from(printed).toString('utf8').slice(-promptLength);
  const from = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r'));
  const tail = from < 0 ? prompt + text : text.slice(from + 1);
  // Colours are kept; sequences that move the cursor would move it again.
  return tail.replace(/[\0-\x1a\x1c-\x1f\x7f]|\x1b(?!\[[\d;]*m)/g, '').slice(-promptLength);
}
