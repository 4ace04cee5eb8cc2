import test from 'ava';
import {
  parseChallenges,
  type AuthChallenge,
  answerDigest,
  rankDigest,
  decodeBasic,
  encodeBasic,
} from '../../../src/protocol/http-connect/credentials.ts';
import { parseHtpasswd, verifyHtpasswd } from '../../../src/protocol/http-connect/htpasswd.ts';

const challenges: [
  value: string,
  expected: [scheme: string, token68: string | undefined, parameters: Record<string, string>][],
][] = [
  ['Basic realm="WallyWorld"', [['basic', undefined, { realm: 'WallyWorld' }]]],
  // RFC 9110 section 11.6.1, the two challenges of its example.
  [
    'Basic realm="simple", Newauth realm="apps", type=1, title="Login to \\"apps\\""',
    [
      ['basic', undefined, { realm: 'simple' }],
      ['newauth', undefined, { realm: 'apps', type: '1', title: 'Login to "apps"' }],
    ],
  ],
  ['Negotiate', [['negotiate', undefined, {}]]],
  ['Negotiate a87421000492aa874209af8bc028==', [['negotiate', 'a87421000492aa874209af8bc028==', {}]]],
  [
    'NTLM, Negotiate, Basic realm=x',
    [
      ['ntlm', undefined, {}],
      ['negotiate', undefined, {}],
      ['basic', undefined, { realm: 'x' }],
    ],
  ],
  [' , ,Basic  realm = "a" ,, charset= UTF-8 ,', [['basic', undefined, { realm: 'a', charset: 'UTF-8' }]]],
  ['Basic realm="a, Digest nonce=b"', [['basic', undefined, { realm: 'a, Digest nonce=b' }]]],
  ['', []],
];

for (const [value, expected] of challenges) {
  test(`the challenge ${JSON.stringify(value)} is read`, (t) => {
    const read = parseChallenges(value).map(({ scheme, token68, parameters }) => {
      return [scheme, token68, Object.fromEntries(parameters)];
    });
    t.deepEqual(read, expected as never);
  });
}

for (const value of [
  '=',
  'Basic realm="a',
  'Basic realm=a realm=b',
  'Basic a=1, a=2',
  'Basic "x"',
  'Basic x=y z',
]) {
  test(`the challenge ${JSON.stringify(value)} is refused`, (t) => {
    t.like(
      t.throws(() => parseChallenges(value)),
      { code: 'TNET_E_PROTOCOL', reason: 'bad-challenge' },
    );
  });
}

function parse(value: string): AuthChallenge {
  const [challenge] = parseChallenges(value);
  if (!challenge) throw new Error('there is no challenge');
  return challenge;
}

const rfc7616 = (algorithm: string) =>
  parse(
    `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, ` +
      'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
  );
const mufasa = { user: 'Mufasa', password: 'Circle of Life' };
const get = {
  method: 'GET',
  uri: '/dir/index.html',
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  count: 1,
};

test('RFC 7616 section 3.9.1: the MD5 answer, field by field', (t) => {
  t.is(
    answerDigest(rfc7616('MD5'), mufasa, get),
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5, ' +
      'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, ' +
      'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, ' +
      'response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
  );
});

function readResponse(answer: string): string | undefined {
  return /response="([0-9a-f]+)"/.exec(answer)?.[1];
}

test('RFC 7616 section 3.9.1: the SHA-256 answer', (t) => {
  const answer = answerDigest(rfc7616('SHA-256'), mufasa, get);
  t.is(readResponse(answer), '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1');
});

test('RFC 7616 section 3.9.2 as corrected by erratum 4897: SHA-512-256 with a hashed user name', (t) => {
  const challenge = parse(
    'Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, ' +
      'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", ' +
      'opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", charset=UTF-8, userhash=true',
  );
  const answer = answerDigest(
    challenge,
    { user: 'Jäsøn Doe', password: 'Secret, or not?' },
    { method: 'GET', uri: '/doe.json', cnonce: 'NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v', count: 1 },
  );
  t.true(answer.includes('username="793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b"'));
  t.is(readResponse(answer), '3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5');
  t.true(answer.endsWith(', userhash=true'));
});

test('RFC 2617 section 3.5: the answer of the older specification', (t) => {
  const challenge = parse(
    'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
  );
  const answer = answerDigest(
    challenge,
    { user: 'Mufasa', password: 'Circle Of Life' },
    { method: 'GET', uri: '/dir/index.html', cnonce: '0a4f113b', count: 1 },
  );
  t.is(readResponse(answer), '6629fae49393a05397450978507c4ef1');
  t.false(answer.includes('algorithm'));
});

test('without qop the answer is that of RFC 2069', (t) => {
  const challenge = parse('Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"');
  const answer = answerDigest(challenge, { user: 'Mufasa', password: 'Circle Of Life' }, get);
  t.is(readResponse(answer), '670fd8c2df070c60b045671b8b24ff02');
  t.false(answer.includes('cnonce'));
});

test('a session algorithm hashes the nonces into the secret', (t) => {
  const answer = answerDigest(rfc7616('MD5-sess'), mufasa, get);
  t.is(readResponse(answer), 'e783283f46242139c486a698fec7211d');
  t.true(answer.includes('algorithm=MD5-sess'));
});

