/**
 * IP address syntax, without I/O and without loading node:net: `tnet isip` starts no socket code.
 * Agrees with Node's net.isIP on every input (a property test compares the two): dotted quads without leading
 * zeros, RFC 4291 text forms, a zone of letters, digits, `.`, `-` and `:` after `%`, and nothing else.
 */

const V4_SEGMENT = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]\\d|\\d)';
const V4 = `(?:${V4_SEGMENT}\\.){3}${V4_SEGMENT}`;
const V6_GROUP = '[0-9a-fA-F]{1,4}';

const v4Pattern = new RegExp(`^${V4}$`);
const v6Pattern = new RegExp(
  '^(?:' +
    `(?:${V6_GROUP}:){7}(?:${V6_GROUP}|:)|` +
    `(?:${V6_GROUP}:){6}(?:${V4}|:${V6_GROUP}|:)|` +
    `(?:${V6_GROUP}:){5}(?::${V4}|(?::${V6_GROUP}){1,2}|:)|` +
    `(?:${V6_GROUP}:){4}(?:(?::${V6_GROUP}){0,1}:${V4}|(?::${V6_GROUP}){1,3}|:)|` +
    `(?:${V6_GROUP}:){3}(?:(?::${V6_GROUP}){0,2}:${V4}|(?::${V6_GROUP}){1,4}|:)|` +
    `(?:${V6_GROUP}:){2}(?:(?::${V6_GROUP}){0,3}:${V4}|(?::${V6_GROUP}){1,5}|:)|` +
    `(?:${V6_GROUP}:){1}(?:(?::${V6_GROUP}){0,4}:${V4}|(?::${V6_GROUP}){1,6}|:)|` +
    `(?::(?:(?::${V6_GROUP}){0,5}:${V4}|(?::${V6_GROUP}){1,7}|:))` +
    ')(?:%[-0-9a-zA-Z.:]+)?$',
);

/** Whether `input` is an IPv4 address in dotted decimal form. Source: Node doc, net.isIPv4(). */
export function isIPv4(input: string): boolean {
  return v4Pattern.test(input);
}

/** Whether `input` is an IPv6 address, with or without a zone. Source: Node doc, net.isIPv6(). */
export function isIPv6(input: string): boolean {
  return v6Pattern.test(input);
}

/** The IP version of `input`: 4, 6, or 0 when it is no address. Source: Node doc, net.isIP(). */
export function isIP(input: string): 0 | 4 | 6 {
  if (isIPv4(input)) return 4;
  return isIPv6(input) ? 6 : 0;
}
