import { HEAD_LIMIT_BYTES } from '../../../src/protocol/http-connect/head.ts';
import { WebSocketClientHandshake } from '../../../src/protocol/websocket/client.ts';
import { WebSocketServerHandshake } from '../../../src/protocol/websocket/server.ts';
import type { CodecTarget } from '../../helpers/protocol/codec-target.ts';
import { latin1 } from '../../helpers/protocol/hex.ts';
import { runHandshake } from '../../helpers/protocol/run-handshake.ts';

/** The key and its answer of RFC 6455, 1.3. */
const key = 'dGhlIHNhbXBsZSBub25jZQ==';
const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const fields = `Host: a:80\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n`;
const upgrade = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n`;

export const webSocketTargets: CodecTarget[] = [
  {
    name: 'websocket-client',
    seeds: [
      `${upgrade}\r\n\x81\x02hi`,
      `${upgrade}Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n`,
      `HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n${upgrade}\r\n`,
      'HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n',
      'HTTP/1.1 302 Found\r\nLocation: /other\r\n\r\n',
      'HTTP/1.0 401\n\n',
      'SSH-2.0-x\r\n',
    ].map(latin1),
    run: (chunks) =>
      runHandshake(
        new WebSocketClientHandshake({
          authority: 'a',
          path: '/',
          protocols: ['chat'],
          createKey: () => key,
        }),
        chunks,
        HEAD_LIMIT_BYTES,
        (answer) => {
          const { rest, ...found } = answer ?? {};
          return { notes: answer ? [found] : [], rest };
        },
      ),
  },
  {
    name: 'websocket-server',
    seeds: [
      `GET /chat HTTP/1.1\r\n${fields}\r\n\x81\x82abcd`,
      `GET /chat?x=1 HTTP/1.1\r\n${fields}Origin: https://a\r\nSec-WebSocket-Protocol: x, chat\r\n\r\n`,
      `GET http://a/chat HTTP/1.1\r\n${fields}Authorization: Basic QTpi\r\n\r\n`,
      `POST /chat HTTP/1.1\r\n${fields}\r\n`,
      `GET / HTTP/1.1\nHost: a\n\n`,
      `GET /chat HTTP/1.1\r\n${fields.replace('13', '8')}\r\n`,
      `GET /chat HTTP/1.1\r\n${fields}X: ${'y'.repeat(HEAD_LIMIT_BYTES)}\r\n\r\n`,
    ].map(latin1),
    run: (chunks) =>
      runHandshake(
        new WebSocketServerHandshake({ path: '/chat', origins: ['https://a'], protocols: ['chat'] }),
        chunks,
        HEAD_LIMIT_BYTES,
        (found) => {
          const { rest, ...request } = found ?? {};
          return { notes: found ? [request] : [], rest };
        },
      ),
  },
];
