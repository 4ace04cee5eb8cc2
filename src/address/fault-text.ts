/** The names of the ways in which a text can fail to be an address. */
export type FaultCode =
  | 'bad-character'
  | 'bare-number'
  | 'blank'
  | 'brackets'
  | 'elision-useless'
  | 'empty'
  | 'empty-part'
  | 'empty-zone'
  | 'group-too-long'
  | 'hex'
  | 'host-name'
  | 'list'
  | 'mac'
  | 'newline'
  | 'no-colons'
  | 'non-ascii'
  | 'number-too-big'
  | 'octal'
  | 'port'
  | 'prefix'
  | 'prefix-length'
  | 'quad-not-last'
  | 'quotes'
  | 'short-form'
  | 'single-colon'
  | 'slash'
  | 'too-few-groups'
  | 'too-many-groups'
  | 'too-many-parts'
  | 'two-elisions'
  | 'url'
  | 'whitespace'
  | 'zone-character'
  | 'zone-on-ipv4';

/** Why a text is no address: a stable code, and a sentence for people without capital and full stop. */
export interface Fault {
  readonly code: FaultCode;
  readonly text: string;
}

/** A character named so that look-alikes and invisible ones can be told: `"１" (U+FF11)`. */
export function nameChar(char: string): string {
  const code = `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  if (/[\x21-\x7e]/.test(char)) return `the character "${char}"`;
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(char) ? `the character "${char}" (${code})` : `the character ${code}`;
}
