import type { AccessList } from '../access/access-list.ts';
import { type Endpoint, formatHostPort } from '../address/endpoint.ts';
import { refuseNumericForm, requireNumericHost } from '../address/host-rules.ts';
import { isIP } from '../address/ip.ts';
import { errorCode } from '../errors.ts';
import { formatRemote } from '../net/connection.ts';
import { bindDatagram, type DatagramSocket } from '../net/datagram.ts';
import type { DatagramPeer } from '../net/datagram-peer.ts';
import { DatagramServer, type DatagramServerOptions } from '../net/datagram-server.ts';
import { joinOwnGroup } from '../net/groups.ts';
import { lookupFirst } from '../net/lookup.ts';
import type { UnixFileSettings } from '../net/unix-listener.ts';
import { refuse, tooManyNew } from './ledger.ts';
import { watchDatagrams } from './watch-datagrams.ts';
import { formatBound } from './serve.ts';
import { serveClient } from './serve-client.ts';
import type { BoundListener, ServeHost, Service } from './service.ts';

export type UdpEndpoint = Extract<Endpoint, { kind: 'udp' }>;

/** How many refused senders are remembered, so that each is reported once and not for every datagram. */
const rememberedRefusals = 1024;

/** What a listener uses of the server of its peers, whoever they are. */
interface Peers {
  maxPeers: number | undefined;
  on(event: 'error', listener: (error: Error) => void): unknown;
  close(): void;
}

/** What binds the address of a listener, and the server of the peers that come there. */
interface BoundPeers {
  readonly server: Peers;
  /** What has really been bound, as it is reported. */
  readonly address: string;
  /** Gives the file of a Unix socket the mode and owner that a service asks for. */
  readonly changeFile?: (settings: UnixFileSettings) => void;
}

/** The options of the peers' server that do not depend on the kind of address. */
type PeerOptions = Pick<DatagramServerOptions<unknown>, 'onlyFirst' | 'admit' | 'onPeer'> & {
  readonly onRefused: (remote: string, reason: string) => void;
};

/** A bound address of datagrams with the service for its clients: each sender has a session of its own. */
export class DatagramListener implements BoundListener {
  readonly #host: ServeHost;
  readonly #server: Peers;
  readonly #changeFile: BoundPeers['changeFile'];
  #service: Service;
  readonly #refused = new Set<string>();
  readonly address: string;

  private constructor({ server, address, changeFile }: BoundPeers, service: Service, host: ServeHost) {
    this.#server = server;
    this.#changeFile = changeFile;
    this.#service = service;
    this.#host = host;
    this.address = address;
    server.on('error', (error: Error) => host.fail(this.address, error));
    this.#applyLimit();
  }

  /** Binds a service's address. @throws as bindEndpoint() or bindUnixPeers() does */
  static async open(service: Service, host: ServeHost): Promise<DatagramListener> {
    const options: PeerOptions = {
      onlyFirst: service.onlyFirst !== undefined,
      admit: (address) => listener.#judge(address),
      onRefused: (remote, reason) => listener.#refuse(remote, reason),
      onPeer: (peer) => listener.#accept(peer),
    };
    const { listen } = service;
    const bound =
      listen.kind === 'unix-dgram'
        ? await (await import('./unix-datagram-peers.ts')).bindUnixPeers(listen, service.binding, options)
        : await bindUdpPeers(service, host, options);
    const listener: DatagramListener = new DatagramListener(bound, service, host);
    return listener;
  }

  changeFile({ binding: { mode, owner } }: Service = this.#service): void {
    this.#changeFile?.({ mode, owner });
  }

  replaceService(service: Service): void {
    this.#service.close();
    this.#service = service;
    this.#refused.clear();
    this.#applyLimit();
  }

  async reloadAccess(): Promise<AccessList | undefined> {
    const { access } = this.#service;
    await access?.reload();
    this.#refused.clear();
    return access;
  }

  /** Sessions go on. The address is free again when the last one is over. */
  close(): void {
    this.#service.close();
    this.#server.close();
  }

  /** Without a limit the longest silent client makes way for a new one; with one, new clients are refused. */
  #applyLimit(): void {
    const { maxConnections } = this.#service;
    this.#server.maxPeers = maxConnections;
  }

  #judge(address: string): string | undefined {
    const { access, rate } = this.#service;
    const denial = access?.judge(address);
    if (denial !== undefined) return denial;
    return rate?.take(address, performance.now()) === false ? tooManyNew : undefined;
  }

  /** Counts every datagram; reports its sender once for each reason. */
  #refuse(remote: string, reason: string): void {
    const key = `${remote} ${reason}`;
    if (this.#refused.has(key)) return this.#host.ledger.refuse(reason);
    if (this.#refused.size >= rememberedRefusals) this.#refused.clear();
    this.#refused.add(key);
    refuse(this.#host, remote, reason);
  }

  #accept(peer: DatagramPeer): void {
    watchDatagrams(peer, formatRemote(peer, this.address), this.#host);
    void serveClient(peer, this.address, this.#service, this.#host);
  }
}

async function bindUdpPeers(
  { listen, tuneDatagrams, group }: Service,
  host: ServeHost,
  options: PeerOptions,
): Promise<BoundPeers> {
  const socket = await bindEndpoint(listen as UdpEndpoint, { ...host, tuneDatagrams, group });
  const server = new DatagramServer(socket, {
    ...options,
    onRefused: ({ address, port }, reason) => options.onRefused(formatHostPort(address, port), reason),
  });
  return { server, address: formatBound(server) };
}

/** How a UDP socket is bound. */
type BindOptions = Pick<ServeHost, 'family' | 'numericOnly'> & Pick<Service, 'tuneDatagrams' | 'group'>;

/**
 * Binds a UDP socket to an endpoint, and joins it if it is a multicast group.
 *
 * @throws the system's error, TnetError TNET_E_ADDRESS, what joinOwnGroup() or `tuneDatagrams` throws
 */
export async function bindEndpoint(endpoint: UdpEndpoint, options: BindOptions): Promise<DatagramSocket> {
  const socket = await bindPlain(endpoint, options);
  try {
    options.tuneDatagrams?.(socket);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

async function bindPlain(
  endpoint: UdpEndpoint,
  { family, numericOnly, group }: BindOptions,
): Promise<DatagramSocket> {
  refuseNumericForm(endpoint.host ?? '');
  if (numericOnly) requireNumericHost(endpoint);
  const { host, port } = endpoint;
  if (host === undefined && family === undefined && !group) {
    try {
      return await bindDatagram({ type: 'udp6', address: '::', port });
    } catch (error) {
      // As node:net does where IPv6 is off.
      if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(errorCode(error) ?? '')) throw error;
      return bindDatagram({ type: 'udp4', address: '0.0.0.0', port });
    }
  }
  const found = await findAddress(host, family);
  const kind = found.family === 4 ? ({ type: 'udp4' } as const) : ({ type: 'udp6', ipv6Only: true } as const);
  const socket = await bindDatagram({ ...kind, address: found.address, port });
  joinOwnGroup(socket, found.address, group);
  return socket;
}

async function findAddress(
  host: string | undefined,
  family: 4 | 6 | undefined,
): Promise<{ address: string; family: number }> {
  if (host === undefined)
    return family === 4 ? { address: '0.0.0.0', family: 4 } : { address: '::', family: 6 };
  const given = isIP(host);
  return given === 0 ? lookupFirst(host, { family }) : { address: host, family: given };
}
