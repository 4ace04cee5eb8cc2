/**
 * IP address syntax, without I/O and without loading node:net: `tnet isip` starts no socket code. Agrees with
 * Node's net.isIP on every value (a property test compares the two): dotted quads without leading zeros, RFC 4291
 * text forms, a zone of letters, digits, `.`, `-` and `:` after `%`, and nothing else. Anything that is not a
 * string is judged by its text, as there: each function converts it once, and a Symbol is a TypeError.
 */

const V4_SEGMENT = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]\\d|\\d)';
const V4 = `(?:${V4_SEGMENT}\\.){3}${V4_SEGMENT}`;

const v4Pattern = new RegExp(`^${V4}$`);
const groupPattern = /^[0-9a-fA-F]{1,4}$/;
/** A RegExp makes text of any value as node:net's do. */
const zoneSplit = /^([^%]*)(?:%(.*))?$/s;
const zonePattern = /^[-0-9a-zA-Z.:]+$/;

/** Whether `input` is an IPv4 address in dotted decimal form. Source: Node doc, net.isIPv4(). */
export function isIPv4(input: string): boolean {
  return v4Pattern.test(input);
}

/** Whether `input` is an IPv6 address, with or without a zone. Source: Node doc, net.isIPv6(). */
export function isIPv6(input: string): boolean {
  const [, address = '', zone] = zoneSplit.exec(input) ?? [];
  if (zone !== undefined && !zonePattern.test(zone)) return false;
  const [head = '', tail, ...more] = address.split('::');
  if (more.length > 0) return false;
  if (tail === undefined) return countGroups(head, true) === 8;
  return countGroups(head, false) + countGroups(tail, true) <= 7;
}

/**
 * How many 16-bit groups a part of an IPv6 address without `::` has; a dotted quad at its end is two. NaN for none.
 * One pattern for all of it would take V8 longer to compile than all else that `tnet isip` does.
 */
function countGroups(text: string, mayEndInIPv4: boolean): number {
  if (text === '') return 0;
  const groups = text.split(':');
  const last = groups.at(-1) ?? '';
  const hasIPv4 = mayEndInIPv4 && last.includes('.') && isIPv4(last);
  if (hasIPv4) groups.pop();
  return groups.every((group) => groupPattern.test(group)) ? groups.length + (hasIPv4 ? 2 : 0) : NaN;
}

/** The IP version of `input`: 4, 6, or 0 when it is not an address. Source: Node doc, net.isIP(). */
export function isIP(input: string): 0 | 4 | 6 {
  if (isIPv4(input)) return 4;
  return isIPv6(input) ? 6 : 0;
}
