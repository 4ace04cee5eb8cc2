import { ReadStream } from 'node:tty';
import type { Connection } from '../../src/net/connection.ts';
import { localEndOf } from '../../src/net/local-end.ts';
import { readSteps, describeMiss } from './dialogue.ts';
import { openEditor, startEditing } from './typed-lines.ts';
import type { Timing } from './timing.ts';
import type { Context } from '../context.ts';
import type { PreparedSession, Stdio, StreamFlags, TransformPair } from '../session-run.ts';
import type { Interruption } from '../signals.ts';

/** What connect adds to a plain session. */
export interface SessionContext {
  readonly context: Context;
  readonly socket: Connection;
  readonly remote: string;
  /** What the history of the lines that are typed is kept under. */
  readonly name: string;
  readonly stdio: Stdio;
  readonly options: StreamFlags;
  readonly interruption: Interruption;
  readonly timing: Timing | undefined;
}

/**
 * Puts together what the flags ask for between stdin, stdout and the connection; what is not asked for is not loaded.
 *
 *     stdin ─▶ keys ─▶ line editor ─▶ line delay ─▶ steps ─▶ CRLF ─▶ telnet ─▶ connection
 *     stdout ◀─ screen ◀─ steps ◀─ CRLF ◀─ telnet ◀─ first byte ◀─ connection
 */
export async function prepareSession(session: SessionContext): Promise<PreparedSession> {
  const { context, socket, stdio, options, interruption, timing } = session;
  const stop = new AbortController();
  const local: TransformPair = { send: [], receive: [] };
  const wire: TransformPair = { send: [], receive: [] };
  const releases: (() => void)[] = [];
  const stream = stdio.input?.stream instanceof ReadStream ? stdio.input.stream : undefined;
  if (timing) wire.receive.push(timing.watchFirstByte());

  let telnet;
  if (options.telnet !== undefined) {
    const { TelnetLink } = await import('./telnet.ts');
    const isActive = options.telnet === 'active';
    telnet = new TelnetLink({
      context,
      socket,
      isActive,
      user: options.user,
      isInteractive: stream !== undefined,
    });
    wire.send.push(telnet.streams.encoder);
    wire.receive.push(telnet.streams.decoder);
  }
  const editor = stream && (await openEditor({ ...session, flags: options }));
  if (editor && !telnet) {
    const release = await startEditing(editor, stream);
    if (release) {
      local.send.push(editor);
      releases.push(release);
      interruption.signal.addEventListener('abort', release);
    }
  }
  if (stream && (telnet || options.raw)) {
    const { Interactive } = await import('./interactive.ts');
    const interactive = new Interactive({
      context,
      remote: session.remote,
      stream,
      isRaw: options.raw === true,
      escape: options.escape,
      telnet,
      editor,
      resize: localEndOf(socket)?.resize,
      onClose: () => stop.abort(),
    });
    local.send.push(interactive.keys, ...(editor ? [editor] : []));
    local.receive.unshift(interactive.screen);
    releases.push(() => interactive.release());
    // At once, and not after the flush: a second signal ends the process by the system's default.
    interruption.signal.addEventListener('abort', () => interactive.release());
  }
  telnet?.start();
  if (options.delay !== undefined && options.delay > 0) {
    const { LineDelay } = await import('../../src/transform/lines.ts');
    local.send.push(new LineDelay(options.delay));
  }
  const steps = readSteps(options);
  if (steps) {
    const { Dialogue } = await import('../../src/transform/dialogue.ts');
    const dialogue = new Dialogue(steps, {
      stepMs: options.stepTimeout,
      onMiss(miss) {
        for (const release of releases) release();
        context.fail(session.remote, describeMiss(miss, options.stepTimeout));
        stop.abort();
      },
    });
    local.send.push(dialogue.gate);
    local.receive.unshift(dialogue.tap);
    dialogue.start();
  }
  return {
    local,
    wire,
    sendsOnItsOwn: steps !== undefined,
    signal: stop.signal,
    onEnded: () => {
      for (const release of releases) release();
    },
  };
}
