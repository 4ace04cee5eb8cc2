import { violation, badInput } from '../protocol-error.ts';
import { createHash } from 'node:crypto';

/** One way a proxy offers to authenticate: a scheme with a token or with parameters. RFC 9110 section 11.3. */
export interface AuthChallenge {
  /** In lower case: `basic`, `digest`, … */
  readonly scheme: string;
  readonly token68: string | undefined;
  /** Names in lower case, values unquoted. */
  readonly parameters: ReadonlyMap<string, string>;
}

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
const separators = /[ \t]*(?:,[ \t]*)*/y;
const parameter = new RegExp(
  `(${TOKEN})[ \\t]*=[ \\t]*(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)")[ \\t]*(?=,|$)`,
  'y',
);
const scheme = new RegExp(`(${TOKEN})(?: +|[ \\t]*(?=,|$))`, 'y');
const token68 = /([A-Za-z0-9\-._~+/]+=*)[ \t]*(?=,|$)/y;

/** Matches a sticky pattern at a place, or not at all. */
function matchAt(pattern: RegExp, text: string, index: number): RegExpExecArray | undefined {
  pattern.lastIndex = index;
  return pattern.exec(text) ?? undefined;
}

/**
 * Reads the value of a Proxy-Authenticate or WWW-Authenticate field, several challenges in one value included: after
 * a comma, `name=` goes on with the parameters and a bare word starts the next challenge.
 * @throws ProtocolError TNET_E_PROTOCOL `bad-challenge`.
 */
export function parseChallenges(value: string): AuthChallenge[] {
  const challenges: AuthChallenge[] = [];
  let index = 0;
  const read = (pattern: RegExp): RegExpExecArray | undefined => {
    const found = matchAt(pattern, value, index);
    index += found?.[0].length ?? 0;
    return found;
  };
  read(separators);
  while (index < value.length) {
    const name = read(scheme)?.[1];
    if (name === undefined) throw badChallenge();
    const parameters = new Map<string, string>();
    const hasToken = value[index - 1] === ' ' && !matchAt(parameter, value, index);
    const token = hasToken ? read(token68)?.[1] : undefined;
    read(separators);
    for (let found = read(parameter); found; found = read(parameter)) {
      const [, key = '', plain, quoted = ''] = found;
      if (token !== undefined || parameters.has(key.toLowerCase())) throw badChallenge();
      parameters.set(key.toLowerCase(), plain ?? quoted.replaceAll(/\\(.)/g, '$1'));
      read(separators);
    }
    challenges.push({ scheme: name.toLowerCase(), token68: token, parameters });
  }
  return challenges;
}

function badChallenge(): Error {
  return violation(
    'http-connect',
    'bad-challenge',
    'the authentication that the proxy asks for cannot be read',
  );
}

/** A user and a password for a proxy. */
export interface ProxyCredentials {
  readonly user: string;
  readonly password: string;
}

const control = /\p{Cc}/u;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/**
 * The value of Proxy-Authorization for Basic, in UTF-8 (RFC 7617).
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a colon in the user or a control character anywhere.
 */
