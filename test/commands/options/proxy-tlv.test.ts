import test from 'ava';
import { parseProxyTlv, requireVersion2 } from '../../../commands/options/proxy-tlv.ts';

for (const [text, value] of [
  ['crc32c', { type: 'crc32c' }],
  ['alpn=h2', { type: 'alpn', protocol: 'h2' }],
  ['authority=a=b', { type: 'authority', name: 'a=b' }],
  ['netns=blue', { type: 'netns', name: 'blue' }],
  ['unique-id=\\x00\\xff', { type: 'unique-id', bytes: Buffer.from([0, 255]) }],
  ['0xE0=x', { type: 'other', code: 0xe0, bytes: Buffer.from('x') }],
] as const) {
  test(`--proxy-tlv takes ${text}`, (t) => {
    t.deepEqual(parseProxyTlv(text), value);
  });
}

for (const text of [
  ...['', 'alpn', 'alpn=', '=x', 'x=1', '0x01=x', '0x20=x', '0x04=x', '0x100=x', '224=x'],
  `unique-id=${'x'.repeat(129)}`,
  `0xe0=${'x'.repeat(1025)}`,
]) {
  test(`--proxy-tlv refuses '${text.slice(0, 20)}'`, (t) => {
    t.throws(() => parseProxyTlv(text), { code: 'TNET_E_USAGE' });
  });
}

test('values go with version 2 alone, and each type once', (t) => {
  const [one, two] = [parseProxyTlv('0xe0=x'), parseProxyTlv('0xe1=x')];
  t.is(requireVersion2(undefined, 1), undefined);
  t.deepEqual(requireVersion2([one, two], 2), [one, two]);
  for (const version of [1, undefined] as const)
    t.throws(() => requireVersion2([one], version), { code: 'TNET_E_USAGE' });
  t.throws(() => requireVersion2([one, one], 2), { code: 'TNET_E_USAGE' });
});
