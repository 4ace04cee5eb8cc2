import type { Connection } from '../net/connection.ts';
import { formatHostPort } from '../address/endpoint.ts';
import { errorCode } from '../errors.ts';
import type { Socket } from '../net/index.ts';
import { plainAddress } from '../net/local-address.ts';
import { refusal, violation } from '../protocol/protocol-error.ts';
import {
  encodeSocksReply,
  replyForErrorCode,
  SocksServer,
  type SocksRequest,
} from '../protocol/socks/index.ts';
import { HeadReader } from './head-reader.ts';
import type { ProxyHost } from './host.ts';
import type { Intake } from './intake.ts';
import { acceptBound } from './socks-bind.ts';
import { serveAssociate } from './socks-associate.ts';
import type { JudgeTarget } from './target-rules.ts';
import { connectTarget, type DialPlan, type OpenUpstream } from './upstream.ts';
import type { Users } from './users.ts';

export interface SocksIntakeOptions {
  readonly host: ProxyHost;
  /** Undefined: anybody. */
  readonly users: Users | undefined;
  readonly handshakeMs: number;
  /** How what clients name is connected to. */
  readonly dial: DialPlan;
  /** Forbids targets, by their addresses. Default: none is forbidden. */
  readonly judge: JudgeTarget | undefined;
}

/**
 * Speaks SOCKS with a client until it has named what it wants.
 *
 * @throws ProtocolError with the answer for the client in `reply`, TnetError TNET_E_TIMEOUT, SaidNothing, or the socket's
 *   error
 */
export async function takeSocksClient(
  client: Socket,
  known: Intake,
  options: SocksIntakeOptions,
): Promise<Intake> {
  const { request, early } = await readRequest(client, known, options);
  const { version, command, host, port } = request;
  const target = formatHostPort(host, port);
  if (command === 'udp-associate') return { ...known, early, serve: () => serveAssociate(client, options) };
  const reply = (answer: Parameters<typeof encodeSocksReply>[1], bound?: { host: string; port: number }) =>
    client.write(encodeSocksReply(version, answer, bound));
  return {
    ...known,
    early,
    async open({ id, head, listener }): Promise<OpenUpstream | undefined> {
      try {
        const socket =
          command === 'bind'
            ? await acceptBound(client, request, {
                host: options.host,
                connectMs: options.dial.timeoutMs,
                announce: (bound) => reply('granted', bound),
              })
            : await connectTarget({ kind: 'tcp', host, port }, options.dial, {
                head,
                judge: options.judge,
                listener,
              });
        const own = command === 'bind' ? peerOf(socket) : addressOf(socket);
        reply('granted', own);
        return { socket, target };
      } catch (error) {
        if (options.host.signal.aborted) return undefined;
        options.host.fail(target, error, id);
        if (errorCode(error) === 'TNET_E_DENIED') options.host.ledger.refuse('target not allowed');
        client.end(encodeSocksReply(version, replyForErrorCode(errorCode(error))));
        return undefined;
      }
    },
  };
}

async function readRequest(
  client: Socket,
  known: Intake,
  { users, handshakeMs }: SocksIntakeOptions,
): Promise<{ request: SocksRequest; early: Buffer | undefined }> {
  const reader = new HeadReader(client, handshakeMs, known);
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
    return { request: step.request, ...reader.finish(step.request.rest) };
  }
}

function addressOf({ localAddress = '0.0.0.0', localPort = 0 }: Connection): { host: string; port: number } {
  return { host: plainAddress(localAddress), port: localPort };
}

function peerOf({ remoteAddress = '0.0.0.0', remotePort = 0 }: Connection): { host: string; port: number } {
  return { host: plainAddress(remoteAddress), port: remotePort };
}
