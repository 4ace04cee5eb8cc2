import type { DatagramSocket } from '../../../net/datagram.ts';
import { guarded } from '../../../net/guard.ts';
import { isIP, isIPv4, type Socket } from '../../../net/index.ts';
import { lookupFirst } from '../../../net/lookup.ts';
import { refuseNumericForm, requireNumericHost } from '../../../address/host-rules.ts';
import { plainAddress } from '../../../address/address.ts';
import { decodeSocksDatagram, encodeSocksDatagram } from '../../../protocol/socks/address.ts';
import type { TargetRequest } from '../../../serve/greeting/greeting.ts';
import { errorCode } from '../../../errors.ts';
import type { ProxyHost } from '../host.ts';
import type { TargetRules } from '../targets/rules.ts';

interface AssociateRules {
  readonly host: ProxyHost;
  /** What clients may name. */
  readonly rules: TargetRules;
}

/**
 * Relays a client's datagrams (RFC 1928 section 7) for as long as its TCP connection is open. Datagrams are taken from
 * the client's host only, and from the port that sent the first one.
 */
export async function serveAssociate(
  client: Socket,
  request: TargetRequest,
  { host, rules }: AssociateRules,
): Promise<void> {
  const { bindDatagram } = await import('../../../net/datagram.ts');
  // Behind a dual-stack listener an IPv4 client has reached `::ffff:127.0.0.1`, and sends its datagrams by IPv4.
  const reached = client.localAddress ?? '127.0.0.1';
  const isV4 = isIPv4(plainAddress(reached));
  const address = isV4 ? plainAddress(reached) : reached;
  const near = await bindDatagram({ type: isV4 ? 'udp4' : 'udp6', address, port: 0 });
  const relay = new AssociateRelay(near, client.remoteAddress ?? '127.0.0.1', bindDatagram, { host, rules });
  const stop = () => client.destroy();
  host.signal.addEventListener('abort', stop, { once: true });
  client.write(request.grant({ host: plainAddress(address), port: near.address().port }));
  // What a client says on the connection is ignored; its end ends the association, and may have been read with its
  // greeting.
  if (client.readableEnded) stop();
  else client.once('end', stop).resume();
  // A reset is an end like the others: events.once() would reject, and the sockets would stay.
  if (!client.closed) await new Promise<void>((resolve) => client.once('close', () => resolve()));
  host.signal.removeEventListener('abort', stop);
  relay.close();
}

/** How many names are remembered, and for how long. */
const rememberedNames = 256;
const rememberedMs = 30_000;

/** Where a datagram came from. */
interface Sender {
  readonly address: string;
  readonly port: number;
}

class AssociateRelay {
  readonly #near: DatagramSocket;
  readonly #rules: AssociateRules;
  /** The addresses of names that have been looked up. */
  readonly #addresses = new Map<string, Promise<string>>();
  /** As the near socket reports it; without its zone. */
  readonly #clientHost: string;
  /** Where answers go: with the zone. */
  #clientAddress = '';
  #isClosed = false;
  readonly #bind: typeof import('../../../net/datagram.ts').bindDatagram;
  /** The port that the client sends from; set by its first datagram. */
  #clientPort: number | undefined;
  /** One socket for each family, bound when the first datagram for it comes. */
  readonly #far = new Map<'udp4' | 'udp6', Promise<DatagramSocket>>();

  constructor(
    near: DatagramSocket,
    clientHost: string,
    bind: typeof import('../../../net/datagram.ts').bindDatagram,
    rules: AssociateRules,
  ) {
    this.#near = near;
    this.#rules = rules;
    this.#clientHost = plainAddress(clientHost);
    this.#bind = bind;
    near.on('error', () => undefined);
    near.on(
      'message',
      guarded((bytes: Buffer, { address, port }: Sender) => this.#takeFromClient(bytes, address, port)),
    );
  }

  close(): void {
    this.#isClosed = true;
    this.#near.close();
    for (const far of this.#far.values())
      void far.then(
        (socket) => socket.close(),
        () => undefined,
      );
  }

  /** A datagram that cannot be read or sent is dropped, as UDP drops: RFC 1928 has no answer for it. */
  async #takeFromClient(bytes: Buffer, address: string, port: number): Promise<void> {
    if (plainAddress(address) !== this.#clientHost || (this.#clientPort ?? port) !== port || port === 0)
      return;
    try {
      const { host, port: to, data } = decodeSocksDatagram(bytes);
      this.#clientPort = port;
      this.#clientAddress = address;
      const judge = this.#rules.rules.judgeOf(host, to);
      const target = await this.#resolve(host);
      // A socket bound after the client has left would stay open, and its answers could not be delivered.
      if (this.#isClosed) return;
      const denial = judge?.({ transport: 'datagram', address: target, port: to });
      if (denial) throw denial;
      const far = await this.#open(target.includes(':') ? 'udp6' : 'udp4');
      far.send(data, to, target, () => undefined);
    } catch (error) {
      if (errorCode(error) === 'TNET_E_DENIED') this.#rules.host.ledger.refuse('target not allowed');
    }
  }

  /** The address of a host, of whichever family it has. @throws the resolver's error, TnetError TNET_E_ADDRESS */
  async #resolve(host: string): Promise<string> {
    // An IPv4 address in the mapped form is one: a socket of IPv6 alone does not send there.
    if (isIP(host) !== 0) return isIPv4(plainAddress(host)) ? plainAddress(host) : host;
    const { family, numericOnly } = this.#rules.host;
    refuseNumericForm(host);
    if (numericOnly) requireNumericHost({ kind: 'udp', host, port: 1 });
    const known = this.#addresses.get(host);
    if (known) return known;
    const found = lookupFirst(host, { family }).then(({ address }) => address);
    if (this.#addresses.size >= rememberedNames) this.#addresses.clear();
    this.#addresses.set(host, found);
    const forget = () => {
      if (this.#addresses.get(host) === found) this.#addresses.delete(host);
    };
    found.then(() => setTimeout(forget, rememberedMs).unref(), forget);
    return found;
  }

  #open(type: 'udp4' | 'udp6'): Promise<DatagramSocket> {
    const known = this.#far.get(type);
    if (known) return known;
    const opened = this.#bind({ type, port: 0 }).then((far) => {
      far.on('error', () => undefined);
      const onAnswer = (data: Buffer, { address, port }: Sender) => {
        if (this.#isClosed || this.#clientPort === undefined) return;
        const answer = encodeSocksDatagram({ host: plainAddress(address), port, data });
        this.#near.send(answer, this.#clientPort, this.#clientAddress, () => undefined);
      };
      far.on('message', guarded(onAnswer));
      return far;
    });
    this.#far.set(type, opened);
    return opened;
  }
}
