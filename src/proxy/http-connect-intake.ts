import { formatHostPort } from '../address/endpoint.ts';
import { errorCode } from '../errors.ts';
import type { Socket } from '../net/index.ts';
import { encodeConnectReply, HttpConnectServer, statusForErrorCode } from '../protocol/http-connect/index.ts';
import { refusal, violation } from '../protocol/protocol-error.ts';
import { HeadReader } from './head-reader.ts';
import type { Intake } from './intake.ts';
import type { SocksIntakeOptions } from './socks-intake.ts';
import { connectTarget, type OpenUpstream } from './upstream.ts';

/**
 * Reads a client's CONNECT request.
 *
 * @throws ProtocolError with the answer for the client in `reply`, TnetError TNET_E_TIMEOUT, SaidNothing, or the socket's
 *   error
 */
export async function takeConnectClient(
  client: Socket,
  known: Intake,
  options: SocksIntakeOptions,
): Promise<Intake> {
  const { host, port, early } = await readRequest(client, known, options);
  const target = formatHostPort(host, port);
  return {
    ...known,
    early,
    async open({ id, head, listener }): Promise<OpenUpstream | undefined> {
      try {
        const socket = await connectTarget({ kind: 'tcp', host, port }, options.dial, {
          head,
          judge: options.judge,
          listener,
        });
        client.write(encodeConnectReply(200));
        return { socket, target };
      } catch (error) {
        if (options.host.signal.aborted) return undefined;
        options.host.fail(target, error, id);
        const code = errorCode(error);
        if (code === 'TNET_E_DENIED') options.host.ledger.refuse('target not allowed');
        client.end(encodeConnectReply(statusForErrorCode(code)));
        return undefined;
      }
    },
  };
}

async function readRequest(
  client: Socket,
  known: Intake,
  { users, handshakeMs }: SocksIntakeOptions,
): Promise<{ host: string; port: number; early: Buffer | undefined }> {
  const reader = new HeadReader(client, handshakeMs, known);
  const server = new HttpConnectServer();
  for (;;) {
    const chunk = await reader.nextOfGreeting();
    if (!chunk) throw violation('http-connect', 'cut-short', 'the client ended before its request was whole');
    const request = server.receive(chunk);
    if (!request) continue;
    const { credentials, host, port, rest } = request;
    const { remoteAddress = '' } = client;
    if (
      users &&
      !(credentials && (await users.isRight(credentials.user, credentials.password, remoteAddress)))
    ) {
      const message = credentials
        ? `the password of ${JSON.stringify(credentials.user)} is wrong`
        : 'the client gave no user and password';
      throw refusal('http-connect', 'bad-credentials', message, {
        reply: encodeConnectReply(407),
        status: 407,
      });
    }
    return { host, port, ...reader.finish(rest) };
  }
}
