/** What is wrong with a text that is not an address but might have been meant as one, with dots or with colons. */
import { isIPv4 } from './ip.ts';

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

/** Why a text is not an address: a stable code, and a sentence for people without capital and full stop. */
export interface Fault {
  readonly code: FaultCode;
  readonly text: string;
}

/** Names a character so that look-alikes and invisible ones can be recognized: `"１" (U+FF11)`. */
export function nameChar(char: string): string {
  const code = `U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;
  if (/[\x21-\x7e]/.test(char)) return `the character "${char}"`;
  return /[\p{L}\p{N}\p{P}\p{S}]/u.test(char) ? `the character "${char}" (${code})` : `the character ${code}`;
}

const hexNumber = /^0x[0-9a-f]+$/i;

/** Why `text` (printable ASCII, without a colon, not an address) is not an IPv4 address. */
export function faultOfDotted(text: string): Fault {
  const parts = text.split('.');
  const isNumeric = parts.every((part) => part === '' || /^\d+$/.test(part) || hexNumber.test(part));
  if (!isNumeric) return faultOfName(text, parts[0] ?? '');

  const hex = parts.find((part) => hexNumber.test(part));
  if (hex !== undefined) {
    return { code: 'hex', text: `${hex} is hexadecimal${readAs(text)}: an address has decimal numbers` };
  }
  if (parts.includes('')) {
    return { code: 'empty-part', text: 'a number is missing before, after or between the dots' };
  }
  if (parts.length === 1) {
    return {
      code: 'bare-number',
      text: `it is a bare number${readAs(text)}: an address has four, with dots`,
    };
  }
  if (parts.length < 4) {
    return { code: 'short-form', text: `it has ${parts.length} numbers instead of four${readAs(text)}` };
  }
  if (parts.length > 4) {
    return { code: 'too-many-parts', text: `it has ${parts.length} numbers instead of four` };
  }
  const octal = parts.find((part) => /^0\d/.test(part));
  if (octal !== undefined)
    return { code: 'octal', text: `${octal} has a leading zero${octalReading(octal)}` };
  const big = parts.find((part) => Number(part) > 255);
  return { code: 'number-too-big', text: `${big ?? ''} is over 255` };
}

function octalReading(part: string): string {
  if (!/^[0-7]+$/.test(part)) return ', which promises an octal number, and 8 and 9 are no octal digits';
  const [octal, decimal] = [Number.parseInt(part, 8), Number(part)];
  return octal === decimal
    ? ', which no number of an address may have'
    : `: some programs read it as octal, ${octal}, others as ${decimal}`;
}

/** What the old inet_aton() makes of it, which is what many programs then connect to. */
function readAs(text: string): string {
  const parts = text.split('.');
  const numbers = parts.map((part) => (/^0[0-7]*$/.test(part) ? Number.parseInt(part, 8) : Number(part)));
  const last = numbers.pop() ?? 0;
  const width = 4 - numbers.length;
  const isUnread = parts.length > 4 || parts.some((part) => part === '' || /^0\d*[89]/.test(part));
  if (isUnread || numbers.some((number) => number > 255) || last >= 256 ** width) return '';
  const tail = Array.from({ length: width }, (_, i) => Math.floor(last / 256 ** (width - 1 - i)) % 256);
  return ` (old programs read it as ${[...numbers, ...tail].join('.')})`;
}

function faultOfName(text: string, firstPart: string): Fault {
  const odd = /[^0-9a-zA-Z._-]|^[-.]/.exec(text)?.[0];
  if (odd !== undefined)
    return { code: 'bad-character', text: `${nameChar(odd)} has no place in an address` };
  if (/^\d+$/.test(firstPart) && text.includes('.')) {
    const letter = /[^0-9.]/.exec(text)?.[0] ?? '';
    return { code: 'bad-character', text: `${nameChar(letter)} has no place in an IPv4 address` };
  }
  if (/^[0-9a-f]{32}$/i.test(text)) {
    return {
      code: 'no-colons',
      text: 'it is 32 hexadecimal digits without the colons of an IPv6 address',
    };
  }
  return { code: 'host-name', text: 'it is a host name, not an address' };
}

/** Why `text` (printable ASCII, with a colon, without a zone, not an address) is not an IPv6 address. */
export function faultOfGroups(text: string): Fault {
  const odd = /[^0-9a-fA-F:.]/.exec(text)?.[0];
  if (odd !== undefined)
    return { code: 'bad-character', text: `${nameChar(odd)} has no place in an IPv6 address` };
  if (text.includes(':::'))
    return { code: 'two-elisions', text: 'it has three colons in a row: "::" has two' };
  if (text.split('::').length > 2) {
    return { code: 'two-elisions', text: 'it has "::" twice: where the zeros are cannot be told' };
  }
  if (/^:(?!:)/.test(text)) return { code: 'single-colon', text: 'it begins with a single colon' };
  if (/(?<!:):$/.test(text)) return { code: 'single-colon', text: 'it ends with a single colon' };

  const groups = text.split(':').filter((group) => group !== '');
  const dotted = groups.findIndex((group) => group.includes('.'));
  if (dotted >= 0 && dotted < groups.length - 1) {
    return { code: 'quad-not-last', text: 'the dotted part stands before the end, where alone it may be' };
  }
  const quad = groups[dotted];
  if (quad !== undefined && !isIPv4(quad)) {
    const inner = faultOfDotted(quad);
    return { code: inner.code, text: `in the dotted part: ${inner.text}` };
  }
  const long = groups.find((group) => group.length > 4 && !group.includes('.'));
  if (long !== undefined) {
    return {
      code: 'group-too-long',
      text: `the group ${long} has ${long.length} digits, four at most are allowed`,
    };
  }
  return faultOfCount(groups.length + (quad === undefined ? 0 : 1), text.includes('::'));
}

function faultOfCount(count: number, isElided: boolean): Fault {
  if (count > 8) {
    const port = count === 9 && !isElided ? ' (a port has to be told apart by brackets)' : '';
    return { code: 'too-many-groups', text: `it has ${count} groups instead of eight${port}` };
  }
  if (isElided)
    return { code: 'elision-useless', text: 'it has eight groups and "::", which stands for one at least' };
  return { code: 'too-few-groups', text: `it has ${count} groups instead of eight, and no "::"` };
}
