import { basicChallenge, decodeBasic } from '../../protocol/http-connect/credentials.ts';
import type { DigestGate } from './digest-gate.ts';
import type { Users } from './users.ts';

/** A request whose client may have to authenticate. */
export interface AskedEntry {
  readonly method: string;
  /** The request's target as it was sent, and other forms of it that a client may name for Digest. */
  readonly uris: readonly string[];
  /** The values of Proxy-Authorization. */
  readonly values: readonly string[];
  /** The client's address. */
  readonly client: string;
}

/** Why a request is answered with 407, and what the client is asked for. */
export interface GateRefusal {
  /** A sentence for people. */
  readonly message: string;
  /** The client was not wrong: it has not been asked before, or its nonce was too old. */
  readonly isAsking: boolean;
  /** The values of Proxy-Authenticate. */
  readonly challenges: readonly string[];
}

/** Authenticates the clients of an HTTP proxy. */
export interface Gate {
  /** Undefined: the client is let in. */
  judge(asked: AskedEntry): Promise<GateRefusal | undefined>;
}

const realm = 'tnet';

/** A gate for these users. `digest`: it also takes Digest; `isBasic` false: it takes only that. */
export function createGate(users: Users, digest?: DigestGate, isBasic = true): Gate {
  const refuse = (message: string, isAsking = false, isStale = false): GateRefusal => ({
    message,
    isAsking,
    challenges: [
      ...(digest?.challenges(isStale) ?? []),
      ...(isBasic ? [basicChallenge(digest?.realm ?? realm)] : []),
    ],
  });
  return {
    async judge(asked) {
      const [value] = asked.values;
      if (value === undefined || asked.values.length > 1)
        return refuse('the client gave no user and password', asked.values.length === 0);
      if (/^digest /i.test(value) && digest) {
        const verdict = digest.judge(value, asked);
        if (verdict === 'right') return undefined;
        return refuse(verdict.message, verdict.isStale, verdict.isStale);
      }
      const credentials = isBasic ? decodeBasic(value) : undefined;
      if (!credentials) return refuse('the client authenticates in a way that is not supported');
      const { user, password } = credentials;
      if (await users.isRight(user, password, asked.client)) return undefined;
      return refuse(`the password of ${JSON.stringify(user)} is wrong`);
    },
  };
}