test('a user beyond ASCII goes into username*', (t) => {
  const answer = answerDigest(rfc7616('MD5'), { user: "Jäsøn's", password: 'x' }, get);
  t.true(answer.startsWith("Digest username*=UTF-8''J%C3%A4s%C3%B8n%27s, "));
});

test('quotes in user and realm are escaped', (t) => {
  const answer = answerDigest(parse('Digest realm="a\\"b", nonce="n"'), { user: 'c"d', password: 'x' }, get);
  t.true(answer.startsWith('Digest username="c\\"d", realm="a\\"b", '));
});

const ranks: [challenge: string, rank: number][] = [
  ['Digest realm=a, nonce=b', 1],
  ['Digest realm=a, nonce=b, algorithm=SHA-256-sess, qop=auth', 2],
  ['Digest realm=a, nonce=b, algorithm=sha-512-256, qop="auth-int,auth"', 3],
  ['Digest realm=a, nonce=b, algorithm=constructor', 0],
  ['Digest realm=a, nonce=b, qop=auth-int', 0],
  ['Digest realm=a', 0],
];

for (const [challenge, rank] of ranks) {
  test(`${challenge} has rank ${rank}`, (t) => {
    t.is(rankDigest(parse(challenge)), rank);
  });
}

test('control characters in credentials are refused', (t) => {
  const credentials = { user: 'a\nb', password: '' };
  const refused = { code: 'TNET_E_PROTOCOL_INPUT' };
  t.throws(() => encodeBasic(credentials), refused);
  t.throws(() => answerDigest(rfc7616('MD5'), credentials, get), refused);
});

const basics: [value: string, user: string, password: string][] = [
  // RFC 7617 sections 2 and 2.1.
  ['Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==', 'Aladdin', 'open sesame'],
  ['Basic dGVzdDoxMjPCow==', 'test', '123£'],
  ['Basic YTpiOmM=', 'a', 'b:c'],
  ['Basic Og==', '', ''],
];

for (const [value, user, password] of basics) {
  test(`${value} is ${user} with ${password}`, (t) => {
    t.is(encodeBasic({ user, password }), value);
    t.deepEqual(decodeBasic(value), { user, password });
    t.deepEqual(decodeBasic(value.replace('Basic ', 'bAsIc   ').replaceAll('=', '')), { user, password });
  });
}

for (const value of [
  'Basic',
  'Basic ',
  'Basic QWxh',
  'Basic a',
  'Basic @@@@',
  'Basic YTpiOmM= x',
  'Basic YToK',
  'Digest YTpi',
]) {
  test(`${JSON.stringify(value)} is no Basic`, (t) => {
    t.is(decodeBasic(value), undefined);
  });
}

const LONG = 'a long password of more than sixteen bytes';

/** Made by openssl passwd and dgst; the first is that of Apache's documentation. */
const hashes: [hash: string, password: string][] = [
  ['$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/', 'myPassword'],
  ['$1$abcdefgh$xYohNJ.PKOzgm/iIHM9jd/', LONG],
  ['$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ.', ''],
  ['{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=', 'myPassword'],
];

for (const [hash, password] of hashes) {
  test(`${hash} is the hash of ${JSON.stringify(password)} and of nothing else`, async (t) => {
    const users = parseHtpasswd(`me:${hash}\n`);
    t.true(await verifyHtpasswd(users, 'me', password));
    t.false(await verifyHtpasswd(users, 'me', `${password}x`));
    t.false(await verifyHtpasswd(users, 'you', password));
  });
}

test('bcrypt is left to the function that is given, and matches nothing without it', async (t) => {
  const hash = '$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC';
  const users = parseHtpasswd(`me:${hash}`);
  t.true(await verifyHtpasswd(users, 'me', 'p', (password, given) => password === 'p' && given === hash));
  t.false(await verifyHtpasswd(users, 'me', 'q', (password) => Promise.resolve(password === 'p')));
  t.false(await verifyHtpasswd(users, 'me', 'p'));
});

test('comments, blank lines and CR LF in a htpasswd file are let pass', (t) => {
  const users = parseHtpasswd('# users\r\n\r\n a:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\r\n');
  t.deepEqual([...users.keys()], ['a']);
});

const badFiles: [text: string, reason: string, message: string][] = [
  ['a\n', 'bad-line', 'line 1 is not user:hash'],
  ['\n:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=', 'bad-line', 'line 2 is not user:hash'],
  ['a:plain', 'bad-hash', 'line 1 has a hash that is not bcrypt, apr1 or {SHA}'],
  ['a:rl.3StKT.4T8M', 'bad-hash', 'line 1 has a hash that is not bcrypt, apr1 or {SHA}'],
  [
    'a:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\na:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=',
    'user-twice',
    'line 2 names a user for the second time',
  ],
];

for (const [text, reason, message] of badFiles) {
  test(`the htpasswd file ${JSON.stringify(text)} is refused`, (t) => {
    t.like(
      t.throws(() => parseHtpasswd(text)),
      { code: 'TNET_E_PROTOCOL', protocol: 'htpasswd', reason, message },
    );
  });
}
