import { endToEndFields, findFraming, withVia } from '../../../src/protocol/http-forward/fields.ts';
import { parseHttpTarget } from '../../../src/protocol/http-forward/target.ts';
import { parseTargetEntry } from '../../../src/address/target-entry.ts';
import { readDigestAnswer } from '../../../src/protocol/http-connect/digest-server.ts';
import { errorCode } from '../../../src/errors.ts';
import type { CodecTarget } from '../../helpers/protocol/codec-target.ts';
import { latin1 } from '../../helpers/protocol/hex.ts';

/** A codec of a whole text: chunking cannot matter. */
function runText(read: (text: string) => unknown) {
  return (chunks: readonly Buffer[]): unknown => read(Buffer.concat(chunks).toString('latin1'));
}

/** What a proxy for plain requests reads: besides the messages themselves, which Node reads. */
export const httpForwardTargets: CodecTarget[] = [
  {
    name: 'http-target',
    seeds: [
      'http://a.example:8080/a/b?c=d',
      'http://[2001:db8::1]:81',
      'HTTP://127.0.0.1?x',
      `http://a/${'b'.repeat(9_000)}`,
      `http://${'a:'.repeat(3_000)}/`,
    ].map(latin1),
    run: runText((text) => parseHttpTarget(text, 'GET')),
  },
  {
    name: 'http-fields',
    seeds: [
      'Connection\nX-A, close\nX-A\n1\nVia\n1.0 a\nTransfer-Encoding\nchunked',
      'TE\ntrailers\nCookie\na=b',
    ].map(latin1),
    run: runText((text) => {
      const words = text.split('\n');
      const fields = words.slice(0, words.length - (words.length % 2));
      return [withVia(endToEndFields(fields), '1.1'), findFraming(fields)];
    }),
  },
  {
    name: 'http-digest-answer',
    seeds: [
      'Digest username="Mufasa", realm="r", uri="/", algorithm=SHA-256, nonce="n", nc=00000001, cnonce="c", qop=auth, response="0"',
      'Digest username*=UTF-8\'\'J%C3%A4s, realm=r, uri="/", nonce=n, nc=0000000a, cnonce=c, qop="auth", response=ff',
      `Digest username="${'\\"'.repeat(2_000)}", realm=r`,
    ].map(latin1),
    run: runText((text) => readDigestAnswer(text)),
  },
  {
    name: 'target-entry',
    seeds: [
      '10.0.0.0/8:80,8000-8010',
      '[2001:db8::/32]:443',
      '*.example.com:https',
      'private',
      '*:25',
      'db.',
    ].map(latin1),
    run: runText((text) => {
      try {
        const { hosts, ...entry } = parseTargetEntry(text);
        return { ...entry, hosts: hosts.kind === 'block' ? hosts.block.text : hosts };
      } catch (error) {
        if (errorCode(error) !== 'TNET_E_ADDRESS') throw error;
        return 'refused';
      }
    }),
  },
];
