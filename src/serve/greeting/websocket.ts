import type { Endpoint } from '../../address/endpoint.ts';
import { parseProtocols } from '../../address/header-field.ts';
import { readMessageRules, type WebSocketValues } from '../../dial/websocket-settings.ts';
import { presentAddresses, presentedAddresses } from '../../net/connection.ts';
import type { Socket } from '../../net/index.ts';
import { answerExtensions } from '../../net/websocket-extensions.ts';
import { WebSocketStream, type MessageRules } from '../../net/websocket-stream.ts';
import { violation } from '../../protocol/protocol-error.ts';
import {
  encodeUpgrade,
  refuseUpgrade,
  WebSocketServerHandshake,
  type WebSocketRules,
  type WebSocketUpgrade,
} from '../../protocol/websocket/server.ts';
import type { Greeting, GreetingLimits, ReadGreeting } from './greeting.ts';
import { HeadReader } from './head-reader.ts';
import { readUsers, type Users } from './users.ts';

/** How a server takes WebSockets. */
interface WebSocketServerSettings extends WebSocketRules, MessageRules {
  /** Undefined: anyone is served. */
  readonly users: Users | undefined;
}

/**
 * A reader of the handshake of a listener on `ws://` or `wss://`. Its greeting has the stream. See ReadGreeting.
 *
 * @throws TnetError TNET_E_CONFIG for a htpasswd file that cannot be read
 */
export async function createWebSocketReader(
  { path }: Extract<Endpoint, { kind: 'ws' }>,
  values: WebSocketValues,
): Promise<ReadGreeting> {
  const { wsAuthFile, wsOrigin, wsProtocol } = values;
  const settings: WebSocketServerSettings = {
    ...readMessageRules(values),
    path,
    origins: wsOrigin,
    protocols: wsProtocol === undefined ? undefined : parseProtocols(wsProtocol),
    users: wsAuthFile === undefined ? undefined : await readUsers(wsAuthFile),
  };
  return (client, soFar, limits) => readUpgrade(client, soFar, { limits, settings });
}

async function readUpgrade(
  client: Socket,
  soFar: Greeting,
  { limits, settings }: { readonly limits: GreetingLimits; readonly settings: WebSocketServerSettings },
): Promise<Greeting> {
  const reader = new HeadReader(client, { ...limits, what: 'no WebSocket handshake' }, soFar);
  const handshake = new WebSocketServerHandshake(settings);
  for (;;) {
    const chunk = await reader.nextOfGreeting();
    if (!chunk) {
      const message = 'the client ended the connection in the middle of its WebSocket handshake';
      throw violation('websocket', 'cut-short', message);
    }
    const upgrade = handshake.receive(chunk);
    if (!upgrade) continue;
    await requireUser(settings.users, upgrade, client.remoteAddress ?? '');
    const { answer, agreed } = agree(upgrade, settings);
    const { early } = reader.finish(upgrade.rest);
    client.write(encodeUpgrade(upgrade, answer));
    const stream = new WebSocketStream(client, settings, { isServer: true, extensions: agreed, early });
    const presented = presentedAddresses(client);
    if (presented) presentAddresses(stream, presented);
    return { ...soFar, early: undefined, stream };
  }
}

function agree(
  { extensions }: WebSocketUpgrade,
  { deflate, maxBytes }: MessageRules,
): ReturnType<typeof answerExtensions> {
  try {
    return answerExtensions(extensions, { wantsDeflate: deflate, maxBytes });
  } catch (error) {
    throw refuseUpgrade(
      400,
      'bad-extension',
      `the client's extensions cannot be read: ${(error as Error).message}`,
    );
  }
}

async function requireUser(
  users: Users | undefined,
  { credentials }: WebSocketUpgrade,
  client: string,
): Promise<void> {
  if (!users || (credentials && (await users.isRight(credentials.user, credentials.password, client))))
    return;
  const message = credentials
    ? `the password of ${JSON.stringify(credentials.user)} is wrong`
    : 'the client gave no user and password';
  throw refuseUpgrade(401, 'bad-credentials', message);
}
