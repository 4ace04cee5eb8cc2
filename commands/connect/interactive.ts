import { spawn } from 'node:child_process';
import type { ReadStream } from 'node:tty';
import {
  formatEscape,
  parseEscape,
  type CommandOutcome,
  type EscapeKey,
  EscapeKeys,
} from '../../src/transform/escape-keys.ts';
import { stopReading } from '../../src/net/handles.ts';
import { lendTerminal, takeTerminalBack } from '../../src/dial/lent-terminal.ts';
import { Terminal, type TerminalMode } from '../../src/dial/terminal.ts';
import type { LineEditor } from '../../src/dial/line-editor.ts';
import type { TelnetCommand } from '../../src/protocol/telnet/codes.ts';
import { HoldGate } from '../../src/transform/dialogue.ts';
import type { TelnetLink } from './telnet.ts';
import { runConsoleCommand } from './console-commands.ts';
import type { Context } from '../context.ts';

export interface InteractiveOptions {
  readonly context: Context;
  readonly remote: string;
  /** stdin, when it is a terminal. */
  readonly stream: ReadStream;
  readonly isRaw: boolean;
  readonly escape: EscapeKey;
  readonly telnet: TelnetLink | undefined;
  /** Edits the lines of line mode. Default: the terminal does. */
  readonly editor?: LineEditor | undefined;
  /** Tells a terminal at the other end the size of ours. */
  readonly resize?: ((columns: number, rows: number) => void) | undefined;
  /** Ends the session. */
  readonly onClose: () => void;
}

/** A user at a terminal in a telnet or raw session: modes, the escape key and its commands. */
export class Interactive {
  /** Between the terminal and what is sent, and between what is received and the terminal. */
  readonly keys: EscapeKeys;
  readonly screen = new HoldGate();
  readonly #options: InteractiveOptions;
  readonly #terminal: Terminal;
  readonly #editor: LineEditor | undefined;
  /** The mode that the command `mode` asked for in a raw session. */
  #rawMode: TerminalMode = 'character';
  /** While the command mode is open, the terminal is as it was found. */
  #isCommanding = false;

  constructor(options: InteractiveOptions) {
    this.#options = options;
    const { context, telnet, escape } = options;
    this.#terminal = new Terminal({ stream: options.stream, fd: 0, onResize: () => this.#resize() });
    this.#editor = this.#terminal.canEdit ? options.editor : undefined;
    this.keys = new EscapeKeys({
      escape,
      onEscape: () => this.#enterCommands(),
      onCommand: (line) => this.#runCommand(line),
      onEnd: () => options.onClose(),
    });
    if (telnet) telnet.onModeChange = () => this.#takeMode();
    this.#resize();
    this.#takeMode();
    // Last: the user may type as soon as it is shown.
    context.reporter.emit({ event: 'interactive', escape: formatEscape(escape) });
  }

  /** Gives the terminal back. */
  release(): void {
    this.#editor?.release();
    this.#terminal.release();
    this.#options.context.reporter.lineEnd = '\n';
  }

  get #mode(): TerminalMode {
    const { telnet, isRaw } = this.#options;
    return isRaw || !telnet ? this.#rawMode : telnet.mode;
  }

  #takeMode(): void {
    if (this.#isCommanding) return;
    const isEdited = this.#mode === 'line' && this.#editor !== undefined;
    if (this.#editor) this.#editor.isActive = isEdited;
    this.#terminal.take(isEdited ? 'edit' : this.#mode, this.keys.escape);
    this.#options.context.reporter.lineEnd = this.#mode === 'character' ? '\r\n' : '\n';
  }

  #resize(): void {
    const { size } = this.#terminal;
    if (size) {
      this.#options.telnet?.resize(size);
      this.#options.resize?.(size.columns, size.rows);
    }
    this.#editor?.redraw();
  }

  #enterCommands(): void {
    this.#isCommanding = true;
    this.screen.close();
    this.#editor?.hide();
    this.#terminal.take('own', 'none');
    process.stderr.write('\ntnet> ');
  }

  #runCommand(line: string): CommandOutcome | Promise<CommandOutcome> {
    const outcome = runConsoleCommand(line, {
      close: this.#options.onClose,
      status: () => this.#describe(),
      suspend: () => this.#terminal.suspend(),
      setEscape: (text) => this.#setEscape(text),
      setMode: (mode) => this.#setMode(mode),
      send: (what) => this.#send(what),
      telnet: this.#options.telnet,
      shell: (line) => this.#runShell(line),
      print: (text) => void process.stderr.write(`${text}\n`),
    });
    return typeof outcome === 'string' ? this.#goOn(outcome) : outcome.then((later) => this.#goOn(later));
  }

  #goOn(outcome: CommandOutcome): CommandOutcome {
    if (outcome === 'ask') {
      process.stderr.write('tnet> ');
      return outcome;
    }
    this.#isCommanding = false;
    this.#takeMode();
    this.screen.open();
    return outcome;
  }

  /** Runs a line of the shell, or a shell, at the terminal, which is as it was found. */
  async #runShell(line: string): Promise<void> {
    const { stream } = this.#options;
    lendTerminal();
    stopReading(stream);
    const shell = process.env['SHELL'] || '/bin/sh';
    const child = spawn(shell, line === '' ? [] : ['-c', line], { stdio: 'inherit' });
    const endedBy = await new Promise<NodeJS.Signals | null>((resolve) => {
      child.once('error', (error) => {
        process.stderr.write(`${shell}: ${error.message}\n`);
        resolve(null);
      });
      child.once('close', (_status, signal) => {
        if (signal !== null) process.stderr.write('\n');
        resolve(signal);
      });
    });
    takeTerminalBack(endedBy);
    if (!this.keys.writableEnded) stream.resume();
  }

  #describe(): readonly string[] {
    const { remote, telnet } = this.#options;
    return [
      `connected to ${remote}, ${this.#mode} mode, escape key ${formatEscape(this.keys.escape)}`,
      ...(telnet?.describe() ?? []),
    ];
  }

  #setEscape(text: string): string | undefined {
    try {
      this.keys.escape = parseEscape(text);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  #setMode(mode: 'line' | 'character'): string | undefined {
    const { telnet, isRaw } = this.#options;
    this.#rawMode = mode;
    // In telnet it is the peer that echoes or does not: the mode follows what it agrees to.
    if (telnet && !isRaw) telnet.askForMode(mode);
    return undefined;
  }

  #send(what: TelnetCommand | 'escape'): string | undefined {
    const { telnet } = this.#options;
    if (what === 'escape') {
      if (this.keys.escape !== 'none') this.keys.push(Buffer.from([this.keys.escape]));
      return undefined;
    }
    if (!telnet) return `${what} is a telnet command, and this is no telnet session`;
    telnet.sendCommand(what);
    return undefined;
  }
}
