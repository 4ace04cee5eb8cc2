import { randomBytes } from 'node:crypto';
import { refusal } from '../protocol-error.ts';
import {
  parseChallenges,
  type AuthChallenge,
  encodeBasic,
  type ProxyCredentials,
  answerDigest,
  rankDigest,
} from './credentials.ts';

/** How often a proxy may call its nonce stale before the client gives up. */
const STALE_LIMIT = 2;

/** Digest before Basic, the stronger hash first; 0 = cannot be answered. */
function rank(challenge: AuthChallenge): number {
  if (challenge.scheme === 'digest') return rankDigest(challenge) * 2;
  return challenge.scheme === 'basic' ? 1 : 0;
}

/** Answers the challenges of one proxy with one user and password. */
export class ProxyAuthorizer {
  readonly #credentials: ProxyCredentials | undefined;
  readonly #createNonce: () => string;
  /** The challenge being answered; set by the first 407, or from the start for Basic without being asked. */
  #challenge: AuthChallenge | undefined;
  #uses = 0;
  #staleCount = 0;

  /** @throws ProtocolError TNET_E_PROTOCOL_INPUT when `basic-first` is asked for and Basic cannot carry the credentials. */
  constructor(
    credentials: ProxyCredentials | undefined,
    order: 'when-asked' | 'basic-first',
    createNonce: () => string = () => randomBytes(16).toString('hex'),
  ) {
    this.#credentials = credentials;
    this.#createNonce = createNonce;
    if (credentials && order === 'basic-first') {
      encodeBasic(credentials);
      this.#challenge = { scheme: 'basic', token68: undefined, parameters: new Map() };
    }
  }

  /** The value of Proxy-Authorization for the next request, or undefined before the proxy has asked. */
  authorize(method: string, uri: string): string | undefined {
    if (!this.#credentials || !this.#challenge) return undefined;
    this.#uses += 1;
    if (this.#challenge.scheme === 'basic') return encodeBasic(this.#credentials);
    const request = { method, uri, cnonce: this.#createNonce(), count: this.#uses };
    return answerDigest(this.#challenge, this.#credentials, request);
  }

  /**
   * Takes the Proxy-Authenticate values of a 407; afterwards the next request answers them.
   * @throws ProtocolError TNET_E_PROTOCOL_REFUSED when there is nothing to answer with, or the answer was wrong.
   */
  receive(values: readonly string[]): void {
    const challenges = values.flatMap((value) => parseChallenges(value));
    const schemes = [...new Set(challenges.map(({ scheme }) => scheme))].join(', ') || 'nothing';
    if (!this.#credentials) {
      throw refusal(
        'http-connect',
        'credentials-needed',
        `the proxy requires a user and a password (${schemes})`,
        {
          status: 407,
        },
      );
    }
    const best = challenges.reduce<AuthChallenge | undefined>(
      (found, challenge) => (rank(challenge) > (found ? rank(found) : 0) ? challenge : found),
      undefined,
    );
    if (!best) {
      throw refusal(
        'http-connect',
        'no-acceptable-scheme',
        `the proxy offers only ${schemes} to authenticate`,
        {
          status: 407,
        },
      );
    }
    this.#checkRefused(best);
    this.#challenge = best;
    this.#uses = 0;
  }

  /** A second 407 means wrong credentials, unless the nonce was stale or Digest is wanted where Basic was tried. */
  #checkRefused(next: AuthChallenge): void {
    if (this.#uses === 0) return;
    if (this.#challenge?.scheme === 'basic' && next.scheme === 'digest') return;
    const isStale = next.scheme === 'digest' && next.parameters.get('stale')?.toLowerCase() === 'true';
    if (isStale && this.#staleCount < STALE_LIMIT) {
      this.#staleCount += 1;
      return;
    }
    throw refusal('http-connect', 'bad-credentials', 'the proxy does not accept this user and password', {
      status: 407,
    });
  }
}
