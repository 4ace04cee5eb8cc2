import { decodeBasic, parseChallenges } from '../../../src/protocol/http-connect/credentials.ts';
import { HEAD_LIMIT_BYTES } from '../../../src/protocol/http-connect/head.ts';
import {
  HttpConnectClient,
  type HttpConnectClientOptions,
} from '../../../src/protocol/http-connect/client.ts';
import { HttpConnectServer } from '../../../src/protocol/http-connect/server.ts';
import { parseHtpasswd } from '../../../src/protocol/http-connect/htpasswd.ts';
import { describeError, type CodecTarget } from '../../helpers/protocol/codec-target.ts';
import { latin1 } from '../../helpers/protocol/hex.ts';
import { runHandshake } from '../../helpers/protocol/run-handshake.ts';

const digest =
  'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4", opaque="FQhe"';

const responses = [
  'HTTP/1.1 200 Connection established\r\n\r\nSSH-2.0-x\r\n',
  'HTTP/1.0 200\nVia: 1.1 x\n\nhello',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  `HTTP/1.1 407 Auth\r\nProxy-Authenticate: ${digest}\r\nContent-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\n\r\nx`,
  `HTTP/1.1 407 Auth\r\nProxy-Authenticate: ${digest}, Basic realm="a, b=\\"c"\r\nContent-Length: 0\r\n\r\nHTTP/1.1 407 Again\r\nProxy-Authenticate: ${digest}, stale=true\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`,
  'HTTP/1.1 407 Auth\r\nProxy-Authenticate: Negotiate abc==, NTLM, Basic realm=x\r\nConnection: close\r\n\r\n',
  'HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n',
  `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(HEAD_LIMIT_BYTES)}\r\n\r\n`,
].map(latin1);

const requests = [
  'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n\x16\x03\x01',
  'CONNECT [2001:db8::1]:22 HTTP/1.0\n\nSSH-',
  'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\nUser-Agent: \t x \t\r\n\r\n',
  'GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n',
  'CONNECT a:1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc',
  `CONNECT ${'a'.repeat(9000)}:1 HTTP/1.1\r\n\r\n`,
].map(latin1);

function runClient(chunks: readonly Buffer[]): unknown {
  const options: HttpConnectClientOptions = {
    host: 'example.com',
    port: 443,
    credentials: { user: 'Mufasa', password: 'Circle of Life' },
    createNonce: () => 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  };
  const client = new HttpConnectClient(options);
  client.start();
  const outcome = runHandshake(client, chunks, HEAD_LIMIT_BYTES, ({ send, done, reconnect }) => {
    if (!reconnect) return { send, notes: done ? [done.status, done.headers] : [], rest: done?.rest };
    // The old connection's bytes are nobody's after that.
    return {
      send: Buffer.concat([send ?? Buffer.alloc(0), client.start()]),
      notes: ['reconnect'],
      rest: Buffer.alloc(0),
    };
  }) as { error?: object; notes?: unknown[]; rest?: string };
  if (outcome.error) return { error: outcome.error };
  return outcome.notes?.includes('reconnect') ? { ...outcome, rest: '' } : outcome;
}

/** A codec of a whole text: chunking cannot matter, own errors only. */
function runText(read: (text: string) => unknown) {
  return (chunks: readonly Buffer[]): unknown => {
    try {
      return read(Buffer.concat(chunks).toString('latin1'));
    } catch (error) {
      return describeError(error);
    }
  };
}

export const httpConnectTargets: CodecTarget[] = [
  { name: 'http-connect-client', seeds: responses, run: runClient },
  {
    name: 'http-connect-server',
    seeds: requests,
    run: (chunks) =>
      runHandshake(new HttpConnectServer(), chunks, HEAD_LIMIT_BYTES, (found) => {
        const { rest, ...request } = found ?? {};
        return { notes: found ? [request] : [], rest };
      }),
  },
  {
    name: 'http-challenge',
    seeds: [
      digest,
      'Basic realm="a", Newauth x=y , z="q\\"r",Negotiate, NTLM TlRM=',
      ', ,Basic',
      `a=${' '.repeat(3000)}b`,
    ].map(latin1),
    run: runText((text) =>
      parseChallenges(text).map(({ parameters, ...rest }) => ({ ...rest, parameters: [...parameters] })),
    ),
  },
  {
    name: 'http-basic',
    seeds: ['Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==', 'basic  dGVzdDoxMjPCow==', 'Basic Og'].map(latin1),
    run: runText((text) => decodeBasic(text)),
  },
  {
    name: 'htpasswd',
    seeds: [
      'a:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n# x\n\nb:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=\r\n',
      `c:$2y$05$${'a'.repeat(53)}\n`,
      `d:realm:${'0a'.repeat(16)}\nd:realm:${'0a'.repeat(32)}\ne:{PLAIN}a:b \n`,
    ].map(latin1),
    run: runText((text) => [...parseHtpasswd(text)]),
  },
];
