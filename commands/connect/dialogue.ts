import { TnetError, formatLimit } from '../../src/errors.ts';
import type { Miss, Step } from '../../src/transform/dialogue.ts';
import type { TableFlags } from '../options/row.ts';
import type { dialogue } from '../options/table/session.ts';

/** The flags of a dialogue. Two of them hold the same list: the steps in the order of the command line. */
export type DialogueFlags = TableFlags<typeof dialogue, 'connect'>;

/** The steps in their order, or undefined when there are none. */
export function readSteps({ expect, send }: DialogueFlags): readonly Step[] | undefined {
  return expect ?? send;
}

/** How much of what arrived instead is shown, in bytes. */
const shownBytes = 200;

/** The error of a dialogue that failed. */
export function describeMiss({ step, text, reason, received }: Miss, stepMs: number): TnetError {
  const shown = JSON.stringify(received.subarray(-shownBytes).toString());
  const cut = received.length > shownBytes ? `…${shown}` : shown;
  const what = received.length === 0 ? 'nothing came' : `${cut} came`;
  const when = reason === 'ended' ? 'before the peer ended' : `within ${formatLimit(stepMs)}`;
  return new TnetError('TNET_E_EXPECT', `step ${step}: expected /${text}/, but ${what} ${when}`);
}
