import { breakConnection } from '../../../net/connection.ts';
import { serve } from '../../../serve/serve.ts';
import { TnetError, formatLimit } from '../../../errors.ts';
import { isIP, isIPv4, type Socket } from '../../../net/index.ts';
import { findNearKind, plainAddress } from '../../../address/address.ts';
import type { TargetRequest } from '../../../serve/greeting/greeting.ts';
import type { ProxyHost } from '../host.ts';

interface BindOptions {
  readonly host: ProxyHost;
  readonly connectMs: number;
  /** Tells the client where its peer is to connect: the first answer of RFC 1928 section 4, BIND. */
  readonly announce: (bound: { host: string; port: number }) => void;
  /** Judges a peer by its address: an error turns it away. */
  readonly judge: (address: string) => Error | undefined;
}

/**
 * Waits for the one connection that a client expects from its peer (the active mode of FTP). Listens on the address
 * by which the client reached the proxy; a peer other than the one that the client named is turned away.
 *
 * @throws the system's error, or TnetError TNET_E_TIMEOUT
 */
export async function acceptBound(
  client: Socket,
  request: TargetRequest,
  options: BindOptions,
): Promise<Socket> {
  const { host, connectMs, announce, judge } = options;
  const isAnybody = isIP(request.host) === 0 || findNearKind(request.host) === 'unspecified';
  const wanted = isAnybody ? undefined : plainAddress(request.host);
  // Behind a dual-stack listener an IPv4 client has reached `::ffff:127.0.0.1`.
  const reached = client.localAddress ?? '127.0.0.1';
  const own = isIPv4(plainAddress(reached)) ? plainAddress(reached) : reached;
  const accepted = Promise.withResolvers<Socket>();
  let isTaken = false;
  const server = await serve(
    { kind: 'tcp', host: own, port: 0 },
    {
      onConnection(peer) {
        peer.on('error', () => undefined);
        const address = plainAddress(peer.remoteAddress ?? '');
        const isWelcome = (wanted === undefined || address === wanted) && !judge(address);
        if (isWelcome && !isTaken) accepted.resolve(peer);
        else breakConnection(peer);
        isTaken ||= isWelcome;
      },
    },
  );
  const timer = setTimeout(
    () =>
      accepted.reject(new TnetError('TNET_E_TIMEOUT', `nobody connected within ${formatLimit(connectMs)}`)),
    connectMs,
  );
  const onGone = () => accepted.reject(Object.assign(new Error('the client left'), { code: 'ECONNRESET' }));
  client.once('close', onGone);
  host.signal.addEventListener('abort', onGone, { once: true });
  try {
    server.on('error', () => undefined);
    const { port } = server.address() as { port: number };
    announce({ host: plainAddress(own), port });
    return await accepted.promise;
  } finally {
    clearTimeout(timer);
    client.off('close', onGone);
    host.signal.removeEventListener('abort', onGone);
    server.close();
  }
}
