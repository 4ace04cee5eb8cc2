import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { formatEndpoint } from '../../address/endpoint.ts';
import { startNativeFlow } from '../../flow/native-flow.ts';
import { guarded } from '../../net/guard.ts';
import { setLocalEnd } from '../../net/local-end.ts';
import type { DialKind } from '../dial-kind.ts';
import { Bridge, requireAddon } from './bridge.ts';
import { requireProgram, startOnTerminal } from './program.ts';

/** Until its user's is known. Source: the VT100, and every terminal emulator since. */
const firstSize = { columns: 80, rows: 24 } as const;

/** How often to look whether the program has read its input before the end is typed. */
const readLookMs = 20;

/** The wait before the end is typed again: each is twice as long as the one before. */
const firstWaitMs = 100;
const longestWaitMs = 5_000;

/** What a terminal is called when ours has no name: nearly every one understands it. */
const plainTerminal = 'vt100';

/**
 * Starts a program on a pseudo-terminal of its own.
 *
 * The end of what is written types the terminal's end-of-file character (^D, as a rule) when the program has read the
 * rest, and again as long as it goes on, as every read of a pipe that has ended finds the end. The program is not hung up, so that it can still answer; it is when the connection breaks, or
 * is closed before that end. When the program has exited, what it has printed is delivered, and then the end.
 *
 * @throws TnetError TNET_E_PROGRAM, TNET_E_UNSUPPORTED without the addon
 */
export const dialTerminal: DialKind<'pty'> = async (endpoint, { local }) => {
  const addon = requireAddon(formatEndpoint(endpoint), 'a terminal');
  requireProgram(endpoint);
  const sides = new Int32Array(2);
  const path = addon.openTerminal(sides, firstSize.columns, firstSize.rows);
  const [ours = -1, theirs = -1] = sides;
  const { TERM = plainTerminal } = process.env;
  let program;
  try {
    program = await startOnTerminal(endpoint, path, { TERM, ...local?.environment });
  } catch (error) {
    closeSync(theirs);
    closeSync(ours);
    throw error;
  }
  const { exited, wasEnded, end } = program;
  // As long as it is open here, the terminal does not end before the program has opened it.
  let hasExited = false;
  void exited.then(() => {
    hasExited = true;
    closeSync(theirs);
  });
  let isOpen = true;
  const bridge = new Bridge(addon, ours, {
    onInputOver(isWhole) {
      if (bridge.isCut) end();
      else if (isWhole) typeEnd(firstWaitMs);
    },
    onOutputOver(by) {
      // A user that has closed after its end is still read by the program.
      const isInOrder = by === 'user' && !bridge.isCut;
      if (isInOrder) drain();
      else if (by === 'user') end();
      bridge.endOutput();
      if (!isInOrder) bridge.stopInput();
    },
    onOver() {
      void exited.then(() => {
        isOpen = false;
        closeSync(ours);
      });
    },
  });
  /** A program that prints to a terminal that nobody reads is held up for ever. */
  const drain = (): void => {
    const nowhere = openSync(devNull, 'w');
    const flow = { source: { fd: ours, lent: 0 }, sink: { fd: nowhere, lent: 0 } } as const;
    startNativeFlow(addon, { ...flow, halfClose: false, lastWordsMs: 0 }, () => undefined);
    closeSync(nowhere);
  };
  /** As often as the program asks: a line that was not complete, or another program, takes one for itself. */
  const typeEnd = (waitMs: number): void => {
    if (hasExited) return;
    const isRead = addon.unreadBytes(theirs) === 0;
    if (isRead) typeOnce();
    setTimeout(guarded(typeEnd), isRead ? waitMs : readLookMs, Math.min(waitMs * 2, longestWaitMs)).unref();
  };
  const typeOnce = (): void => {
    const character = addon.endCharacter(ours);
    if (character === 0) return;
    const flow = { source: undefined, sink: { fd: ours, lent: 0 }, head: Buffer.of(character) } as const;
    startNativeFlow(addon, { ...flow, halfClose: false, lastWordsMs: 0 }, () => undefined);
  };
  setLocalEnd(bridge.socket, {
    exited,
    wasEnded,
    hangUp: end,
    resize(columns, rows) {
      if (isOpen) addon.resizeTerminal(ours, columns, rows);
    },
  });
  return bridge.socket;
};
