import { TnetError } from '../errors.ts';

/** The key that opens the command mode when no other is named: Ctrl-], as telnet has it. */
export const defaultEscape = 0x1d;

/** The byte of a key, or that there is none. */
export type EscapeKey = number | 'none';

/**
 * Reads an escape key: `^X` for a control key, a single character for itself, `none` for no key.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function parseEscape(text: string): EscapeKey {
  if (text === 'none') return 'none';
  if (/^\^[@-_a-z]$/.test(text)) return text.toUpperCase().charCodeAt(1) & 0x1f;
  if (text === '^?') return 0x7f;
  if (/^[\x01-\x7e]$/.test(text) && text !== '\n' && text !== '\r') return text.charCodeAt(0);
  throw new TnetError('TNET_E_USAGE', `an escape key is ^ and a letter, one character, or none: not ${text}`);
}

/** The key as a person writes it: `^]`, `~`, `none`. */
export function formatEscape(escape: EscapeKey): string {
  if (escape === 'none') return escape;
  if (escape === 0x7f) return '^?';
  return escape < 0x20 ? `^${String.fromCharCode(escape + 0x40)}` : String.fromCharCode(escape);
}
