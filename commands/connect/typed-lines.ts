import { ReadStream } from 'node:tty';
import type { LineEditor } from '../../src/dial/line-editor.ts';
import type { Input } from '../../src/dial/stdio.ts';
import { holdsTerminal } from '../../src/dial/terminal.ts';
import type { Context } from '../context.ts';
import type { Stdio, StreamFlags } from '../session-run.ts';
import { openHistory } from './history.ts';

export interface TypedLinesOptions {
  readonly context: Context;
  readonly stdio: Stdio;
  readonly flags: Pick<StreamFlags, 'raw' | 'history'>;
  /** What the history of the lines is kept under. */
  readonly name: string;
}

/**
 * The editor of the lines that the user types at a terminal; undefined when there is no user, or nothing can be
 * drawn.
 */
export async function openEditor(options: TypedLinesOptions): Promise<LineEditor | undefined> {
  const { context, stdio, flags, name } = options;
  const { input, output } = stdio;
  const term = process.env['TERM'] ?? '';
  const isAtTerminal = input?.kind === 'terminal' && output?.kind === 'terminal';
  if (!isAtTerminal || flags.raw || term === '' || term === 'dumb') return undefined;
  const { LineEditor } = await import('../../src/dial/line-editor.ts');
  return new LineEditor(output.stream, openHistory(context, flags.history, name));
}

/**
 * Takes the terminal for lines that are edited here. A process in the background leaves it to the shell.
 *
 * @returns a function that gives the terminal back, or undefined when the terminal still edits the lines
 */
export async function startEditing(
  editor: LineEditor,
  stream: ReadStream,
): Promise<(() => void) | undefined> {
  const { Terminal } = await import('../../src/dial/terminal.ts');
  const terminal = new Terminal({ stream, fd: 0, onResize: () => editor.redraw() });
  const release = () => {
    editor.release();
    terminal.release();
  };
  if (!terminal.canEdit || !holdsTerminal()) {
    release();
    return undefined;
  }
  terminal.take('edit', 'none');
  editor.isActive = true;
  return release;
}

/** stdin and stdout, with the lines of a user at a terminal edited here, from now until the input is closed. */
export async function editInput(options: TypedLinesOptions, signal: AbortSignal): Promise<Stdio> {
  const { input, output } = options.stdio;
  const editor = await openEditor(options);
  if (!editor || !(input?.stream instanceof ReadStream)) return options.stdio;
  const keys = input.stream;
  const release = await startEditing(editor, keys);
  if (!release) return options.stdio;
  // At once: a second signal ends the process by the system's default.
  if (signal.aborted) release();
  else signal.addEventListener('abort', release, { once: true });
  editor.once('end', release);
  keys.on('error', (error) => editor.destroy(error));
  const edited: Input = {
    stream: keys.pipe(editor),
    kind: input.kind,
    close() {
      release();
      editor.destroy();
      input.close();
    },
  };
  return { input: edited, output };
}
