/** What is wrong with a text that has a colon and is no IPv6 address. */
import { type Fault, nameChar } from './fault-text.ts';
import { faultOfDotted } from './fault-v4.ts';
import { isIPv4 } from './ip.ts';

/** Why `text` (printable ASCII, with a colon, without a zone, not an address) is no IPv6 address. */
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
