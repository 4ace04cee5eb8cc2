import { checkHeader, checkProtocols, parseOrigin } from '../../../src/address/header-field.ts';
import { anySession, tcpEnds, type OptionTable } from '../row.ts';
import { file, list, positiveSize, text, time, toggle } from '../value-kinds.ts';

const called = 'with ws:// or wss://';
const modes = [...anySession, 'workers', 'replay-clients', 'replay-target'] as const;

/** What every option has that is about WebSockets with clients and with servers alike. */
const ofEitherSide = {
  config: true,
  in: { connect: ['client'], listen: ['server'], echo: ['server', 'client'], proxy: ['relay'] },
  ends: tcpEnds,
  modes,
  needs: [{ anyOf: ['ws client', 'ws server'], called }],
} as const;

const ofClient = {
  config: true,
  in: { connect: ['client'], echo: ['client'], proxy: ['target'] },
  ends: tcpEnds,
  modes,
  needs: [{ anyOf: ['ws client'], called }],
} as const;

/** Connections to and from ws:// and wss://. */
export const websocket = {
  wsProtocol: {
    flags: '--ws-protocol <names>',
    help: 'require one of these sub-protocols, separated by commas',
    helpIn: {
      connect: 'offer these sub-protocols, separated by commas',
      proxy: 'offer, or require, one of these sub-protocols, separated by commas',
    },
    value: text(checkProtocols, 'chat'),
    ...ofEitherSide,
    test: 'cli/websocket.test.ts',
  },
  header: {
    flags: '--header <field>',
    help: "send this field with the request: 'Name: value', or @FILE with one a line; may be repeated",
    value: list(checkHeader, 'X-Name: value'),
    ...ofClient,
    test: 'cli/websocket.test.ts',
  },
  wsPasswordFile: {
    flags: '--ws-password-file <file>',
    help: 'log in with the user:password of this file',
    value: file,
    ...ofClient,
    test: 'cli/websocket.test.ts',
  },
  wsAuthFile: {
    flags: '--ws-auth-file <file>',
    help: 'ask clients for a user and password of this htpasswd file',
    value: file,
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: tcpEnds,
    modes,
    needs: [{ anyOf: ['ws server'], called }],
    test: 'cli/websocket.test.ts',
  },
  wsOrigin: {
    flags: '--ws-origin <url>',
    help: 'let the pages of this origin in, * for all; may be repeated; default: no page of a browser',
    helpIn: { connect: 'name this origin, as the page of a browser does' },
    value: list(parseOrigin, 'https://example.com'),
    ...ofEitherSide,
    test: 'cli/websocket.test.ts',
  },
  wsText: {
    flags: '--ws-text',
    help: 'a line is a text message; default: bytes in binary messages',
    value: toggle,
    ...ofEitherSide,
    test: 'cli/websocket.test.ts',
  },
  wsDeflate: {
    flags: '--ws-deflate',
    help: 'compress messages (permessage-deflate) where the other end agrees',
    value: toggle,
    ...ofEitherSide,
    test: 'cli/websocket.test.ts',
  },
  wsPing: {
    flags: '--ws-ping <time>',
    help: 'ask the other end for a sign of life this often: one that gives none is gone',
    value: time,
    ...ofEitherSide,
    test: 'cli/websocket.test.ts',
  },
  wsMax: {
    flags: '--ws-max <size>',
    help: 'the longest message that is taken (default: 16M)',
    value: positiveSize,
    ...ofEitherSide,
    test: 'cli/websocket.test.ts',
  },
} as const satisfies OptionTable;
