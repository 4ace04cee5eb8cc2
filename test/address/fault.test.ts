import net from 'node:net';
import test from 'ava';
import fc from 'fast-check';
import { explainFault, type FaultCode } from '../../src/address/fault.ts';
import { textLikeAddress } from '../helpers/ip-texts.ts';

const cases: [text: string, code: FaultCode, sentence: RegExp][] = [
  ['', 'empty', /empty/],
  [' \t', 'blank', /only white space/],
  ['127.0.0.1\n', 'newline', /line break/],
  ['127.0.0.1\r', 'newline', /line break/],
  [' 127.0.0.1', 'whitespace', /begins or ends/],
  ['127.0.0.1 ::1', 'whitespace', /one address at a time/],
  ['１27.0.0.1', 'non-ascii', /"１" \(U\+FF11\), a digit of another script/],
  ['127.0.0.1\u200b', 'non-ascii', /the character U\+200B/],
  ['127.0.0.1\0', 'non-ascii', /U\+0000/],
  ['"127.0.0.1"', 'quotes', /quotes/],
  ['http://127.0.0.1/', 'url', /URL/],
  ['[::1]', 'brackets', /the address is ::1/],
  ['[::1', 'brackets', /square brackets/],
  ['[::1]:80', 'port', /the address is ::1/],
  ['127.0.0.1:80', 'port', /the address is 127\.0\.0\.1/],
  ['localhost:80', 'port', /no address either/],
  ['10.0.0.0/8', 'prefix', /--cidr/],
  ['10.0.0.0/33', 'prefix-length', /at most 32 bits/],
  ['::/129', 'prefix-length', /at most 128 bits/],
  ['10.0.0.0/08', 'prefix-length', /leading zero/],
  ['10.0.0.0/255.0.0.0', 'prefix-length', /number from 0 to 32/],
  ['10/8', 'slash', /no address/],
  ['127.0.0.1,::1', 'list', /each address on its own/],
  ['127.0.0.1%eth0', 'zone-on-ipv4', /only IPv6/],
  ['fe80::1%', 'empty-zone', /no zone/],
  ['fe80::1%eth_0', 'zone-character', /"_"/],
  ['127.1%eth0', 'short-form', /^before the "%"/],
  ['00:11:22:33:44:55', 'mac', /hardware/],
  ['010.0.0.1', 'octal', /octal, 8, others as 10/],
  ['09.0.0.1', 'octal', /no octal digits/],
  ['127.0.0.01', 'octal', /leading zero/],
  ['0x7f.0.0.1', 'hex', /127\.0\.0\.1/],
  ['0x7f000001', 'hex', /127\.0\.0\.1/],
  ['127.1', 'short-form', /2 numbers instead of four \(old programs read it as 127\.0\.0\.1\)/],
  ['192.168.257', 'short-form', /192\.168\.1\.1/],
  ['0177.1', 'short-form', /127\.0\.0\.1/],
  ['127.99999999', 'short-form', /instead of four$/],
  ['2130706433', 'bare-number', /127\.0\.0\.1/],
  ['4294967296', 'bare-number', /bare number:/],
  ['1.2.3.4.5', 'too-many-parts', /5 numbers/],
  ['1..2.3', 'empty-part', /missing/],
  ['1.2.3.4.', 'empty-part', /missing/],
  ['256.0.0.1', 'number-too-big', /256 is over 255/],
  ['10.0.0.*', 'bad-character', /"\*"/],
  ['1.2.3.a', 'bad-character', /"a"/],
  ['10.0.0.1-5', 'bad-character', /"-"/],
  ['-1.2.3.4', 'bad-character', /"-"/],
  ['example.com', 'host-name', /host name/],
  ['localhost', 'host-name', /host name/],
  ['20010db8000000000000000000000001', 'no-colons', /32 hexadecimal digits/],
  ['g::1', 'bad-character', /"g"/],
  [':::', 'two-elisions', /three colons/],
  ['1::2::3', 'two-elisions', /"::" twice/],
  [':1::2', 'single-colon', /begins/],
  ['1::2:', 'single-colon', /ends/],
  ['12345::1', 'group-too-long', /12345 has 5 digits/],
  ['1:2:3:4:5:6:7:8:9', 'too-many-groups', /9 groups/],
  ['1:2:3:4:5:6:7:1.2.3.4', 'too-many-groups', /9 groups/],
  ['1:2:3', 'too-few-groups', /3 groups/],
  ['1:2:3:4:5:6:7::8', 'elision-useless', /stands for one at least/],
  ['::1.2.3.4:5', 'quad-not-last', /before the end/],
  ['::ffff:010.0.0.1', 'octal', /^in the dotted part: 010/],
  ['::ffff:256.0.0.1', 'number-too-big', /^in the dotted part: 256/],
];

for (const [text, code, sentence] of cases) {
  test(`explainFault says ${code} of ${JSON.stringify(text)}`, (t) => {
    const fault = explainFault(text);
    t.is(fault?.code, code);
    t.regex(fault?.text ?? '', sentence);
  });
}

test('explainFault has a sentence for every text that is no address, and none for an address', (t) => {
  fc.assert(
    fc.property(fc.oneof(textLikeAddress, fc.string({ unit: 'binary' }), fc.string()), (text) => {
      const fault = explainFault(text);
      if (net.isIP(text) !== 0) return fault === undefined;
      return (
        fault !== undefined && /^\S.{5,}\S$/u.test(fault.text) && !/undefined|NaN|\p{Cc}/u.test(fault.text)
      );
    }),
    { numRuns: 20_000 },
  );
  t.pass();
});
