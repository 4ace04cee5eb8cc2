import { TnetError } from '../../src/errors.ts';
import type { ProxyValue } from '../../src/protocol/proxy-protocol/header.ts';
import { unescapeText } from './value-kinds.ts';

const names = ['alpn', 'authority', 'unique-id', 'netns'] as const;
/** The types that have names, and padding. Source: haproxy's proxy-protocol.txt, section 2.2. */
const namedCodes: readonly number[] = [0x01, 0x02, 0x03, 0x04, 0x05, 0x20, 0x30];
/** Source: the same, section 2.2.5; of the others a header holds no more. */
const limitBytes = { 'unique-id': 128, other: 1024 } as const;

/**
 * Reads what a PROXY header of version 2 is to say beyond the addresses: `authority=NAME`, `0xE0=VALUE`, `crc32c`.
 * Escape sequences stand for other bytes, as for --send.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function parseProxyTlv(text: string): ProxyValue {
  if (text === 'crc32c') return { type: 'crc32c' };
  const [, name = '', written] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (written === undefined || written === '')
    throw new TnetError('TNET_E_USAGE', 'expected NAME=VALUE, or crc32c', { subject: text });
  const bytes = unescapeText(written);
  const most = name === 'unique-id' ? limitBytes['unique-id'] : limitBytes.other;
  if (bytes.length > most)
    throw new TnetError('TNET_E_USAGE', `the value is longer than ${most} bytes`, { subject: name });
  const known = names.find((one) => one === name);
  switch (known) {
    case 'alpn':
      return { type: 'alpn', protocol: bytes.toString('latin1') };
    case 'unique-id':
      return { type: 'unique-id', bytes };
    case 'authority':
    case 'netns':
      return { type: known, name: bytes.toString() };
    case undefined:
      return { type: 'other', code: readCode(name), bytes };
  }
}

function readCode(name: string): number {
  const code = /^0x[0-9a-f]{1,2}$/i.test(name) ? Number(name) : undefined;
  if (code === undefined) {
    const message = `unknown: use ${names.join(', ')}, crc32c, or a type such as 0xE0`;
    throw new TnetError('TNET_E_USAGE', message, { subject: name });
  }
  if (!namedCodes.includes(code)) return code;
  throw new TnetError('TNET_E_USAGE', 'this type is given by its name, or not at all', { subject: name });
}

/** @throws TnetError TNET_E_USAGE: version 1 has no room for values, and each type goes once */
export function requireVersion2(
  values: readonly ProxyValue[] | undefined,
  version: 1 | 2 | undefined,
): readonly ProxyValue[] | undefined {
  if (values === undefined) return undefined;
  if (version !== 2)
    throw new TnetError(
      'TNET_E_USAGE',
      '--proxy-tlv goes with version 2 of --send-proxy: version 1 has no room for it',
    );
  const keys = values.map((value) => (value.type === 'other' ? value.code : value.type));
  if (new Set(keys).size === keys.length) return values;
  throw new TnetError('TNET_E_USAGE', '--proxy-tlv gives a type twice');
}
