import { violation } from '../protocol-error.ts';

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
    'The proxy asks for authentication in a form that cannot be read.',
  );
}
