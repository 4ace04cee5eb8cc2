import {
  encodeConnectReply,
  HttpConnectServer,
  statusForErrorCode,
} from '../../protocol/http-connect/server.ts';
import { refusal, violation } from '../../protocol/protocol-error.ts';
import type { ReadGreeting } from './greeting.ts';
import { HeadReader } from './head-reader.ts';
import type { Users } from './users.ts';

/** Reads a client's CONNECT request. `users` undefined: anybody is served. See ReadGreeting. */
export function createConnectReader(users: Users | undefined): ReadGreeting {
  return async (client, soFar, limits) => {
    const reader = new HeadReader(client, limits, soFar);
    const server = new HttpConnectServer();
    for (;;) {
      const chunk = await reader.nextOfGreeting();
      if (!chunk)
        throw violation('http-connect', 'cut-short', 'the client ended before its request was whole');
      const request = server.receive(chunk);
      if (!request) continue;
      const { credentials, host, port, rest } = request;
      if (users) await requireUser(users, credentials, client.remoteAddress ?? '');
      return {
        ...soFar,
        ...reader.finish(rest),
        request: {
          command: 'connect',
          host,
          port,
          grant: () => encodeConnectReply(200),
          refuse: (code) => encodeConnectReply(statusForErrorCode(code)),
        },
      };
    }
  };
}

async function requireUser(
  users: Users,
  credentials: { readonly user: string; readonly password: string } | undefined,
  client: string,
): Promise<void> {
  if (credentials && (await users.isRight(credentials.user, credentials.password, client))) return;
  const message = credentials
    ? `the password of ${JSON.stringify(credentials.user)} is wrong`
    : 'the client gave no user and password';
  throw refusal('http-connect', 'bad-credentials', message, { reply: encodeConnectReply(407), status: 407 });
}
