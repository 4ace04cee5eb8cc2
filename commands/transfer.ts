import { fstatSync, readFileSync } from 'node:fs';
import type { Moved } from '../src/report/transfer.ts';
import { renderProgress, renderSummary, TransferRates } from '../src/report/transfer.ts';
import { startStatus } from '../src/report/status-line.ts';
import type { Ending } from '../src/flow/flow.ts';
import type { SessionEnding, SessionProgress } from '../src/flow/session.ts';
import type { Input, Output } from '../src/dial/stdio.ts';
import type { Context } from './context.ts';

/** A transfer that is over sooner needs no sign of life. */
const showAfterMs = 1_000;

/** What a user at a terminal sees of a session between files and pipes. */
export interface TransferScreen {
  readonly started: (progress: () => SessionProgress) => void;
  /** Removes the line, and reports the result, or that the transfer was incomplete. */
  readonly finish: (ending: {
    readonly reason: SessionEnding['reason'];
    readonly sent: Pick<Ending, 'bytes'> | undefined;
    readonly receivedBytes: number;
  }) => void;
}

/**
 * @param isAsked whether --progress was given: otherwise a transfer that is over in no time is not worth a line,
 *   and typed input does not count as a transfer
 * @param totalBytes how much there is to send. Default: what is left of a file on stdin
 */
export function watchTransfer(
  { reporter }: Context,
  { input, output }: { readonly input: Input | undefined; readonly output: Output | undefined },
  isAsked: boolean,
  totalBytes = input?.kind === 'file' ? readRestBytes() : undefined,
): TransferScreen {
  const startedAt = performance.now();
  const rates = new TransferRates(startedAt);
  const isTyped = input?.kind === 'terminal';
  const isTalk = isTyped && output?.kind === 'terminal';
  let look: (() => SessionProgress) | undefined;
  const isShown = ({ sentBytes }: Moved) => isAsked || !isTyped || sentBytes === 0;
  const status =
    reporter.isSeen && !isTalk
      ? startStatus(process.stderr, {
          afterMs: showAfterMs,
          text(columns) {
            const now = performance.now();
            const moved = look?.() ?? { sentBytes: 0, receivedBytes: 0, readBytes: 0 };
            const { readBytes } = moved;
            const state = { moved, rates: rates.update(moved, now), totalBytes, readBytes };
            return isShown(moved) ? renderProgress({ ...state, elapsedMs: now - startedAt }, columns) : '';
          },
        })
      : undefined;
  return {
    started(progress) {
      look = progress;
    },
    finish({ reason, sent, receivedBytes }) {
      status?.stop();
      const moved = { sentBytes: sent?.bytes ?? 0, receivedBytes };
      const elapsedMs = performance.now() - startedAt;
      const isWhole = reason === 'eof';
      if (!isAsked && (!isShown(moved) || (isWhole && elapsedMs < showAfterMs))) return;
      reporter.note(renderSummary(moved, elapsedMs, isWhole ? '' : (reasons[reason] ?? reason)));
    },
  };
}

const reasons: Partial<Record<SessionEnding['reason'], string>> = {
  aborted: 'interrupted',
  timeout: 'out of time',
  reset: 'broken off',
};

/** What is left to be read of the file on stdin, from its current position. */
function readRestBytes(): number | undefined {
  try {
    const position = /^pos:\s*(\d+)/.exec(readFileSync('/proc/self/fdinfo/0', 'latin1'))?.[1] ?? 0;
    return Math.max(0, fstatSync(0).size - Number(position));
  } catch {
    return undefined;
  }
}
