import { formatHostPort, type Endpoint } from '../address/endpoint.ts';
import { converse } from '../net/converse.ts';
import type { Socket } from '../net/index.ts';
import { offerExtensions } from '../net/websocket-extensions.ts';
import { WebSocketStream } from '../net/websocket-stream.ts';
import { violation } from '../protocol/protocol-error.ts';
import { WebSocketClientHandshake, type WebSocketAnswer } from '../protocol/websocket/client.ts';
import type { Connection } from '../net/connection.ts';
import type { Deadline } from '../net/deadline.ts';
import type { DialOptions } from './dial-options.ts';
import { readClientSettings, type WebSocketClientSettings } from './websocket-settings.ts';

type WebSocketEndpoint = Extract<Endpoint, { kind: 'ws' }>;

/** Opens the socket under it: dial(). */
type DialSocket = (
  endpoint: Extract<Endpoint, { kind: 'tcp' | 'tls' }>,
  options: DialOptions,
) => Promise<Socket>;

/**
 * Opens a WebSocket: TCP and TLS as dial() opens them, then the handshake. All that dial() promises, except for `prove`
 * and retrying. When it throws, nothing stays open.
 *
 * @throws what dial() throws for the socket; ProtocolError for an answer that refuses the handshake, or is none
 */
export async function dialWebSocket(
  endpoint: WebSocketEndpoint,
  options: DialOptions,
  deadline: Deadline,
  dial: DialSocket,
): Promise<Connection> {
  const { isSecure, host, port } = endpoint;
  const kind = isSecure || options.tls ? 'tls' : 'tcp';
  // An attempt has been counted, and the caller proves what this returns.
  const observer = options.observer && { ...options.observer, tried: undefined };
  const timeoutMs = deadline.leftMs;
  const socket = await dial({ kind, host, port }, { ...options, observer, timeoutMs, prove: undefined });
  try {
    const settings = options.webSocket ?? readClientSettings({});
    return await shakeHands(socket, endpoint, settings, deadline.signal);
  } catch (error) {
    socket.on('error', () => undefined).destroy();
    throw error;
  }
}

async function shakeHands(
  socket: Socket,
  endpoint: WebSocketEndpoint,
  settings: WebSocketClientSettings,
  signal: AbortSignal,
): Promise<WebSocketStream> {
  const { protocols, headers, deflate, maxBytes } = settings;
  const { offer, judge } = offerExtensions({ wantsDeflate: deflate, maxBytes });
  const handshake = new WebSocketClientHandshake({
    authority: formatAuthority(endpoint),
    path: endpoint.path,
    protocols,
    headers,
    extensions: offer,
  });
  const { extensions } = await converse<WebSocketAnswer>(socket, {
    first: handshake.start(),
    receive(chunk) {
      const answer = handshake.receive(chunk);
      return { done: answer && { value: answer, rest: answer.rest } };
    },
    cut: {
      code: 'TNET_E_WEBSOCKET',
      message: 'the server ended the connection within the WebSocket handshake',
    },
    signal,
  });
  const agreed = agree(() => judge(extensions));
  return new WebSocketStream(socket, settings, { isServer: false, extensions: agreed });
}

function agree<Agreed>(judge: () => Agreed): Agreed {
  try {
    return judge();
  } catch (error) {
    throw violation(
      'websocket',
      'bad-extension',
      `the server's extensions do not fit: ${(error as Error).message}`,
    );
  }
}

/** The Host field: without the port of the scheme, and without the zone of an IPv6 address. */
function formatAuthority({ host = 'localhost', port, isSecure }: WebSocketEndpoint): string {
  const plain = host.replace(/%.*$/s, '');
  const whole = formatHostPort(plain, port);
  return port === (isSecure ? 443 : 80) ? whole.slice(0, -`:${port}`.length) : whole;
}
