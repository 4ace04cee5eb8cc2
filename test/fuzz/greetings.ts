import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { encodeProxyV1, encodeProxyV2 } from '../../src/protocol/proxy-protocol/encode.ts';
import { encodeSocksDatagram } from '../../src/protocol/socks/address.ts';

/** What clients that know what they do begin with, by what it is for. */
export interface Greetings {
  readonly plain: readonly Buffer[];
  readonly socks: readonly Buffer[];
  readonly connect: readonly Buffer[];
  readonly proxy: readonly Buffer[];
  readonly hello: readonly Buffer[];
  readonly telnet: readonly Buffer[];
  readonly http: readonly Buffer[];
  readonly forward: readonly Buffer[];
  readonly datagrams: readonly Buffer[];
}

/** @param port where an echo listens on 127.0.0.1, for those that name a target */
export async function makeGreetings(port: number): Promise<Greetings> {
  const ports = [port >> 8, port & 255];
  const data = Buffer.from('some bytes\nand more\n');
  const with5 = (command: number, ...address: number[]) =>
    Buffer.from([5, 1, 0, 5, command, 0, ...address, ...ports]);
  const name = [3, 9, ...Buffer.from('localhost')];
  const ends = {
    family: 'tcp4',
    source: { host: '192.0.2.1', port: 1000 },
    destination: { host: '192.0.2.2', port: 80 },
  } as const;
  const ends6 = {
    family: 'tcp6',
    source: { host: '2001:db8::1', port: 1000 },
    destination: { host: '2001:db8::2', port: 80 },
  } as const;
  const values = [
    { type: 'authority', name: 'a.example' },
    { type: 'crc32c' },
    { type: 'other', code: 0xea, bytes: Buffer.from('vpc') },
  ] as const;
  const request = (line: string, ...fields: string[]) =>
    Buffer.from([line, 'Host: a.example', ...fields, '', ''].join('\r\n'));
  const hello = [
    await captureHello({ servername: 'a.example', ALPNProtocols: ['h2'] }),
    await captureHello({}),
  ];
  return {
    plain: [
      data,
      Buffer.alloc(0),
      Buffer.from('SSH-2.0-x\r\n'),
      Buffer.alloc(70_000, 'x'),
      Buffer.from([0, 255]),
    ],
    socks: [
      Buffer.concat([with5(1, 1, 127, 0, 0, 1), data]),
      Buffer.concat([with5(1, ...name), data]),
      with5(1, 4, ...new Array<number>(15).fill(0), 1),
      with5(2, 1, 0, 0, 0, 0),
      with5(3, 1, 0, 0, 0, 0),
      Buffer.from([5, 2, 0, 2, 1, 1, 97, 1, 98, 5, 1, 0, 1, 127, 0, 0, 1, ...ports]),
      Buffer.from([4, 1, ...ports, 127, 0, 0, 1, 97, 0]),
      Buffer.from([4, 1, ...ports, 0, 0, 0, 1, 0, ...Buffer.from('localhost'), 0]),
      Buffer.from([4, 2, ...ports, 127, 0, 0, 1, 0]),
    ],
    connect: [
      Buffer.concat([request(`CONNECT 127.0.0.1:${port} HTTP/1.1`), data]),
      request(`CONNECT localhost:${port} HTTP/1.1`, 'Proxy-Authorization: Basic YTpi'),
      request(`CONNECT [::1]:${port} HTTP/1.1`),
      request(`CONNECT ${'x'.repeat(24_000)}:1 HTTP/1.1`),
    ],
    forward: [
      request(`GET http://127.0.0.1:${port}/ HTTP/1.1`, 'Connection: close, X', 'X: 1'),
      Buffer.concat([
        request(`POST http://localhost:${port}/ HTTP/1.1`, `Content-Length: ${data.length}`),
        data,
      ]),
      Buffer.concat([
        request(
          `PUT http://127.0.0.1:${port}/ HTTP/1.1`,
          'Transfer-Encoding: chunked',
          'Expect: 100-continue',
        ),
        Buffer.from('5\r\nhello\r\n0\r\nX-End: 1\r\n\r\n'),
      ]),
      Buffer.concat([
        request(`GET http://127.0.0.1:${port}/ HTTP/1.1`),
        request(`CONNECT 127.0.0.1:${port} HTTP/1.1`),
        data,
      ]),
      Buffer.concat(new Array<Buffer>(20).fill(request(`HEAD http://127.0.0.1:${port}/ HTTP/1.1`))),
    ],
    proxy: [
      Buffer.concat([encodeProxyV1(ends), data]),
      Buffer.concat([encodeProxyV1({ family: 'unknown' }), data]),
      Buffer.concat([encodeProxyV2({ command: 'proxy', ends, values: [...values] }), data]),
      Buffer.concat([encodeProxyV2({ command: 'proxy', ends: ends6, values: [] }), hello[0] ?? data]),
      encodeProxyV2({ command: 'local', ends: { family: 'unknown' }, values: [] }),
      encodeProxyV2({
        command: 'proxy',
        ends: { family: 'unix', source: '/tmp/a\u001b[2J', destination: '\0b' },
        values: [],
      }),
    ],
    hello,
    telnet: [Buffer.from([255, 251, 1, 255, 253, 31, 255, 250, 24, 1, 255, 240, 104, 105, 13, 10, 255, 255])],
    http: [
      request('GET /metrics HTTP/1.1'),
      request('GET /healthz?x=1 HTTP/1.1', 'Connection: close'),
      request('GET // HTTP/1.1'),
      request('GET http://a.example/metrics HTTP/1.1'),
      request('OPTIONS * HTTP/1.1'),
      request('POST /metrics HTTP/1.1', 'Content-Length: 5', '', 'abcde'),
      request('GET /metrics HTTP/1.1', 'Upgrade: websocket', 'Connection: Upgrade'),
      request('CONNECT a.example:80 HTTP/1.1'),
    ],
    datagrams: [
      data,
      Buffer.alloc(0),
      Buffer.alloc(65_507, 'x'),
      encodeSocksDatagram({ host: '127.0.0.1', port, data }),
    ],
  };
}

/** The first bytes of a real TLS client. */
async function captureHello(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const client = tls.connect({ ...options, host: '127.0.0.1', port, rejectUnauthorized: false });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}
