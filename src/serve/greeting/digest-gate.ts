import {
  digestChallenge,
  hashSecret,
  isRightAnswer,
  readDigestAnswer,
} from '../../protocol/http-connect/digest-server.ts';
import type { DigestUsers } from '../../protocol/http-connect/htpasswd.ts';
import { randomBytes } from 'node:crypto';
import { Nonces } from './nonces.ts';

/** Authenticates by Digest, RFC 7616. */
export interface DigestGate {
  readonly realm: string;
  challenges(isStale: boolean): readonly string[];
  judge(
    value: string,
    asked: { readonly method: string; readonly uris: readonly string[] },
  ): 'right' | { readonly message: string; readonly isStale: boolean };
}

/** @param key signs nonces: a secret that is the same in all processes that serve the same clients. Default: a new one */
export function createDigestGate(users: DigestUsers, key: Buffer = randomBytes(32)): DigestGate {
  const nonces = new Nonces(key);
  const { realm, algorithms } = users;
  return {
    realm,
    challenges: (isStale) =>
      algorithms.map((algorithm) => digestChallenge(algorithm, { realm, nonce: nonces.create(), isStale })),
    judge(value, { method, uris }) {
      const wrong = (message: string, isStale = false) => ({ message, isStale });
      const answer = readDigestAnswer(value);
      if (!answer || !algorithms.includes(answer.algorithm) || answer.realm !== realm)
        return wrong('the answer to Digest cannot be read');
      if (!uris.includes(answer.uri)) return wrong('the answer to Digest is for another request');
      const { user, algorithm, nonce, count } = answer;
      const known = users.secretOf(user, algorithm);
      // An unknown user takes as long as a known one.
      const isRight = isRightAnswer(answer, known ?? hashSecret(algorithm, user, realm, ''), method);
      if (known === undefined || !isRight) return wrong(`the password of ${JSON.stringify(user)} is wrong`);
      if (!nonces.use(nonce, count)) return wrong('the nonce of Digest is too old, or was used before', true);
      return 'right';
    },
  };
}
