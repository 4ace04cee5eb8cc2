import test from 'ava';
import fc from 'fast-check';
import { answerDigest, parseChallenges } from '../../../src/protocol/http-connect/credentials.ts';
import {
  digestAlgorithms,
  digestChallenge,
  hashSecret,
  isRightAnswer,
  readDigestAnswer,
} from '../../../src/protocol/http-connect/digest-server.ts';
import {
  findDigestUsers,
  parseHtpasswd,
  verifyHtpasswd,
} from '../../../src/protocol/http-connect/htpasswd.ts';

// The examples of RFC 7616 section 3.9.1.
const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';
const example = (algorithm: string, response: string) =>
  `Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=${algorithm}, ` +
  `nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, cnonce="${cnonce}", qop=auth, ` +
  `response="${response}", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"`;

for (const [algorithm, response] of [
  ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
  ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
] as const) {
  test(`the example of RFC 7616 with ${algorithm} is right, and wrong with anything changed`, (t) => {
    const answer = readDigestAnswer(example(algorithm, response))!;
    const secret = hashSecret(algorithm, 'Mufasa', 'http-auth@example.org', 'Circle of Life');
    t.like(answer, {
      user: 'Mufasa',
      realm: 'http-auth@example.org',
      algorithm,
      count: 1,
      uri: '/dir/index.html',
    });
    t.true(isRightAnswer(answer, secret, 'GET'));
    t.true(isRightAnswer(answer, secret.toUpperCase(), 'GET'));
    t.false(isRightAnswer(answer, secret, 'POST'));
    for (const change of [
      { uri: '/' },
      { nc: '00000002' },
      { cnonce: 'x' },
      { nonce: 'x' },
      { response: 'x' },
    ])
      t.false(isRightAnswer({ ...answer, ...change }, secret, 'GET'), JSON.stringify(change));
  });
}

const good = example('MD5', '8ca523f5e9506fed4657c9700eebdbec');
for (const [what, value] of [
  ['another scheme', 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='],
  ['no parameters', 'Digest'],
  ['two schemes', `${good}, Basic`],
  ['a parameter twice', `${good}, nc=00000002`],
  ['no qop, as in RFC 2069', good.replace('qop=auth, ', '')],
  ['auth-int', good.replace('qop=auth', 'qop=auth-int')],
  ['a session', good.replace('=MD5', '=MD5-sess')],
  ['an algorithm that is not offered', good.replace('=MD5', '=SHA-512-256')],
  ['a hashed user', `${good}, userhash=true`],
  ['two users', `${good}, username*=UTF-8''a`],
  ['a count that is no count', good.replace('nc=00000001', 'nc=1')],
  ['a broken quotation', good.replace('"Mufasa"', '"Mufasa')],
] as const) {
  test(`an answer with ${what} is not read`, (t) => {
    t.is(readDigestAnswer(value), undefined);
  });
}

test('a name beyond ASCII is read in both forms', (t) => {
  const raw = Buffer.from('Jäsøn').toString('latin1');
  t.is(readDigestAnswer(good.replace('Mufasa', raw))?.user, 'Jäsøn');
  t.is(
    readDigestAnswer(good.replace('username="Mufasa"', "username*=UTF-8''J%C3%A4s%C3%B8n"))?.user,
    'Jäsøn',
  );
  t.is(readDigestAnswer(good.replace('username="Mufasa"', "username*=UTF-8''%"))?.user, undefined);
});

test('what a client answers to a challenge is right with its password, and with no other', (t) => {
  const plain = fc.string({ unit: 'grapheme', maxLength: 20 }).filter((text) => !/\p{Cc}/u.test(text));
  const uri = fc.constantFrom('/', 'a.example:443', 'http://a.example/b?c="d"');
  fc.assert(
    fc.property(
      ...([plain, plain, plain, uri] as const),
      fc.constantFrom(...digestAlgorithms),
      (user, password, other, target, algorithm) => {
        const realm = 'a "realm"';
        const [challenge] = parseChallenges(
          digestChallenge(algorithm, { realm, nonce: 'n', isStale: false }),
        );
        const request = { method: 'GET', uri: target, cnonce: 'c', count: 7 };
        const value = answerDigest(challenge!, { user, password }, request);
        // As it arrives: one character a byte.
        const answer = readDigestAnswer(Buffer.from(value).toString('latin1'));
        if (answer?.user !== user || answer.realm !== realm || answer.uri !== target || answer.count !== 7)
          return false;
        const isRight = (word: string) =>
          isRightAnswer(answer, hashSecret(algorithm, user, realm, word), 'GET');
        return isRight(password) && (other === password || !isRight(other));
      },
    ),
  );
  t.pass();
});

test('users of htdigest and plain ones are let in by Basic, whatever is in their passwords', async (t) => {
  const md5 = hashSecret('MD5', 'a', 'r', 'p:w ');
  const sha = hashSecret('SHA-256', 'a', 'r', 'p:w ');
  const users = parseHtpasswd(`a:r:${md5}\na:r:${sha}\nb:{PLAIN}p:w \r\nc:{PLAIN}\n`);
  for (const [user, password, isRight] of [
    ['a', 'p:w ', true],
    ['a', 'p:w', false],
    ['b', 'p:w ', true],
    ['b', 'p:w', false],
    ['c', '', true],
    ['c', '{PLAIN}', false],
    ['d', '', false],
  ] as const)
    t.is(await verifyHtpasswd(users, user, password), isRight, `${user} ${password}`);
  const digest = findDigestUsers(users);
  if ('obstacle' in digest) return t.fail(digest.obstacle);
  t.is(digest.realm, 'r');
  t.deepEqual(digest.algorithms, ['SHA-256', 'MD5']);
  t.is(digest.secretOf('a', 'SHA-256'), sha);
  t.is(digest.secretOf('b', 'MD5'), hashSecret('MD5', 'b', 'r', 'p:w '));
  t.is(digest.secretOf('d', 'MD5'), undefined);
  t.throws(() => parseHtpasswd(`a:r:${md5}\na:r:${md5}\n`), { message: /line 2/ });
});
