import { TnetError } from '../../src/errors.ts';
import { compilePattern } from '../../src/transform/byte-pattern.ts';
import type { Step } from '../../src/transform/dialogue.ts';

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
