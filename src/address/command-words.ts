import { TnetError } from '../errors.ts';

/**
 * The words of a command line: blanks separate them; single quotes keep everything, double quotes and a backslash
 * keep blanks and quotes, as in sh(1). Nothing else has a meaning: no variables, no patterns, no pipes.
 *
 * @throws TnetError TNET_E_USAGE: no word, or a quote that is not closed.
 */
export function splitCommandWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    const next = text.charAt(at + 1);
    if (char === quote) {
      quote = undefined;
    } else if (char === '\\' && quote !== "'" && next !== '' && (quote === undefined || /["\\]/.test(next))) {
      word = (word ?? '') + next;
      at++;
    } else if (quote !== undefined) {
      word = (word ?? '') + char;
    } else if (char === '"' || char === "'") {
      quote = char;
      word ??= '';
    } else if (/[ \t\n]/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== undefined)
    throw new TnetError('TNET_E_USAGE', `a quote is not closed: ${quote}`, { subject: text });
  if (word !== undefined) words.push(word);
  if (words.length === 0) throw new TnetError('TNET_E_USAGE', 'the command is empty');
  return words;
}

/** A command line that splitCommandWords() reads as these words. */
export function joinCommandWords(words: readonly string[]): string {
  return words.map(quoteWord).join(' ');
}

function quoteWord(word: string): string {
  // A number alone could be read as something else where the line is part of an address.
  if (/^[^\s'"\\]+$/.test(word) && !/^\d+$/.test(word)) return word;
  return word.includes("'") ? `"${word.replaceAll(/["\\]/g, '\\$&')}"` : `'${word}'`;
}

/** The words before a line for sh(1). */
export const shell: readonly string[] = ['/bin/sh', '-c'];
