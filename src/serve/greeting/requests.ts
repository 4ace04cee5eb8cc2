import { refusal, violation } from '../../protocol/protocol-error.ts';
import { encodeSocksReply, replyForErrorCode } from '../../protocol/socks/messages.ts';
import { SocksServer } from '../../protocol/socks/server.ts';
import type { ReadGreeting } from './greeting.ts';
import { HeadReader } from './head-reader.ts';
import type { Users } from './users.ts';
import {
  encodeConnectReply,
  HttpConnectServer,
  statusForErrorCode,
} from '../../protocol/http-connect/server.ts';

/**
 * Speaks SOCKS with a client until it has said what it wants. `users` undefined: anyone is served. See
 * ReadGreeting.
 */
export function createSocksReader(users: Users | undefined): ReadGreeting {
  return async (client, soFar, limits) => {
    const reader = new HeadReader(client, limits, soFar);
    const server = new SocksServer({ authentication: users ? 'password' : 'none' });
    for (;;) {
      const chunk = await reader.nextOfGreeting();
      if (!chunk)
        throw violation(
          'socks5',
          'cut-short',
          'the client ended the connection in the middle of its request',
        );
      let step = server.receive(chunk);
      for (;;) {
        if (step.send) client.write(step.send);
        if (!step.credentials) break;
        const { user, password } = step.credentials;
        if (!(await users?.isRight(user, password, client.remoteAddress ?? ''))) {
          throw refusal('socks5', 'bad-credentials', `the password of ${JSON.stringify(user)} is wrong`, {
            reply: server.refuse(),
          });
        }
        step = server.accept();
      }
      if (!step.request) continue;
      const { version, command, host, port, rest } = step.request;
      return {
        ...soFar,
        ...reader.finish(rest),
        request: {
          command,
          host,
          port,
          grant: (bound) => encodeSocksReply(version, 'granted', bound),
          refuse: (code) => encodeSocksReply(version, replyForErrorCode(code)),
        },
      };
    }
  };
}

/** Reads a client's CONNECT request. `users` undefined: anyone is served. See ReadGreeting. */
export function createConnectReader(users: Users | undefined): ReadGreeting {
  return async (client, soFar, limits) => {
    const reader = new HeadReader(client, limits, soFar);
    const server = new HttpConnectServer();
    for (;;) {
      const chunk = await reader.nextOfGreeting();
      if (!chunk)
        throw violation(
          'http-connect',
          'cut-short',
          'the client ended the connection in the middle of its request',
        );
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

/** Lets clients name their target by SOCKS or by CONNECT, as the first byte shows. See ReadGreeting. */
export function createSocksOrConnectReader(users: Users | undefined): ReadGreeting {
  const [readSocks, readConnect] = [createSocksReader(users), createConnectReader(users)];
  return async (client, soFar, limits) => {
    const reader = new HeadReader(client, limits, soFar);
    const chunk = (await reader.nextOfGreeting()) ?? Buffer.alloc(0);
    const next = { ...soFar, ...reader.finish(chunk) };
    const isSocks = chunk[0] === 4 || chunk[0] === 5;
    return isSocks ? readSocks(client, next, limits) : readConnect(client, next, limits);
  };
}
