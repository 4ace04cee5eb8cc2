import { refusal, violation } from '../../protocol/protocol-error.ts';
import { encodeSocksReply, replyForErrorCode } from '../../protocol/socks/messages.ts';
import { SocksServer } from '../../protocol/socks/server.ts';
import type { ReadGreeting } from './greeting.ts';
import { HeadReader } from './head-reader.ts';
import type { Users } from './users.ts';

/** Speaks SOCKS with a client until it has said what it wants. `users` undefined: anybody is served. See ReadGreeting. */
export function createSocksReader(users: Users | undefined): ReadGreeting {
  return async (client, soFar, limits) => {
    const reader = new HeadReader(client, limits, soFar);
    const server = new SocksServer({ authentication: users ? 'password' : 'none' });
    for (;;) {
      const chunk = await reader.nextOfGreeting();
      if (!chunk) throw violation('socks5', 'cut-short', 'the client ended before its request was whole');
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
