import { once } from 'node:events';
import type { DatagramSocket } from '../net/datagram.ts';
import type { Socket } from '../net/index.ts';
import { decodeSocksDatagram, encodeSocksDatagram, encodeSocksReply } from '../protocol/socks/index.ts';
import type { ProxyHost } from './host.ts';

/**
 * Relays a client's datagrams (RFC 1928 section 7) for as long as its TCP connection is open. Datagrams are taken from
 * the client's host only, and from the port that sent the first one.
 */
export async function serveAssociate(client: Socket, { host }: { readonly host: ProxyHost }): Promise<void> {
  const { bindDatagram } = await import('../net/datagram.ts');
  const address = client.localAddress ?? '127.0.0.1';
  const near = await bindDatagram({ type: address.includes(':') ? 'udp6' : 'udp4', address, port: 0 });
  const relay = new AssociateRelay(near, client.remoteAddress ?? '127.0.0.1', bindDatagram);
  const stop = () => client.destroy();
  host.signal.addEventListener('abort', stop, { once: true });
  client.write(encodeSocksReply(5, 'granted', { host: address, port: near.address().port }));
  // What a client says on the connection means nothing; its end is the end.
  client.once('end', stop).resume();
  if (!client.destroyed) await once(client, 'close');
  host.signal.removeEventListener('abort', stop);
  relay.close();
}

class AssociateRelay {
  readonly #near: DatagramSocket;
  readonly #clientHost: string;
  readonly #bind: typeof import('../net/datagram.ts').bindDatagram;
  /** The port that the client sends from; set by its first datagram. */
  #clientPort: number | undefined;
  /** One socket for each family, bound when the first datagram for it comes. */
  readonly #far = new Map<'udp4' | 'udp6', Promise<DatagramSocket>>();

  constructor(
    near: DatagramSocket,
    clientHost: string,
    bind: typeof import('../net/datagram.ts').bindDatagram,
  ) {
    this.#near = near;
    this.#clientHost = clientHost;
    this.#bind = bind;
    near.on('error', () => undefined);
    near.on('message', (bytes, { address, port }) => void this.#takeFromClient(bytes, address, port));
  }

  close(): void {
    this.#near.close();
    for (const far of this.#far.values()) void far.then((socket) => socket.close());
  }

  /** A datagram that cannot be read or sent is dropped, as UDP drops: RFC 1928 has no answer for it. */
  async #takeFromClient(bytes: Buffer, address: string, port: number): Promise<void> {
    if (address !== this.#clientHost || (this.#clientPort ?? port) !== port) return;
    try {
      const { host, port: to, data } = decodeSocksDatagram(bytes);
      this.#clientPort = port;
      const far = await this.#open(host.includes(':') ? 'udp6' : 'udp4');
      far.send(data, to, host, () => undefined);
    } catch {
      return;
    }
  }

  #open(type: 'udp4' | 'udp6'): Promise<DatagramSocket> {
    const known = this.#far.get(type);
    if (known) return known;
    const opened = this.#bind({ type, port: 0 }).then((far) => {
      far.on('error', () => undefined);
      far.on('message', (data, { address: host, port }) => {
        if (this.#clientPort === undefined) return;
        this.#near.send(
          encodeSocksDatagram({ host, port, data }),
          this.#clientPort,
          this.#clientHost,
          () => undefined,
        );
      });
      return far;
    });
    this.#far.set(type, opened);
    return opened;
  }
}
