import { refusal, violation } from '../../protocol/protocol-error.ts';
import { encodeSocksReply, replyForErrorCode } from '../../protocol/socks/messages.ts';
import { SocksServer } from '../../protocol/socks/server.ts';
import type { Socket } from '../../net/index.ts';
import { findHeaders } from '../../protocol/http-connect/head.ts';
import type { Gate } from './gate.ts';
import type { ReadGreeting } from './greeting.ts';
import { HeadReader } from './head-reader.ts';
import type { Users } from './users.ts';
import {
  encodeConnectReply,
  type ConnectRequest,
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

/** Reads a client's CONNECT request. `gate` undefined: anyone is served. See ReadGreeting. */
export function createConnectReader(gate: Gate | undefined): ReadGreeting {
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
      const { headers, host, port, rest } = request;
      if (gate) await pass(gate, request, findHeaders(headers, 'proxy-authorization'), client);
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

async function pass(
  gate: Gate,
  { target }: ConnectRequest,
  values: readonly string[],
  { remoteAddress: client = '' }: Socket,
): Promise<void> {
  const denial = await gate.judge({ method: 'CONNECT', uris: [target], values, client });
  if (!denial) return;
  const reply = encodeConnectReply(407, undefined, denial.challenges);
  throw refusal('http-connect', 'bad-credentials', denial.message, { reply, status: 407 });
}

/** The longest method that a request may begin with; the names in IANA's registry have at most 18 characters. */
const methodLimitBytes = 32;

/**
 * Reads a client's CONNECT request, or finds that it makes another one of HTTP, which is left to the handler with all
 * that follows. See ReadGreeting.
 */
export function createHttpReader(gate: Gate | undefined): ReadGreeting {
  const readConnect = createConnectReader(gate);
  return async (client, soFar, limits) => {
    const reader = new HeadReader(client, limits, soFar);
    let bytes = Buffer.alloc(0);
    while (bytes.length < methodLimitBytes && !/[ \n]/.test(bytes.toString('latin1'))) {
      const chunk = await reader.nextOfGreeting();
      if (!chunk) break;
      bytes = Buffer.concat([bytes, chunk]);
    }
    const next = { ...soFar, ...reader.finish(bytes) };
    const isConnect = bytes.toString('latin1', 0, 8) === 'CONNECT ';
    return isConnect ? readConnect(client, next, limits) : { ...next, isHttp: true };
  };
}

/** Lets clients name their target by SOCKS or by HTTP, as the first byte shows. See ReadGreeting. */
export function createSocksOrHttpReader(readSocks: ReadGreeting, readHttp: ReadGreeting): ReadGreeting {
  return async (client, soFar, limits) => {
    const reader = new HeadReader(client, limits, soFar);
    const chunk = (await reader.nextOfGreeting()) ?? Buffer.alloc(0);
    const next = { ...soFar, ...reader.finish(chunk) };
    const isSocks = chunk[0] === 4 || chunk[0] === 5;
    return isSocks ? readSocks(client, next, limits) : readHttp(client, next, limits);
  };
}
