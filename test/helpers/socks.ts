import net from 'node:net';
import type { ExecutionContext } from 'ava';
import { encodeSocksReply } from '../../src/protocol/socks/messages.ts';
import { SocksServer, type SocksRequest } from '../../src/protocol/socks/server.ts';
import { startPeerServer } from './peers.ts';

/** A proxy of SOCKS 4, 4a and 5 that grants everything, and keeps what it was asked for. */
export async function startSocks(t: ExecutionContext): Promise<{ port: number; requests: SocksRequest[] }> {
  const requests: SocksRequest[] = [];
  const peer = await startPeerServer(t, 'tcp', (client) => {
    const codec = new SocksServer({ authentication: 'none' });
    const onData = (chunk: Buffer) => {
      const { send, request } = codec.receive(chunk);
      if (send) client.write(send);
      if (!request) return;
      requests.push(request);
      client.off('data', onData);
      const host = net.isIP(request.host) === 0 ? '127.0.0.1' : request.host;
      const target = net.connect({ host, port: request.port, allowHalfOpen: true }, () => {
        client.write(encodeSocksReply(request.version, 'granted'));
        target.write(request.rest);
        client.pipe(target).pipe(client);
      });
      target.on('error', () => client.destroy());
    };
    client.on('data', onData);
  });
  return { port: Number(peer.words[1]), requests };
}
