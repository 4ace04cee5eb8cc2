import { breakConnection } from '../endpoint/connection.ts';
import { serve } from '../endpoint/serve.ts';
import { TnetError } from '../errors.ts';
import { isIP, type Socket } from '../net/index.ts';
import type { SocksRequest } from '../protocol/socks/index.ts';
import type { ProxyHost } from './host.ts';

interface BindOptions {
  readonly host: ProxyHost;
  readonly connectMs: number;
  /** Tells the client where its peer is to connect: the first answer of RFC 1928 section 4, BIND. */
  readonly announce: (bound: { host: string; port: number }) => void;
}

/**
 * Waits for the one connection that a client expects from its peer (the active mode of FTP). It listens on the
 * address that the client reached the proxy by; a peer other than the one that the client named is turned away.
 *
 * @throws the system's error, or TnetError TNET_E_TIMEOUT
 */
export async function acceptBound(
  client: Socket,
  request: SocksRequest,
  options: BindOptions,
): Promise<Socket> {
  const { host, connectMs, announce } = options;
  const wanted =
    isIP(request.host) !== 0 && !/^(0\.0\.0\.0|::)$/.test(request.host) ? request.host : undefined;
  const accepted = Promise.withResolvers<Socket>();
  const server = await serve(
    { kind: 'tcp', host: client.localAddress ?? '127.0.0.1', port: 0 },
    {
      onConnection(peer) {
        peer.on('error', () => undefined);
        if (wanted === undefined || peer.remoteAddress === wanted) accepted.resolve(peer);
        else breakConnection(peer);
      },
    },
  );
  const timer = setTimeout(
    () => accepted.reject(new TnetError('TNET_E_TIMEOUT', `nobody connected within ${connectMs} ms`)),
    connectMs,
  );
  const onGone = () => accepted.reject(Object.assign(new Error('the client left'), { code: 'ECONNRESET' }));
  client.once('close', onGone);
  host.signal.addEventListener('abort', onGone, { once: true });
  try {
    const { address, port } = server.address() as { address: string; port: number };
    announce({ host: address, port });
    return await accepted.promise;
  } finally {
    clearTimeout(timer);
    client.off('close', onGone);
    host.signal.removeEventListener('abort', onGone);
    server.close();
  }
}
