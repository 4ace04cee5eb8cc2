/** What is wrong with a text that has no colon and is no IPv4 address. */
import { type Fault, nameChar } from './fault-text.ts';

const hexNumber = /^0x[0-9a-f]+$/i;

/** Why `text` (printable ASCII, without a colon, not an address) is no IPv4 address. */
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