export function encodeBasic({ user, password }: ProxyCredentials): string {
  if (user.includes(':') || control.test(user) || control.test(password)) {
    throw badInput(
      'http-connect',
      'bad-credentials',
      'a user for Basic authentication must not contain a colon or control characters (RFC 7617)',
    );
  }
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** The value of Proxy-Authenticate that asks for Basic in UTF-8 (RFC 7617). @param realm printable ASCII */
export function basicChallenge(realm: string): string {
  return `Basic realm=${quote(realm)}, charset="UTF-8"`;
}

/** Reads a Proxy-Authorization value; undefined when it is not Basic or not what RFC 7617 describes. */
export function decodeBasic(value: string): ProxyCredentials | undefined {
  const [, encoded] = /^basic +(\S+)[ \t]*$/i.exec(value) ?? [];
  if (encoded === undefined || !base64.test(encoded)) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0 || control.test(text)) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The hash functions of RFC 7616 section 6.1, by their names there, each with Node's name and our preference. */
const hashes = new Map([
  ['md5', { name: 'md5', rank: 1 }],
  ['sha-256', { name: 'sha256', rank: 2 }],
  ['sha-512-256', { name: 'sha512-256', rank: 3 }],
]);

const SESSION = '-sess';

/** What an answer is made for: the request, and the client's own part of it. */
export interface DigestRequest {
  readonly method: string;
  /** The request-target as it appears in the request line; for CONNECT `host:port`. */
  readonly uri: string;
  /** A text that the client makes up for every answer. */
  readonly cnonce: string;
  /** How often this nonce of the proxy has been used, this time included: from 1. */
  readonly count: number;
}

function splitAlgorithm(challenge: AuthChallenge): { hash: string; isSession: boolean } {
  const algorithm = (challenge.parameters.get('algorithm') ?? 'md5').toLowerCase();
  const isSession = algorithm.endsWith(SESSION);
  return { hash: isSession ? algorithm.slice(0, -SESSION.length) : algorithm, isSession };
}

/** The quality of protection to use: `auth`, none at all (RFC 2069's form), or undefined when only others are offered. */
function chooseQop(challenge: AuthChallenge): 'auth' | 'none' | undefined {
  const offered = challenge.parameters.get('qop');
  if (offered === undefined) return 'none';
  return offered.split(',').some((qop) => qop.trim().toLowerCase() === 'auth') ? 'auth' : undefined;
}

/** How good a Digest challenge is: higher is stronger, 0 means that it cannot be answered. */
export function rankDigest(challenge: AuthChallenge): number {
  const { parameters } = challenge;
  const isAnswerable =
    parameters.has('realm') && parameters.has('nonce') && chooseQop(challenge) !== undefined;
  return isAnswerable ? (hashes.get(splitAlgorithm(challenge).hash)?.rank ?? 0) : 0;
}

function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

/** RFC 8187: how a parameter carries characters beyond ASCII. */
function encodeExtended(text: string): string {
  const encoded = encodeURIComponent(text).replaceAll(/['()*]/g, (found) => {
    return `%${found.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  return `UTF-8''${encoded}`;
}

/**
 * The value of Proxy-Authorization for Digest (RFC 7616 section 3.4): MD5, SHA-256 and SHA-512-256, their `-sess`
 * forms, `qop=auth` or none, and a hashed user name when the proxy asks for it. Names and passwords are UTF-8.
 * @param challenge one that {@link rankDigest} gives more than 0.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for control characters in the credentials.
 */
export function answerDigest(
  challenge: AuthChallenge,
  { user, password }: ProxyCredentials,
  { method, uri, cnonce, count }: DigestRequest,
): string {
  if (control.test(user) || control.test(password)) {
    throw badInput(
      'http-connect',
      'bad-credentials',
      'the user and the password must not contain control characters',
    );
  }
  const { parameters } = challenge;
  const { hash, isSession } = splitAlgorithm(challenge);
  const digest = (text: string) =>
    createHash(hashes.get(hash)?.name ?? 'md5')
      .update(text)
      .digest('hex');
  // Header text is one character a byte; the realm's bytes are UTF-8 and are hashed and sent back as they came.
  const read = (name: string) => Buffer.from(parameters.get(name) ?? '', 'latin1').toString();
  const [realm, nonce] = [read('realm'), read('nonce')];
  const hasQop = chooseQop(challenge) === 'auth';
  const nc = count.toString(16).padStart(8, '0');
  const secret = digest(`${user}:${realm}:${password}`);
  const a1 = isSession ? digest(`${secret}:${nonce}:${cnonce}`) : secret;
  const a2 = digest(`${method}:${uri}`);
  const response = digest(hasQop ? `${a1}:${nonce}:${nc}:${cnonce}:auth:${a2}` : `${a1}:${nonce}:${a2}`);
  const isUserHashed = parameters.get('userhash')?.toLowerCase() === 'true';
  // RFC 7616 section 3.4.4: a name beyond ASCII goes into username*, unless it is hashed.
  const isPlain = /^[\x20-\x7e]*$/.test(user);
  const name = isUserHashed ? quote(digest(`${user}:${realm}`)) : quote(user);
  return `Digest ${[
    isUserHashed || isPlain ? `username=${name}` : `username*=${encodeExtended(user)}`,
    `realm=${quote(realm)}`,
    `uri=${quote(uri)}`,
    ...(parameters.has('algorithm') ? [`algorithm=${parameters.get('algorithm') ?? ''}`] : []),
    `nonce=${quote(nonce)}`,
    ...(hasQop ? [`nc=${nc}`] : []),
    ...(hasQop || isSession ? [`cnonce=${quote(cnonce)}`] : []),
    ...(hasQop ? ['qop=auth'] : []),
    `response=${quote(response)}`,
    ...(parameters.has('opaque') ? [`opaque=${quote(read('opaque'))}`] : []),
    ...(isUserHashed ? ['userhash=true'] : []),
  ].join(', ')}`;
}
