import { NAME_LIMIT_BYTES } from './messages.ts';

/** Controls, and characters that make a name look like another one: line breaks and changes of the direction. */
const hiddenCharacters = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
/** What Windows takes for a device, with any extension, and characters that no file has there. */
const windowsDevices = /^(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?: *\.|$)/i;
const windowsCharacters = /[<>:"|?*]|[ .]$/;

/**
 * What is wrong with a name that a sender gives a file, as the end of a sentence; undefined: it is the plain name of
 * a file in the receiver's folder. A name that begins with a dot is refused as well: hidden files are settings of
 * programs, and a sender must not be able to put one into a home directory; the receiver's own files begin with it.
 */
export function findNameFault(name: string, { isWindows = false } = {}): string | undefined {
  if (name === '') return 'it is empty';
  if (Buffer.byteLength(name) > NAME_LIMIT_BYTES) return `it has more than ${NAME_LIMIT_BYTES} bytes`;
  if (/[/\\]/.test(name)) return 'it contains a separator of folders';
  if (hiddenCharacters.test(name)) return 'it contains a control character';
  if (name.startsWith('.')) return 'it begins with a dot';
  if (isWindows && (windowsDevices.test(name) || windowsCharacters.test(name)))
    return 'Windows has no such files';
  return undefined;
}
