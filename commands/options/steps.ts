import { TnetError } from '../../src/errors.ts';
import { compilePattern } from '../../src/transform/byte-pattern.ts';
import type { Miss, Step } from '../../src/transform/dialogue.ts';

/** The flags of a dialogue. Both hold the same list: the steps in the order of the command line. */
export interface StepOptions {
  readonly expect?: readonly Step[];
  readonly send?: readonly Step[];
  readonly stepTimeout: number;
}

/** The steps in their order, or undefined when there are none. */
export function readSteps({ expect, send }: StepOptions): readonly Step[] | undefined {
  return expect ?? send;
}

/** A pattern for bytes: see compilePattern(). */
export function parseExpect(text: string): Step {
  try {
    return { kind: 'expect', text, pattern: compilePattern(text) };
  } catch (error) {
    const [reason] = (error as Error).message.split('\n');
    throw new TnetError('TNET_E_USAGE', reason ?? 'the pattern cannot be read', { subject: '--expect' });
  }
}

const escapes: Readonly<Record<string, string>> = {
  r: '\r',
  n: '\n',
  t: '\t',
  0: '\0',
  e: '\x1b',
  '\\': '\\',
};

/**
 * The bytes of a text in which `\r`, `\n`, `\t`, `\0`, `\e`, `\\` and `\xHH` stand for bytes, as in printf(1).
 *
 * @throws TnetError TNET_E_USAGE for any other backslash.
 */
export function unescapeText(text: string): Buffer {
  const parts = text.split(/(\\x[0-9a-f]{2}|\\[^]?)/i).map((part, index) => {
    if (index % 2 === 0) return Buffer.from(part);
    if (part.length === 4) return Buffer.from(part.slice(2), 'hex');
    const byte = escapes[part.slice(1)];
    if (byte === undefined)
      throw new TnetError('TNET_E_USAGE', `${part} stands for nothing; write \\\\ for \\`, {
        subject: '--send',
      });
    return Buffer.from(byte, 'latin1');
  });
  return Buffer.concat(parts);
}

/** How much of what came instead is shown, in bytes. */
const shownBytes = 200;

/** The error of a dialogue that did not go through. */
export function describeMiss({ step, text, reason, received }: Miss, stepMs: number): TnetError {
  const shown = JSON.stringify(received.subarray(-shownBytes).toString());
  const cut = received.length > shownBytes ? `…${shown}` : shown;
  const what = received.length === 0 ? 'nothing came' : `${cut} came`;
  const when = reason === 'ended' ? 'before the peer ended' : `within ${stepMs} ms`;
  return new TnetError('TNET_E_EXPECT', `step ${step}: expected /${text}/, but ${what} ${when}`);
}
