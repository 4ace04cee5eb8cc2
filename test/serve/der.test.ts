import test from 'ava';
import {
  derBitString,
  derExplicit,
  derIdentifier,
  derImplicit,
  derInteger,
  derOctetString,
  derSequence,
  derText,
  derTime,
  derTrue,
} from '../../src/serve/throwaway-certificate.ts';

/** Bytes as `openssl asn1parse -genstr` and X.690's own examples have them. */
const values: readonly (readonly [string, Buffer, string])[] = [
  ['a boolean', derTrue, '0101ff'],
  ['an integer', derInteger(Buffer.from('0102', 'hex')), '02020102'],
  ['an identifier with parts over 127', derIdentifier('1.2.840.113549'), '06062a864886f70d'],
  ['the identifier 2.5.29.17', derIdentifier('2.5.29.17'), '0603551d11'],
  ['a text', derText('é'), '0c02c3a9'],
  ['a bit string of whole bytes', derBitString(Buffer.from([0xab])), '030200ab'],
  ['an empty sequence', derSequence(), '3000'],
  ['an explicit tag', derExplicit(0, derInteger(Buffer.from([2]))), 'a003020102'],
  ['an implicit tag', derImplicit(7, Buffer.from([127, 0, 0, 1])), '87047f000001'],
  [
    'a time before 2050',
    derTime(new Date('2026-11-25T19:50:01.234Z')),
    `170d${Buffer.from('261125195001Z').toString('hex')}`,
  ],
  [
    'a time after 2049',
    derTime(new Date('2050-01-02T03:04:05Z')),
    `180f${Buffer.from('20500102030405Z').toString('hex')}`,
  ],
];

for (const [name, bytes, wanted] of values) {
  test(`${name} is written in DER`, (t) => {
    t.is(bytes.toString('hex'), wanted);
  });
}

for (const [length, head] of [
  [127, '047f'],
  [128, '048180'],
  [255, '0481ff'],
  [256, '04820100'],
  [65_536, '0483010000'],
] as const) {
  test(`a length of ${length} takes as few bytes as it can`, (t) => {
    const bytes = derOctetString(Buffer.alloc(length));
    t.is(bytes.subarray(0, head.length / 2).toString('hex'), head);
    t.is(bytes.length, head.length / 2 + length);
  });
}
