/**
 * Why a text is not an IP address: one code and one sentence for each way of getting it wrong. Pure. What is an
 * address is decided by isIP alone; this only explains its 0.
 */
import { type Fault, nameChar, faultOfDotted, faultOfGroups } from './fault-forms.ts';
import { isIP, isIPv4, isIPv6 } from './ip.ts';

export type { Fault, FaultCode } from './fault-forms.ts';

type Rule = (text: string) => Fault | undefined;

/** Why `text` is not an address, or undefined when it is one. */
export function explainFault(text: string): Fault | undefined {
  if (isIP(text) !== 0) return undefined;
  for (const rule of rules) {
    const fault = rule(text);
    if (fault) return fault;
  }
  return text.includes(':') ? faultOfGroups(text) : faultOfDotted(text);
}

// The first rule that applies wins: from what invalidates any text to what only looks like an address.
const rules: readonly Rule[] = [
  (text) => (text === '' ? { code: 'empty', text: 'it is empty' } : undefined),
  (text) => (/^\s+$/.test(text) ? { code: 'blank', text: 'it is only white space' } : undefined),
  (text) =>
    /[\r\n]$/.test(text)
      ? { code: 'newline', text: 'it ends in a line break, which is not part of an address' }
      : undefined,
  (text) =>
    text.trim() === text
      ? undefined
      : { code: 'whitespace', text: 'it begins or ends with white space, which is not part of an address' },
  (text) =>
    /\s/.test(text)
      ? { code: 'whitespace', text: 'it has white space in it: one address at a time' }
      : undefined,
  (text) => {
    const odd = /[^\x21-\x7e]/u.exec(text)?.[0];
    if (odd === undefined) return undefined;
    const digit = /\p{Nd}/u.test(odd) ? ', a digit of another script' : '';
    return { code: 'non-ascii', text: `it has ${nameChar(odd)}${digit}: only plain ASCII counts` };
  },
  (text) => {
    const inner = /^(["'`])(.*)\1$/.exec(text)?.[2];
    return inner === undefined
      ? undefined
      : { code: 'quotes', text: 'the quotes are part of what was given' };
  },
  (text) =>
    /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
      ? { code: 'url', text: 'it is a URL: give only its host, an IPv6 one without the brackets' }
      : undefined,
  faultOfBrackets,
  faultOfPrefix,
  (text) =>
    /[,;]/.test(text) ? { code: 'list', text: 'it is a list: give each address on its own' } : undefined,
  faultOfZone,
  (text) => {
    const [, host, port] = /^([^:]+):(\d*)$/.exec(text) ?? [];
    if (host === undefined || port === undefined) return undefined;
    const what = isIPv4(host) ? `the address is ${host}` : `${host} in front of it is no address either`;
    return { code: 'port', text: `a port is not part of an address: ${what}` };
  },
  (text) =>
    /^[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}$/i.test(text)
      ? { code: 'mac', text: 'it is a hardware (MAC) address' }
      : undefined,
];

function faultOfBrackets(text: string): Fault | undefined {
  if (!/[[\]]/.test(text)) return undefined;
  const [, inner = '', port] = /^\[(.*)\](?::(\d*))?$/.exec(text) ?? [];
  const hint = isIPv6(inner) ? `: the address is ${inner}` : '';
  return port === undefined
    ? { code: 'brackets', text: `square brackets belong to URLs and to HOST:PORT${hint}` }
    : { code: 'port', text: `brackets and a port are not part of an address${hint}` };
}

function faultOfPrefix(text: string): Fault | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const family = isIP(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  if (family === 0) return { code: 'slash', text: 'it has a "/", and what stands before it is no address' };
  const most = family === 4 ? 32 : 128;
  if (!/^\d+$/.test(bits)) {
    return { code: 'prefix-length', text: `after the "/" of a prefix stands a number from 0 to ${most}` };
  }
  if (Number(bits) > most) {
    return { code: 'prefix-length', text: `an IPv${family} prefix has at most ${most} bits, not ${bits}` };
  }
  if (/^0\d/.test(bits))
    return { code: 'prefix-length', text: `the prefix length ${bits} has a leading zero` };
  return { code: 'prefix', text: 'it is a prefix, a whole block of addresses: --cidr takes those' };
}

function faultOfZone(text: string): Fault | undefined {
  const percent = text.indexOf('%');
  if (percent < 0) return undefined;
  const head = text.slice(0, percent);
  const zone = text.slice(percent + 1);
  if (isIPv4(head))
    return { code: 'zone-on-ipv4', text: 'only IPv6 addresses have a zone (the part after "%")' };
  if (!isIPv6(head)) {
    const inner = explainFault(head);
    return inner && { code: inner.code, text: `before the "%": ${inner.text}` };
  }
  if (zone === '') return { code: 'empty-zone', text: 'after the "%" no zone is named' };
  const odd = /[^-0-9a-zA-Z.:]/.exec(zone)?.[0] ?? '';
  return {
    code: 'zone-character',
    text: `the zone has ${nameChar(odd)}: letters, digits, ".", "-" and ":" may stand there`,
  };
}
